"""A commit status is set in the trace of its run, also by another worker than the one that verified."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from app.config.settings import Settings
from app.database.connections import open_pool
from app.dispatch import Dispatch
from app.github.answers import GitHubAway, GitHubRefused
from app.records import commit_statuses, run_changes, runs
from app.records.run_changes import RunChanges
from app.statuses.status_setter import StatusSetter
from broker.traces.spans import current, within
from tests.support.traces import ABOVE, kept_spans

if TYPE_CHECKING:
    from collections.abc import Iterator

    from psycopg_pool import ConnectionPool

    from app.records.run import Run
    from broker.traces.context import TraceContext
    from broker.traces.spans import FinishedSpan

SHA = "0123456789" * 4
BROKER = "http://broker.example.org/base"
SETTINGS = Settings.model_validate(
    {
        "broker": {"url": BROKER},
        "providers": [
            {"name": "P", "repository": "acme/p", "base_url": "http://127.0.0.1:1", "version": SHA}
        ],
        "github": {"statuses": True},
    }
)


class Client:
    """A client of GitHub that notes in which span it is asked."""

    def __init__(self, error: Exception | None = None) -> None:
        self.within: list[TraceContext | None] = []
        self._error = error

    def set_status(self, *_: Any, **__: Any) -> None:
        self.within.append(current())
        if self._error is not None:
            raise self._error


@pytest.fixture
def pool(patient_database_url: str) -> Iterator[ConnectionPool[Any]]:
    with open_pool(patient_database_url, size=2) as opened:
        yield opened


def set_status_of_a_run(pool: ConnectionPool[Any], client: Client | None) -> tuple[Run, FinishedSpan]:
    """Have the first status of a run of a trace set, and return the run and the span of that."""
    setter = StatusSetter(SETTINGS, client or Client())  # type: ignore[arg-type]
    pact = f"{BROKER}/pacts/provider/P/consumer/C/version/1"
    with kept_spans() as kept:
        with pool.connection() as connection, within(ABOVE):
            asked = Dispatch("acme/p", "pact_changed", pact)
            run_id, _ = run_changes.request(connection, "P", asked, lock=None)
        with pool.connection() as connection:
            run = runs.get(connection, run_id)
            assert run is not None
            assert run.job_id is not None
            RunChanges(setter.follow).begin(connection, run_id, run.job_id, "worker")
            [status] = commit_statuses.of_run(connection, run_id)
        StatusSetter(SETTINGS, client).carry_out(pool, status.id)  # type: ignore[arg-type]
    [span] = kept.named("set commit status")
    return run, span


def test_a_status_is_set_in_the_trace_of_its_run(pool: ConnectionPool[Any]) -> None:
    client = Client()
    run, span = set_status_of_a_run(pool, client)
    assert span.error is None
    assert run.trace_context is not None
    assert (span.trace_id, span.parent_id) == (ABOVE.trace_id, run.trace_context.span_id)
    assert [one and one.span_id for one in client.within] == [span.span_id]


@pytest.mark.parametrize(
    ("client", "why"),
    [
        (Client(GitHubRefused("the token has no right")), "the token has no right"),
        (Client(GitHubAway("GitHub answered 502")), "GitHub answered 502"),
        (Client(KeyError("surprise")), "'surprise'"),
        (None, "there are no credentials for GitHub any more"),
    ],
)
def test_a_status_that_is_not_set_is_a_span_that_failed(
    pool: ConnectionPool[Any], client: Client | None, why: str
) -> None:
    _, span = set_status_of_a_run(pool, client)
    assert span.error == why
    assert span.attributes["error.type"]
