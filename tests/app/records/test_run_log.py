"""The log of a run: what of it is kept, how it is stored, and how it reads."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from app.dispatch import Dispatch
from app.records import run_changes, runs
from app.records.run_log import RunLog, store_log, stored_chunks, text_of_log

if TYPE_CHECKING:
    from collections.abc import Iterator

    from psycopg import Connection

    from app.records.run import Run


@pytest.fixture
def database(database_url: str) -> Iterator[Connection[Any]]:
    with psycopg.connect(database_url, autocommit=True) as connection:
        yield connection


@pytest.fixture
def run(database: Connection[Any]) -> Run:
    dispatch = Dispatch(
        "acme/p", "pact_changed", "http://broker.example.org/pacts/provider/P/consumer/C/latest"
    )
    run_id, _ = run_changes.request(database, "P", dispatch, lock=None)
    found = runs.get(database, run_id)
    assert found is not None
    return found


def store(database: Connection[Any], run: Run, run_log: RunLog) -> None:
    store_log(database, run, run_log.update())
    run_log.confirm()


def lines(database: Connection[Any], run: Run) -> list[str]:
    """The lines of a stored log, without their times."""
    text = text_of_log(database, run.id)
    return [line if line.startswith("...") else line.partition(" ")[2] for line in text.splitlines()]


def test_the_beginning_and_the_end_of_a_long_log_are_kept(database: Connection[Any], run: Run) -> None:
    limit = 4000
    run_log = RunLog(limit)
    for number in range(1000):
        run_log.add(f"line {number}")
        if number % 7 == 0:
            store(database, run, run_log)
    store(database, run, run_log)

    found = lines(database, run)
    [gap] = [number for number, line in enumerate(found) if line.startswith("...")]
    kept = len(found) - 1
    assert found[gap] == f"... {1000 - kept} lines left out ..."
    assert found[:gap] == [f"line {number}" for number in range(gap)]
    assert found[gap + 1 :] == [f"line {number}" for number in range(1000 - (kept - gap), 1000)]
    assert limit * 0.8 < len(text_of_log(database, run.id)) <= limit + 40


def test_what_comes_between_two_updates_is_bounded_too(database: Connection[Any], run: Run) -> None:
    run_log = RunLog(1000)
    for number in range(10_000):
        run_log.add(f"line {number}")
    store(database, run, run_log)
    assert len(text_of_log(database, run.id)) < 1100
    assert (lines(database, run)[0], lines(database, run)[-1]) == ("line 0", "line 9999")


def test_a_log_is_appended_to_and_not_written_anew(database: Connection[Any], run: Run) -> None:
    def written() -> int:
        row = database.execute("SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn").fetchone()
        assert row is not None
        return int(row[0])

    run_log = RunLog(1024 * 1024)
    store(database, run, run_log)
    before = written()
    for _ in range(100):
        run_log.add("x" * 2000)
        store(database, run, run_log)
    assert written() - before < 3 * 100 * 2000


def test_an_update_that_was_not_confirmed_is_repeated(database: Connection[Any], run: Run) -> None:
    run_log = RunLog(1000)
    run_log.add("one")
    run_log.update()  # and the database went away
    run_log.add("two")
    store_log(database, run, run_log.update())  # and its answer got lost
    run_log.add("three")
    store(database, run, run_log)
    assert lines(database, run) == ["one", "two", "three"]


def test_a_log_goes_on_where_another_job_ended_it(database: Connection[Any], run: Run) -> None:
    first = RunLog(1000)
    for number in range(100):
        first.add(f"line {number}")
    store(database, run, first)
    before = lines(database, run)

    second = RunLog(1000, stored_chunks(database, run.id))
    second.add("published")
    store(database, run, second)
    assert lines(database, run)[-1] == "published"
    assert lines(database, run)[0] == before[0]
    assert len(text_of_log(database, run.id)) < 1100


def test_the_next_attempt_goes_on_in_the_log_of_the_one_before(database: Connection[Any], run: Run) -> None:
    first = RunLog(1000)
    first.add("one")
    store(database, run, first)

    database.execute("UPDATE runs SET attempt = 1")
    second = RunLog(1000, stored_chunks(database, run.id))
    second.add("two")
    store(database, replace(run, attempt=1), second)
    assert lines(database, run) == ["one", "two"]

    first.add("late")  # by a worker that was frozen
    store(database, run, first)
    assert lines(database, run) == ["one", "two"]
