"""The counters count each delivery and each run that ends once, whatever becomes of the rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

import psycopg
import pytest

from app.database import schema
from app.database.connections import migrate
from app.dispatch import Dispatch
from app.records import counters, run_changes, runs
from app.records.counters import BOUNDS, Counts, Series
from app.records.run import Failure
from app.records.run_changes import RunChanges
from tests.support.history_rows import add_history

if TYPE_CHECKING:
    from collections.abc import Iterator
    from importlib.resources.abc import Traversable

    from psycopg import Connection

    from app.records.run import Run

CHANGES = RunChanges()
PASSED = {"outcome": "passed", "provider_version": "1", "interactions": []}


@pytest.fixture
def database(database_url: str) -> Iterator[Connection[Any]]:
    with psycopg.connect(database_url, autocommit=True) as connection:
        yield connection


def begin(database: Connection[Any]) -> Run:
    pact = f"http://broker.example.org/pacts/provider/P/consumer/C/version/{uuid4()}"
    run_id, _ = run_changes.request(database, "P", Dispatch("acme/p", "pact_changed", pact), lock=None)
    waiting = runs.get(database, run_id)
    assert waiting is not None
    assert waiting.job_id is not None
    run = CHANGES.begin(database, run_id, waiting.job_id, "worker")
    assert run is not None
    return run


def uncounted(database: Connection[Any]) -> int:
    row = database.execute(
        "SELECT (SELECT count(*) FROM uncounted_deliveries) + (SELECT count(*) FROM uncounted_runs)"
    ).fetchone()
    assert row is not None
    return int(row[0])


def test_a_scrape_reads_no_row_that_was_counted(database: Connection[Any], database_url: str) -> None:
    add_history(database_url, runs=70, refused=3)
    before = counters.read(database)
    assert before[Series.of(counters.ACCEPTED, source="api")] == 70

    assert not counters.add_up(database)
    assert uncounted(database) == 0
    database.execute("DELETE FROM deliveries")
    database.execute("DELETE FROM runs")

    assert counters.read(database) == before


def test_each_batch_is_added_to_the_ones_before(database: Connection[Any], database_url: str) -> None:
    add_history(database_url, runs=70, refused=3)
    before = counters.read(database)
    while counters.add_up(database, batch=7):
        assert counters.read(database) == before
    assert uncounted(database) == 0
    assert counters.read(database) == before


def test_a_run_counts_once_however_it_ends(database: Connection[Any]) -> None:
    published, failed, cancelled = begin(database), begin(database), begin(database)
    CHANGES.verified(database, published, PASSED, publish=True)
    CHANGES.not_published(database, published, Failure("not-published", "the broker is away"), wait=0.0)
    CHANGES.fail(database, failed, Failure("no-pact", "there is no such pact"))
    CHANGES.cancel(database, cancelled.id)
    CHANGES.cancelled(database, cancelled.id)
    assert not counters.add_up(database)
    CHANGES.not_published(database, published, Failure("not-published", "the broker is away"), wait=0.0)
    CHANGES.published(database, published, "http://broker.example.org/result/1")

    for _ in range(2):
        found = counters.read(database)
        assert dict(found.named(counters.ENDED)) == {
            Series.of(counters.ENDED, provider="P", outcome=outcome): 1
            for outcome in ("passed", "error", "cancelled")
        }
        assert found[Series.of(counters.PUBLISH_RETRIES)] == 2
        assert sum(value for _, value in found.named(counters.DURATIONS)) == 2
        counters.add_up(database)


def test_a_duration_is_counted_for_the_lowest_bound_that_it_does_not_exceed(
    database: Connection[Any],
) -> None:
    for milliseconds in (0, 99, 100, 101, BOUNDS[-1], BOUNDS[-1] + 1):
        run = begin(database)
        database.execute(
            "UPDATE runs SET status = 'finished', outcome = 'passed', verified_at = started_at + %s * interval '1 ms' "
            "WHERE id = %s",
            [milliseconds, run.id],
        )
    found = {series["le"]: value for series, value in counters.read(database).named(counters.DURATIONS)}
    assert found == {"100": 3, "250": 1, str(BOUNDS[-1]): 1, None: 1}


def test_what_an_older_version_stored_is_counted_once(
    database_url: str, database: Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    add_history(database_url, runs=70, refused=3)
    expected = counters.read(database)
    database.execute("DROP SCHEMA public CASCADE")
    database.execute("CREATE SCHEMA public")
    all_files = schema._sql_files

    def older_files(package: str, folder: str) -> dict[str, Traversable]:
        found = all_files(package, folder)
        return {name: file for name, file in found.items() if package != "app" or name < "app/0007"}

    with monkeypatch.context() as patch:
        patch.setattr(schema, "_sql_files", older_files)
        migrate(database_url)
    add_history(database_url, runs=70, refused=3)

    migrate(database_url)

    assert counters.read(database) == expected


def test_what_is_counted_without_a_row_adds_up(database: Connection[Any]) -> None:
    refused = Series.of(counters.REFUSED, reason="no-token")
    counters.add(database, Counts({refused: 2}))
    counters.add(database, Counts({refused: 3}))
    assert counters.read(database)[refused] == 5
