"""Whether requests that are sent say which span they belong to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from broker.traces.context import HEADER

if TYPE_CHECKING:
    from broker.traces.context import TraceContext

_is_on = True


def set_on(*, on: bool) -> None:
    """Say whether they do, from now on."""
    global _is_on  # noqa: PLW0603 - a process does or doesn't
    _is_on = on


def is_on() -> bool:
    """Return whether they do."""
    return _is_on


def trace_headers(context: TraceContext | None) -> dict[str, str]:
    """Return the headers of a request that belongs to a span, if there is one."""
    return {HEADER: context.traceparent} if context is not None and _is_on else {}
