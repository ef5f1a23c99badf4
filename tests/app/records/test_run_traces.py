"""The trace of a run is stored with it, and its span is made once, by whoever ends it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from app.dispatch import Dispatch
from app.records import run_changes, run_spans, runs
from app.records.run import Failure
from app.records.run_changes import RunChanges
from app.records.run_trace import RunTrace
from broker.traces.context import TraceContext
from broker.traces.spans import Span, within
from tests.support.traces import ABOVE, kept_spans

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID

    from psycopg import Connection

    from app.records.run import Run

CHANGES = RunChanges()
LOCK = "provider P"
PASSED = {"outcome": "passed", "provider_version": "1", "interactions": []}
OTHER = TraceContext("1af7651916cd43dd8448eb211c80319c", "c7ad6b7169203331", True)


@pytest.fixture
def database(database_url: str) -> Iterator[Connection[Any]]:
    with psycopg.connect(database_url, autocommit=True) as connection:
        yield connection


def request(database: Connection[Any]) -> UUID:
    pact = "http://broker.example.org/pacts/provider/P/consumer/C/version/1"
    return run_changes.request(database, "P", Dispatch("acme/p", "pact_changed", pact), lock=LOCK)[0]


def begin(database: Connection[Any], run_id: UUID, trace: RunTrace | None = None) -> Run:
    waiting = runs.get(database, run_id)
    assert waiting is not None
    assert waiting.job_id is not None
    run = CHANGES.begin(database, run_id, waiting.job_id, "worker", trace=trace)
    assert run is not None
    return run


def test_the_stored_form_is_read_as_it_was_written() -> None:
    for trace in (RunTrace(ABOVE), RunTrace(ABOVE._replace(is_sampled=False), "c7ad6b7169203331")):
        assert RunTrace.from_text(trace.to_text()) == trace
    assert RunTrace.from_text(None) is None
    assert RunTrace.from_text("what a later version writes") is None


def test_a_run_is_below_the_request_that_asked_for_it(database: Connection[Any]) -> None:
    with kept_spans() as kept:
        with within(ABOVE):
            run_id = request(database)
        run = begin(database, run_id, RunTrace(OTHER))  # as a worker offers it that doesn't know of that one
        assert run.trace_context is not None
        assert run.trace_context.trace_id == ABOVE.trace_id
        with run_spans.attempt(run):
            CHANGES.verified(database, run, PASSED, publish=False)
    [whole] = kept.named("verify P")
    [attempt] = kept.named("attempt")
    [waited] = kept.named("wait in the queue")
    assert (whole.trace_id, whole.parent_id) == (ABOVE.trace_id, ABOVE.span_id)
    assert {attempt.parent_id, waited.parent_id} == {whole.span_id}
    assert whole.start <= waited.start <= waited.end <= whole.end
    assert whole.start <= attempt.start <= attempt.end <= whole.end
    assert whole.attributes["cicd.pipeline.result"] == "success"
    assert whole.attributes["pact.consumer"] == "C"
    assert whole.attributes["pact_dispatch.run.id"] == str(run_id)


def test_a_run_that_an_older_process_has_stored_gets_a_trace_when_it_begins(
    database: Connection[Any],
) -> None:
    run_id = request(database)  # nothing is traced: the column is left out, or null
    run = begin(database, run_id, RunTrace(OTHER))
    assert run.trace_context == OTHER
    assert CHANGES.try_again(database, run, None, wait=0, lock=LOCK)
    again = begin(database, run_id, RunTrace(ABOVE))
    assert again.trace_context == OTHER
    with kept_spans() as kept:
        CHANGES.fail(database, again, Failure("away", "the provider is away"))
    [whole] = kept
    assert (whole.parent_id, whole.error) == (None, "the provider is away")
    assert whole.attributes["error.type"] == "away"


def test_a_dispatch_that_joins_a_run_has_a_link_to_it(database: Connection[Any]) -> None:
    with within(ABOVE):
        run_id = request(database)
    with kept_spans() as kept, Span("POST", "server", OTHER, None, {}):
        assert request(database) == run_id
    run = runs.get(database, run_id)
    assert run is not None
    assert run.trace_context is not None
    assert run.trace_context.trace_id == ABOVE.trace_id
    assert kept[0].links == (run.trace_context.traceparent,)


def test_the_span_of_a_run_waits_until_its_result_is_published(database: Connection[Any]) -> None:
    with kept_spans() as kept:
        with within(ABOVE):
            run_id = request(database)
        run = begin(database, run_id)
        with run_spans.attempt(run):
            verified = CHANGES.verified(database, run, PASSED, publish=True)
            assert verified is not None
            CHANGES.not_published(database, verified, Failure("not-published", "away", True), wait=60)
        assert kept.named("verify P") == []
        waiting = runs.to_publish(database, run_id, 1)
        assert waiting is not None
        with run_spans.publishing_again(waiting):
            CHANGES.published(database, waiting, "http://broker.example.org/results/1")
    [whole] = kept.named("verify P")
    [publishing] = kept.named("publish again")
    assert publishing.parent_id == whole.span_id
    assert publishing.end <= whole.end


def test_a_run_that_is_cancelled_while_it_waits_has_its_span(database: Connection[Any]) -> None:
    with kept_spans() as kept:
        with within(ABOVE):
            run_id = request(database)
        CHANGES.cancel(database, run_id)
    assert [span.attributes["cicd.pipeline.result"] for span in kept] == ["cancellation"]


def test_nothing_is_made_of_a_trace_that_is_not_kept(database: Connection[Any]) -> None:
    with kept_spans() as kept:
        with within(ABOVE._replace(is_sampled=False)):
            run_id = request(database)
        run = begin(database, run_id)
        with run_spans.attempt(run):
            CHANGES.verified(database, run, PASSED, publish=False)
    assert kept == []
    assert run.trace is not None  # its logs have the id all the same
