"""Spans: one that nobody takes is none, and one that is taken says what was done below what."""

from __future__ import annotations

import pytest

from broker.traces import spans
from broker.traces.context import parse_traceparent
from broker.traces.spans import NO_SPAN, span, within
from broker.traces.variables import is_wanted, propagates, protocol_of
from tests.support.traces import ABOVE, kept_spans

ENDPOINT = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}


def test_nothing_is_recorded_where_nobody_takes_it() -> None:
    with within(ABOVE):
        assert span("a") is NO_SPAN
    with kept_spans() as found:
        assert span("a") is NO_SPAN  # it is part of nothing
        with within(ABOVE._replace(is_sampled=False)):
            assert span("a") is NO_SPAN
    assert found == []


def test_spans_are_below_each_other() -> None:
    with kept_spans() as found, within(ABOVE), span("outer", pact__consumer="Web", left_out=None) as outer:
        with span("inner") as inner:
            inner.set("http.response.status_code", 200)
        assert spans.current() == outer.context
    inner_span, outer_span = found
    assert [inner_span.name, outer_span.name] == ["inner", "outer"]
    assert inner_span.parent_id == outer_span.span_id
    assert outer_span.parent_id == ABOVE.span_id
    assert outer_span.attributes == {"pact.consumer": "Web"}
    assert outer_span.start <= inner_span.start <= inner_span.end <= outer_span.end
    assert inner.context is not None
    assert parse_traceparent(inner.context.traceparent) == inner.context
    assert spans.current() is None


def test_an_exception_fails_the_span_and_goes_on() -> None:
    with kept_spans() as found, within(ABOVE), pytest.raises(ValueError, match="no"), span("a"):
        raise ValueError("no such thing")
    assert found[0].error == "no such thing"
    assert found[0].attributes == {"error.type": "ValueError"}


@pytest.mark.parametrize(
    ("environment", "wanted"),
    [
        ({}, False),
        (ENDPOINT, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:1/x"}, True),
        ({**ENDPOINT, "OTEL_SDK_DISABLED": "true"}, False),
        ({**ENDPOINT, "OTEL_SDK_DISABLED": "false"}, True),
        ({**ENDPOINT, "OTEL_TRACES_EXPORTER": "none"}, False),
        ({**ENDPOINT, "OTEL_TRACES_EXPORTER": "otlp"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": ""}, False),
        ({"OTEL_SERVICE_NAME": "x"}, False),
    ],
)
def test_traces_are_off_unless_an_endpoint_is_given(environment: dict[str, str], *, wanted: bool) -> None:
    assert is_wanted(environment) is wanted


def test_requests_say_where_they_belong_unless_no_propagator_is_wanted() -> None:
    assert propagates({})
    assert propagates({"OTEL_PROPAGATORS": "baggage, tracecontext"})
    assert not propagates({"OTEL_PROPAGATORS": "none"})
    assert not propagates({"OTEL_PROPAGATORS": "b3"})
    assert protocol_of({}) == "http/protobuf"
    assert protocol_of({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}) == "grpc"
