"""JSON, read as strictly as the verification engine's core reads it."""

from __future__ import annotations

import json
from typing import Any


class NotJson(Exception):
    """It can't be used as JSON; the message says why, as the end of a sentence about it."""


def parse_json(content: bytes) -> Any:
    """Parse a JSON document as strictly as the verification engine does.

    Args:
        content: UTF-8, with or without a byte order mark.

    Raises:
        NotJson: it is not JSON (`NaN`, numbers beyond a double and endless nesting are not).
    """
    try:
        return json.loads(content.decode("utf-8-sig"), parse_constant=_no_constant, parse_float=_finite)
    except UnicodeDecodeError as error:
        raise NotJson(f"is not UTF-8: {error}") from error
    except RecursionError as error:
        raise NotJson("is not usable JSON: it is nested too deeply") from error
    except ValueError as error:
        raise NotJson(f"is not JSON: {error}") from error


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not a JSON value")


def _finite(text: str) -> float:
    value = float(text)
    if value in {float("inf"), float("-inf")}:
        raise ValueError(f"the number {text[:20]} is out of range")
    return value
