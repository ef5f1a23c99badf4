"""Spans of HTTP requests that are sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from broker.traces.requests import STATUS, name_of, request_attributes
from broker.traces.spans import CLIENT, NO_SPAN, Span, sampled

if TYPE_CHECKING:
    from broker.traces.spans import AnySpan


def request_span(method: str, url: str) -> AnySpan:
    """Return the span of a request; one that records nothing unless it is part of something that is traced."""
    parent = sampled()
    if parent is None:
        return NO_SPAN
    from broker.http.shown_url import shown_url  # noqa: PLC0415 - most requests are not traced

    attributes = request_attributes(method, url, shown_url(url))
    return Span(name_of(method), CLIENT, parent.child(), parent.span_id, attributes)


def note_status(span: AnySpan, status: int) -> None:
    """Note the status of the answer: one of 400 or more is a failure to whoever asked."""
    span.set(STATUS, status)
    if status >= 400:
        span.fail(str(status), f"answered {status}")
