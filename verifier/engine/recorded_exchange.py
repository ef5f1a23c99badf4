"""A request of an interaction and its answer, as they passed through a relay."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from broker.traces.context import HEADER, new_span_id

if TYPE_CHECKING:
    from collections.abc import Iterable

    from broker.traces.context import TraceContext

INTERACTION_HEADER = "pact-dispatch-interaction"
"""The header that the core is told to send, with the index of the interaction."""
MOST_KEPT = 128 * 1024
"""The most bytes that are kept of a request, and of an answer."""
MARKER = re.compile(rb"\r\n%s: *(\d+)(?=\r\n)" % INTERACTION_HEADER.encode(), re.IGNORECASE)
"""That header in the head of a request."""
_TRACEPARENT = f"\r\n{HEADER}:".encode()


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
        origin: The scheme, host and port that it was sent to.
        began: When it was sent, in nanoseconds since 1970.
        ended: When the last byte of the answer came; 0 if none did.
        span_id: The id of its span.
    """

    index: int | None
    request: bytearray = field(default_factory=bytearray)
    answer: bytearray = field(default_factory=bytearray)
    body_left: int = 0
    origin: str = ""
    began: int = field(default_factory=time.time_ns)
    ended: int = 0
    span_id: str = field(default_factory=new_span_id)

    def traceparent(self, trace: TraceContext) -> str:
        """Return what the provider is told about the span that its own ones belong to."""
        return trace._replace(span_id=self.span_id).traceparent


def has_traceparent(head: bytes) -> bool:
    """Return whether the pact has the request say which span it belongs to."""
    return _TRACEPARENT in head.lower()


def all_by_interaction(exchanges: Iterable[RecordedExchange]) -> dict[int, list[RecordedExchange]]:
    """Return the exchanges of each interaction, by its index."""
    found: dict[int, list[RecordedExchange]] = {}
    for one in exchanges:
        if one.index is not None:
            found.setdefault(one.index, []).append(one)
    return found


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
