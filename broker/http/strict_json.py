"""JSON, read as strictly as the verification engine's core reads it."""

from __future__ import annotations

import json
import re
from typing import Any

MAX_BYTES = 50 * 1024 * 1024
"""The largest pact, or other answer of a broker, that is read, in bytes, unpacked."""

_HALF_OF_A_PAIR = re.compile(rb"\\u[dD][89a-fA-F]")
"""An escape that may be half of a surrogate pair; where there is none, nothing needs to be checked."""


class NotJson(Exception):
    """Something can't be used as JSON; the message is the end of a sentence about it that says why."""


def parse_json(content: bytes, *, encodable: bool = False, max_depth: int | None = None) -> Any:
    """Parse a JSON document as strictly as the verification engine does.

    Args:
        content: UTF-8, with or without a byte order mark.
        encodable: Whether each text must be one that UTF-8 can carry, so that it can be stored or put into a URL.
        max_depth: How many levels deep objects and lists may be nested in each other.

    Raises:
        NotJson: It is not JSON; neither are `NaN`, numbers beyond a double, and endless nesting.
    """
    try:
        document = json.loads(content.decode("utf-8-sig"), parse_constant=_no_constant, parse_float=_finite)
        if encodable and _HALF_OF_A_PAIR.search(content):
            json.dumps(document, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise NotJson("is not usable JSON: it has half of a surrogate pair") from error
    except UnicodeDecodeError as error:
        raise NotJson(f"is not UTF-8: {error}") from error
    except RecursionError as error:
        raise NotJson("is not usable JSON: it is nested too deeply") from error
    except ValueError as error:
        raise NotJson(f"is not JSON: {error}") from error
    if max_depth is not None and is_nested_deeper(document, max_depth):
        raise NotJson(f"is nested more than {max_depth} levels deep")
    return document


def is_nested_deeper(document: Any, levels: int) -> bool:
    """Return whether a JSON document has objects and lists nested in each other more than so many levels deep."""
    inside = [document]
    for _ in range(levels + 1):
        inside = [
            member
            for one in inside
            if isinstance(one, dict | list)
            for member in (one.values() if isinstance(one, dict) else one)
        ]
    return bool(inside)


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not a JSON value")


def _finite(text: str) -> float:
    value = float(text)
    if value in {float("inf"), float("-inf")}:
        raise ValueError(f"the number {text[:20]} is out of range")
    return value
