"""The trace of a run: stored with it, so that it goes on in whichever process works on the run next (no I/O)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from broker.traces.context import TraceContext, parse_traceparent
from broker.traces.spans import current


@dataclass(frozen=True)
class RunTrace:
    """The trace of a run.

    Attributes:
        context: The span of the run, from when it was asked for until it ends.
        parent_id: The id of the span that this one is below; None if the trace begins with it.
    """

    context: TraceContext
    parent_id: str | None = None

    @classmethod
    def of_current(cls) -> Self | None:
        """Return the trace of a run that is asked for by what is under way here; None if that is not traced."""
        above = current()
        return None if above is None else cls(above.child(), above.span_id)

    @classmethod
    def from_text(cls, text: str | None) -> Self | None:
        """Return the trace that is stored; None if there is none."""
        traceparent, _, parent_id = (text or "").partition(" ")
        context = parse_traceparent(traceparent)
        return None if context is None else cls(context, parent_id or None)

    def to_text(self) -> str:
        """Return its stored form."""
        return " ".join(filter(None, (self.context.traceparent, self.parent_id)))
