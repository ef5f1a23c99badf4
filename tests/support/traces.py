"""Traces of the test's own process."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from broker.otlp.setup import begin_traces, end_traces
from broker.traces import spans
from broker.traces.context import TraceContext
from broker.traces.spans import FinishedSpan
from tests.support.collector import collecting
from tests.support.processes import TIME_LIMIT

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pytest

    from tests.support.collector import Collector

ABOVE = TraceContext("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331", True)
"""A span that everything of a test may be below."""


class Kept(list[FinishedSpan]):
    """Keeps spans."""

    def add(self, spans: Sequence[FinishedSpan]) -> None:
        self.extend(spans)

    def named(self, name: str) -> list[FinishedSpan]:
        return [span for span in self if span.name == name]


@contextmanager
def kept_spans() -> Iterator[Kept]:
    """Keep the spans of this process."""
    found = Kept()
    spans.send_to(found)
    try:
        yield found
    finally:
        spans.send_to(None)


@contextmanager
def traced(monkeypatch: pytest.MonkeyPatch, **variables: str) -> Iterator[Collector]:
    """Have this process traced as its environment would; all is sent when `end_traces` is called, or at the end."""
    with collecting() as collector:
        variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, **variables}
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        assert begin_traces(variables, part="test", notice=print)
        try:
            yield collector
        finally:
            end_traces(TIME_LIMIT)
