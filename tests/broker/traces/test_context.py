"""W3C Trace Context: what is a traceparent, and what is none."""

from __future__ import annotations

import pytest

from broker.traces.context import TraceContext, parse_traceparent

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


@pytest.mark.parametrize("sampled", [True, False])
def test_a_context_is_what_its_own_form_says(*, sampled: bool) -> None:
    context = TraceContext(TRACE, SPAN, sampled)
    assert parse_traceparent(context.traceparent) == context
    assert context.child().trace_id == TRACE
    assert context.child().span_id != SPAN
    assert context.child().is_sampled is sampled


def test_what_a_later_version_adds_is_left_out() -> None:
    assert parse_traceparent(f"cc-{TRACE}-{SPAN}-01-what-comes") == TraceContext(TRACE, SPAN, True)
    assert parse_traceparent(f"00-{TRACE}-{SPAN}-ff") == TraceContext(TRACE, SPAN, True)


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        f"00-{TRACE}-{SPAN}",
        f"00-{TRACE}-{SPAN}-01-more",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE}-{SPAN}-0x",
        f"00-{TRACE}-{SPAN}-01\r\nX: y",
        f"00-{TRACE}-{SPAN}-01\n",
        f"00-{'٣' * 32}-{SPAN}-01",
        "0" * 100_000,
    ],
)
def test_what_is_no_traceparent_is_none(text: str | None) -> None:
    assert parse_traceparent(text) is None
