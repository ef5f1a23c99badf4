"""The span of a request that carries a dispatch, once its sender is known.

A stranger's request has none, so that nobody who may not dispatch fills the collector or chooses what is kept there. A
sender who may is believed which span the dispatch belongs to (`traceparent`), and, as far as the sampler heeds it,
whether that is kept.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Self

from flask import request

from broker.otlp.setup import first_span
from broker.traces.context import HEADER
from broker.traces.requests import STATUS
from broker.traces.spans import NO_SPAN, SERVER

if TYPE_CHECKING:
    from types import TracebackType

    from broker.traces.spans import AnySpan


class DispatchSpan:
    """The span of the request that is under way. Use it as a context manager: leaving it ends the span."""

    def __init__(self) -> None:
        self._came = time.time_ns()
        self._span: AnySpan = NO_SPAN

    def begin(self) -> None:
        """Begin it, from when the request came: its sender is known."""
        if self._span is not NO_SPAN:
            return
        route = str(request.url_rule).replace("<", "{").replace(">", "}")
        self._span = first_span(
            f"{request.method} {route}",
            SERVER,
            parent=request.headers.get(HEADER),
            start=self._came,
            http__request__method=request.method,
            http__route=route,
            url__path=request.path,
            url__scheme=request.scheme,
            client__address=request.remote_addr,
            user_agent__original=request.user_agent.string or None,
        )
        self._span.__enter__()

    def note(self, status: int, **attributes: Any) -> None:
        """Note how the request was answered.

        Args:
            status: The status of the answer.
            attributes: What else is known, by names with `__` in the place of dots.
        """
        self._span.set(STATUS, status)
        for name, value in attributes.items():
            self._span.set(name.replace("__", "."), value)
        if status >= 500:
            self._span.fail(str(status), f"answered {status}")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._span.__exit__(kind, error, trace)
