"""Spans: what was done, from when to when, and below which other one.

Nothing is recorded unless this process has something that takes spans (`send_to`), and the work is part of a trace that
is sampled. Without that a span costs as much as a look at one variable. Nothing of OpenTelemetry is needed here, so
that spans can be made where its libraries are not: a child process sends them to its parent.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from contextvars import Token
    from types import TracebackType
    from typing import Self

    from broker.traces.context import TraceContext

INTERNAL, SERVER, CLIENT, CONSUMER = "internal", "server", "client", "consumer"
"""The kinds of spans."""

Value: TypeAlias = str | int | float | bool


class FinishedSpan(NamedTuple):
    """A span that has ended, in a form that can be sent as JSON.

    Attributes:
        name: What was done.
        kind: The kind of span.
        trace_id: The trace.
        span_id: Its id.
        parent_id: The id of the span that it is below; None of the first one of a trace.
        start: When it began, in nanoseconds since 1970.
        end: When it ended.
        attributes: What is known of it.
        error: Why it failed; None if it did not.
        links: Other spans that it has to do with, each as a `traceparent`.
    """

    name: str
    kind: str
    trace_id: str
    span_id: str
    parent_id: str | None
    start: int
    end: int
    attributes: dict[str, Value]
    error: str | None = None
    links: tuple[str, ...] = ()


class Sink(Protocol):
    """What takes the spans of this process."""

    def add(self, spans: Sequence[FinishedSpan]) -> None:
        """Take spans that have ended; never wait, and never raise."""


_sink: Sink | None = None
_current: ContextVar[TraceContext | None] = ContextVar("span", default=None)
_links: ContextVar[list[str] | None] = ContextVar("links", default=None)


def send_to(sink: Sink | None) -> None:
    """Have the spans of this process taken; by nothing if that is None."""
    global _sink  # noqa: PLW0603 - a process has one
    _sink = sink


def sink() -> Sink | None:
    """Return what takes the spans of this process."""
    return _sink


def are_taken() -> bool:
    """Return whether anything takes the spans of this process."""
    return _sink is not None


def current() -> TraceContext | None:
    """Return the span that is under way here; None if there is none."""
    return _current.get()


def sampled() -> TraceContext | None:
    """Return the span that is under way here, if it is kept; None if nothing is to be recorded."""
    if _sink is None:
        return None
    context = _current.get()
    return context if context is not None and context.is_sampled else None


def add(spans: Sequence[FinishedSpan]) -> None:
    """Have spans taken that were made elsewhere."""
    if _sink is not None and spans:
        _sink.add(spans)


def link_to(context: TraceContext) -> None:
    """Note that the span that is under way here has to do with another one, of another trace."""
    if (links := _links.get()) is not None:
        links.append(context.traceparent)


@contextmanager
def within(context: TraceContext | None) -> Iterator[None]:
    """Do something below a span that was begun elsewhere: in another process, or in another thread."""
    token = _current.set(context)
    try:
        yield
    finally:
        _current.reset(token)


class Span:
    """A span that is under way. Use it as a context manager: leaving it ends the span.

    Args:
        name: What is done.
        kind: The kind of span.
        context: Its place.
        parent_id: The id of the span that it is below.
        attributes: What is known of it; None is left out.
        start: When it began, in nanoseconds since 1970; now unless given.

    Attributes:
        context: Its place.
        links: Other spans that it has to do with.
    """

    __slots__ = (
        "_attributes",
        "_error",
        "_kind",
        "_links_token",
        "_name",
        "_parent_id",
        "_start",
        "_token",
        "context",
        "links",
    )

    def __init__(
        self,
        name: str,
        kind: str,
        context: TraceContext,
        parent_id: str | None,
        attributes: dict[str, Any],
        *,
        start: int | None = None,
    ) -> None:
        self.context = context
        self.links: list[str] = []
        self._name, self._kind, self._parent_id = name, kind, parent_id
        self._attributes = attributes
        self._error: str | None = None
        self._start = time.time_ns() if start is None else start
        self._token: Token[TraceContext | None] | None = None

    def set(self, name: str, value: Value | None) -> None:
        """Note something that is known of it."""
        self._attributes[name] = value

    def fail(self, kind: str, message: str = "") -> None:
        """Note that it failed.

        Args:
            kind: The kind of error, in a word.
            message: What happened.
        """
        self._attributes["error.type"] = kind
        self._error = message or kind

    def __enter__(self) -> Self:
        self._token = _current.set(self.context)
        self._links_token = _links.set(self.links)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None and self._error is None:
            self.fail(kind.__name__, str(error))
        if self._token is not None:
            _current.reset(self._token)
            _links.reset(self._links_token)
        self.end()

    def end(self, at: int | None = None) -> None:
        """End it, now or at a time in nanoseconds since 1970."""
        if not self.context.is_sampled:
            return
        known = {name: value for name, value in self._attributes.items() if value is not None}
        add(
            [
                FinishedSpan(
                    self._name,
                    self._kind,
                    self.context.trace_id,
                    self.context.span_id,
                    self._parent_id,
                    self._start,
                    time.time_ns() if at is None else at,
                    known,
                    self._error,
                    tuple(self.links),
                )
            ]
        )


class _NoSpan:
    """Stands for a span where nothing is recorded."""

    context: TraceContext | None = None

    @property
    def links(self) -> list[str]:
        return []

    def set(self, name: str, value: Value | None) -> None:
        pass

    def fail(self, kind: str, message: str = "") -> None:
        pass

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def end(self, at: int | None = None) -> None:
        pass


AnySpan: TypeAlias = Span | _NoSpan
NO_SPAN = _NoSpan()


def span(name: str, kind: str = INTERNAL, **attributes: Any) -> AnySpan:
    """Return a span below the one that is under way; one that records nothing where there is none, or nobody takes it.

    Args:
        name: What is done.
        kind: The kind of span.
        attributes: What is known of it, by names with `__` in the place of dots.
    """
    parent = sampled()
    if parent is None:
        return NO_SPAN
    return Span(name, kind, parent.child(), parent.span_id, named(attributes))


def named(attributes: dict[str, Any]) -> dict[str, Any]:
    """Return attributes by their names, from those of Python's keyword arguments."""
    return {name.replace("__", "."): value for name, value in attributes.items()}
