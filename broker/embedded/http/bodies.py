"""Request bodies: JSON that can be stored and given back, or a reason why not."""

from __future__ import annotations

import json
import math
from typing import Any, Never

from flask import request

from broker.embedded.http.errors import RefusalError, bad_request

# Far deeper than a pact goes, and shallow enough for every JSON library that will read it.
MAX_DEPTH = 200


class UnusableJsonError(ValueError):
    """Bytes that aren't JSON, or JSON that couldn't be given back as it came."""


def parse_json(data: bytes) -> Any:
    """Return what the bytes say in JSON.

    Raises:
        UnusableJsonError: it isn't UTF-8 or isn't JSON, is nested too deeply, or holds what JSON in UTF-8 can't
            carry (NaN, numbers out of range, half of a surrogate pair).
    """
    try:
        value = json.loads(data.decode("utf-8-sig"), parse_constant=_no_constant, parse_float=_finite)
        _check_depth(value)
        json.dumps(value, ensure_ascii=False).encode()
    except RecursionError as error:
        raise UnusableJsonError(f"nested more than {MAX_DEPTH} levels deep") from error
    except UnicodeDecodeError as error:
        raise UnusableJsonError(f"not UTF-8 at byte {error.start}") from error
    except UnicodeEncodeError as error:
        raise UnusableJsonError("half of a surrogate pair") from error
    except ValueError as error:
        raise UnusableJsonError(str(error)) from error
    return value


def json_object(*, empty_allowed: bool = False) -> dict[str, Any]:
    """Return the JSON object in the request's body.

    Args:
        empty_allowed: take no body for an empty object.

    Raises:
        RefusalError: 415 for another media type, 400 for anything that isn't a JSON object.
    """
    data = request.get_data()
    if not data and empty_allowed:
        return {}
    if not (request.mimetype == "application/json" or request.mimetype.endswith("+json")):
        raise RefusalError(415, {"error": "The Content-Type must be application/json."})
    if not data:
        raise bad_request("The body is empty; a JSON object is needed.")
    try:
        value = parse_json(data)
    except UnusableJsonError as error:
        raise bad_request(f"JSON::ParserError - {error}") from error
    if not isinstance(value, dict):
        raise bad_request("The body must be a JSON object.")
    return value


def _check_depth(value: object) -> None:
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [
            child
            for parent in level
            if isinstance(parent, dict | list)
            for child in (parent.values() if isinstance(parent, dict) else parent)
        ]
        if not level:
            return
    raise UnusableJsonError(f"nested more than {MAX_DEPTH} levels deep")


def _no_constant(name: str) -> Never:
    raise UnusableJsonError(f"{name} is no JSON number")


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise UnusableJsonError(f"the number {text[:40]} is out of range")
    return number
