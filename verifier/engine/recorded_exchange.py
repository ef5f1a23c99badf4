"""A request of an interaction and its answer, as they passed through a relay."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

INTERACTION_HEADER = "pact-dispatch-interaction"
"""The header that the core is told to send, with the index of the interaction."""
MOST_KEPT = 128 * 1024
"""The most bytes that are kept of a request, and of an answer."""
MARKER = re.compile(rb"\r\n%s: *(\d+)(?=\r\n)" % INTERACTION_HEADER.encode(), re.IGNORECASE)
"""That header in the head of a request."""


def marked(document: dict[str, Any], index: int) -> dict[str, Any]:
    """Return the document of an interaction whose request says which one it is of."""
    request = document.get("request")
    if not isinstance(request, dict):
        return document
    headers = request.get("headers")
    if headers is not None and not isinstance(headers, dict):
        return document
    return {
        **document,
        "request": {**request, "headers": {**(headers or {}), INTERACTION_HEADER: str(index)}},
    }


@dataclass
class RecordedExchange:
    """A request and its answer, as bytes; of each, what comes first.

    Attributes:
        index: The interaction's index; None if the request didn't say.
        request: The request as the provider got it.
        answer: The answer.
        body_left: How many bytes of the request's body are still to come, by its head.
    """

    index: int | None
    request: bytearray = field(default_factory=bytearray)
    answer: bytearray = field(default_factory=bytearray)
    body_left: int = 0


def by_interaction(exchanges: Iterable[RecordedExchange]) -> dict[int, RecordedExchange]:
    """Return the first exchange of each interaction that was answered, else the first one, by its index."""
    found: dict[int, RecordedExchange] = {}
    for one in exchanges:
        # the core asks again where a connection that it had kept is closed
        if one.index is not None and (one.index not in found or not found[one.index].answer):
            found[one.index] = one
    return found


def keep(kept: bytearray, data: bytes) -> None:
    """Keep bytes, as long as there are not too many of them."""
    if (room := MOST_KEPT - len(kept)) > 0:
        kept += data[:room]
