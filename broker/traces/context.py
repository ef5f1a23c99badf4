"""The place of a span in its trace, as processes tell each other (W3C Trace Context, no I/O)."""

from __future__ import annotations

import os
import re
from typing import NamedTuple

HEADER = "traceparent"
"""The header of a request that says which span it belongs to."""
_FORM = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_NO_VERSION = "ff"


class TraceContext(NamedTuple):
    """A span's place in its trace.

    Attributes:
        trace_id: 32 hexadecimal digits.
        span_id: 16 hexadecimal digits.
        is_sampled: Whether the spans of the trace are kept.
    """

    trace_id: str
    span_id: str
    is_sampled: bool = True

    @property
    def traceparent(self) -> str:
        """Its form in a header, in a variable and in the database."""
        return f"00-{self.trace_id}-{self.span_id}-{'01' if self.is_sampled else '00'}"

    def child(self) -> TraceContext:
        """Return the place of a new span below this one."""
        return self._replace(span_id=new_span_id())


def new_trace_id() -> str:
    """Return the id of a new trace."""
    return os.urandom(16).hex()


def new_span_id() -> str:
    """Return the id of a new span."""
    return os.urandom(8).hex()


def parse_traceparent(text: str | None) -> TraceContext | None:
    """Return what a `traceparent` says; None if it is none. What later versions add to it is left out."""
    found = _FORM.fullmatch(text.strip(" \t")) if text is not None else None
    if found is None or found[1] == _NO_VERSION or (found[1] == "00" and found[5] is not None):
        return None
    if not int(found[2], 16) or not int(found[3], 16):
        return None
    return TraceContext(found[2], found[3], bool(int(found[4], 16) & 1))
