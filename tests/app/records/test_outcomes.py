"""The latest results and the outcomes of each hour are those of the runs, whichever way these end."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import psycopg
import pytest

from app.database.connections import migrate
from app.dispatch import Dispatch
from app.records import actions, counters, outcomes, run_changes, runs
from app.records.actions import ActionKind, Doer, Via
from app.records.outcomes import EVERY_PACT, LatestResult, Step
from app.records.run import Failure, Run
from app.records.run_changes import RunChanges
from tests.support.history_rows import add_history, delete_old

if TYPE_CHECKING:
    from collections.abc import Iterator

    from psycopg import Connection

CHANGES = RunChanges()
NOW = datetime.now(UTC)


@pytest.fixture
def database(database_url: str) -> Iterator[Connection[Any]]:
    with psycopg.connect(database_url, autocommit=True) as connection:
        yield connection


def begin(database: Connection[Any], consumer: str | None = "C") -> Run:
    pact = consumer and f"http://broker.example.org/pacts/provider/P/consumer/{consumer}/version/{uuid4()}"
    dispatch = Dispatch("acme/p", "pact_changed", pact)
    run_id, _ = run_changes.request(database, "P", dispatch, lock=None)
    waiting = runs.get(database, run_id)
    assert waiting is not None
    assert waiting.job_id is not None
    run = CHANGES.begin(database, run_id, waiting.job_id, "worker")
    assert run is not None
    return run


def verified(database: Connection[Any], run: Run, outcome: str, consumer: str = "C") -> None:
    verification = {"outcome": outcome, "consumer": consumer, "provider_version": "1", "interactions": []}
    CHANGES.verified(database, run, verification, publish=outcome != "error")


def latest(database: Connection[Any]) -> list[LatestResult]:
    return outcomes.latest(database, ["P", "Nobody"], most=10).get("P", [])


def test_a_later_run_stands_in_the_place_of_an_earlier_one_whichever_ends_first(
    database: Connection[Any],
) -> None:
    first, second, third = begin(database), begin(database), begin(database)
    verified(database, second, "failed")
    [found] = latest(database)
    assert (found.run_id, found.outcome, found.answer_id, found.broken) == (
        second.id,
        "failed",
        second.id,
        True,
    )
    verified(database, first, "passed")
    assert latest(database) == [found]
    # what comes to nothing doesn't heal it
    CHANGES.fail(database, third, Failure("no-pact", "there is no such pact"))
    [found] = latest(database)
    assert (found.run_id, found.outcome, found.answer_id, found.broken) == (
        third.id,
        "error",
        second.id,
        True,
    )
    fourth = begin(database)
    verified(database, fourth, "passed")
    [found] = latest(database)
    assert (found.answer_id, found.broken) == (fourth.id, False)


def test_what_is_broken_comes_first_and_pending_pacts_are_not_broken(database: Connection[Any]) -> None:
    for consumer, outcome in (("A", "passed"), ("B", "error"), ("C", "failed"), ("D", "passed")):
        verified(database, begin(database, consumer), outcome, consumer)
    assert [one.consumer for one in latest(database)] == ["C", "B", "A", "D"]
    whole = begin(database, None)
    member = {"outcome": "failed", "consumer": "C", "interactions": [], "pact_url": "http://x"}
    assert CHANGES.verified_one(database, whole, member, uuid4(), pending=True) is not None
    CHANGES.fail(database, whole, Failure("checkout-failed", "no such commit"))
    assert [(one.consumer, one.outcome, one.broken) for one in latest(database)] == [
        ("C", "failed", False),
        (EVERY_PACT, "error", False),
        ("B", "error", False),
        ("A", "passed", False),
        ("D", "passed", False),
    ]


def test_no_run_fails_since_a_name_is_too_long_for_an_index(database: Connection[Any]) -> None:
    verified(database, begin(database), "passed", "ü" * 601)
    assert latest(database) == []


def test_a_run_that_another_one_answers_is_none(database: Connection[Any]) -> None:
    CHANGES.fail(database, begin(database), Failure("superseded", "a later run answers it"))
    assert latest(database) == []


@pytest.mark.parametrize("times", [0, 2])
def test_each_run_counts_in_its_hour_once(database: Connection[Any], times: int) -> None:
    run, cancelled, failed = begin(database), begin(database), begin(database)
    verified(database, run, "passed")
    CHANGES.not_published(database, run, Failure("not-published", "the broker is away"), wait=0.0)
    CHANGES.published(database, run, "http://broker.example.org/result/1")
    CHANGES.cancel(database, cancelled.id)
    CHANGES.cancelled(database, cancelled.id)
    CHANGES.fail(database, failed, Failure("no-pact", "there is no such pact"))
    for _ in range(times):
        counters.add_up(database)
    since = NOW - timedelta(days=1)
    for step in Step:
        found = outcomes.by_time(database, step, since=since)
        totals: dict[str, int] = {}
        for (begin_of, outcome), number in found.items():
            assert begin_of.minute == 0
            totals[outcome] = totals.get(outcome, 0) + number
        assert totals == {"passed": 1, "cancelled": 1, "error": 1}


def test_an_older_history_is_taken_over(database: Connection[Any], database_url: str) -> None:
    add_history(database_url, runs=70)
    since = NOW - timedelta(days=2)
    expected = (
        {
            provider: outcomes.latest(database, [provider], most=99)
            for provider in ("Provider 1", "Provider 3")
        },
        outcomes.by_time(database, Step.HOUR, since=since),
    )
    assert sum(expected[1].values()) == 70
    for statement in (
        "DROP TABLE latest_results, hourly_outcomes, sightings",
        "DROP FUNCTION note_latest_result CASCADE",
        "DROP INDEX runs_after_error, runs_not_taken, commit_statuses_failed",
        "ALTER TABLE uncounted_runs DROP COLUMN ended_at",
        "DELETE FROM schema_versions WHERE name = 'app/0012_overview.sql'",
    ):
        database.execute(statement.encode())

    migrate(database_url)

    def found() -> Any:
        return (
            {
                provider: outcomes.latest(database, [provider], most=99)
                for provider in ("Provider 1", "Provider 3")
            },
            outcomes.by_time(database, Step.HOUR, since=since),
        )

    assert found() == expected
    counters.add_up(database)
    assert found() == expected


def test_they_are_deleted_with_the_history_and_so_are_actions(
    database: Connection[Any], database_url: str
) -> None:
    add_history(database_url, runs=3, days=40)
    add_history(database_url, runs=1)
    counters.add_up(database)
    doer = Doer("ann", Via.API)
    for _ in range(2):
        actions.add(database, doer, ActionKind.PAUSE, provider="P")
    database.execute(
        "UPDATE actions SET at = now() - interval '40 days' WHERE id = (SELECT min(id) FROM actions)"
    )
    delete_old(database, 30)
    assert len(actions.newest(database, limit=9)) == 1
    names = [f"Provider {number}" for number in range(10)]
    assert len(outcomes.latest(database, names, most=9)) == 1
    assert sum(outcomes.by_time(database, Step.DAY, since=NOW - timedelta(days=99)).values()) == 1
