"""Request bodies: JSON that can be stored and sent back, or a reason why not."""

from __future__ import annotations

from typing import Any

from flask import request

from broker.embedded.http.errors import Refusal, bad_request
from broker.http.strict_json import NotJson, parse_json

MAX_DEPTH = 200
"""Far deeper than a pact goes, and shallow enough for every JSON library that will read it."""


def parse_body(data: bytes) -> Any:
    """Parse JSON that can be stored and sent back.

    Raises:
        NotJson: The bytes are no such JSON.
    """
    return parse_json(data, encodable=True, max_depth=MAX_DEPTH)


def json_object(*, empty_allowed: bool = False) -> dict[str, Any]:
    """Return the JSON object in the request's body.

    Args:
        empty_allowed: Whether no body stands for an empty object.

    Raises:
        Refusal: 415 for another media type, 400 for anything that isn't a JSON object.
    """
    data = request.get_data()
    if not data and empty_allowed:
        return {}
    if not (request.mimetype == "application/json" or request.mimetype.endswith("+json")):
        raise Refusal(415, {"error": "The Content-Type must be application/json."})
    if not data:
        raise bad_request("The body is empty; a JSON object is needed.")
    try:
        value = parse_body(data)
    except NotJson as error:
        raise bad_request(f"JSON::ParserError - the body {error}") from error
    if not isinstance(value, dict):
        raise bad_request("The body must be a JSON object.")
    return value
