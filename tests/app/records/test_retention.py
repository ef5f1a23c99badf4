"""What is old is deleted, what may still matter isn't, and what was counted stays counted."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from app.config.settings import Settings
from app.records import counters, retention
from app.records.counters import Series
from app.records.housekeeping import begin_if_due
from app.worker import chores
from app.worker.chores import Chore, carry_out_chores, chores_of, delete_gently
from tests.support.history_rows import add_history, delete_old
from tests.support.receiver import ReceiverProcess, configuration

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from psycopg import Connection

BROKER = "http://broker.example.org/base"
PACT = f"{BROKER}/pacts/provider/Products/consumer/Storefront/latest"
DAYS = 30


@pytest.fixture
def database(database_url: str) -> Iterator[Connection[Any]]:
    with psycopg.connect(database_url, autocommit=True) as connection:
        yield connection


def numbers(connection: Connection[Any]) -> dict[str, int]:
    found = {}
    for table in ("runs", "run_logs", "deliveries"):
        row = connection.execute(f"SELECT count(*) FROM {table}".encode()).fetchone()
        assert row is not None
        found[table] = row[0]
    return found


def delete_all(database_url: str) -> int:
    with psycopg.connect(database_url, autocommit=True) as connection:
        return delete_old(connection, DAYS)


def add_up_all(database_url: str) -> None:
    """Add the counters up, in batches of a few rows."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        while counters.add_up(connection, batch=100):
            pass


def test_what_is_old_goes_and_the_rest_stays(database: Connection[Any], database_url: str) -> None:
    add_history(database_url, runs=700, refused=600, days=DAYS + 1)
    add_history(database_url, runs=20, refused=10, days=DAYS - 1)
    before = counters.read(database)

    deleted = delete_all(database_url)

    assert deleted == 1300
    assert numbers(database) == {"runs": 20, "run_logs": 20, "deliveries": 30}
    assert counters.read(database) == before
    assert before[Series.of(counters.ACCEPTED, source="api")] == 720
    assert before[Series.of(counters.REFUSED, reason="unknown-repository")] == 610


def test_what_may_still_matter_stays_however_old_it_is(database: Connection[Any], database_url: str) -> None:
    add_history(database_url, runs=4, days=DAYS * 10)
    for number, change in enumerate(
        (
            "status = 'waiting', finished_at = NULL",
            "status = 'running', finished_at = NULL",
            "publishing = 'pending'",
            "finished_at = now()",
        ),
        start=1,
    ):
        database.execute(f"UPDATE runs SET {change} WHERE consumer_version = '{number}'".encode())
    assert delete_all(database_url) == 0
    assert numbers(database) == {"runs": 4, "run_logs": 4, "deliveries": 4}

    database.execute("UPDATE runs SET status = 'cancelled', finished_at = created_at, publishing = 'pending'")
    assert delete_all(database_url) == 4
    assert numbers(database) == {"runs": 0, "run_logs": 0, "deliveries": 0}


def test_counters_hold_while_several_workers_delete(database: Connection[Any], database_url: str) -> None:
    add_history(database_url, runs=3000, refused=1000, days=DAYS + 1)
    before = counters.read(database)
    done = threading.Event()
    seen = []

    def look() -> None:
        with psycopg.connect(database_url) as connection:
            while not done.is_set():
                seen.append(counters.read(connection))
                connection.rollback()

    with ThreadPoolExecutor() as pool:
        looking = pool.submit(look)
        try:
            adding_up = [pool.submit(add_up_all, database_url) for _ in range(2)]
            deleted = sum(pool.map(delete_all, [database_url] * 3))
            for one in adding_up:
                one.result()
        finally:
            done.set()
        looking.result()
    assert deleted == 4000
    assert numbers(database) == {"runs": 0, "run_logs": 0, "deliveries": 0}
    assert all(one == before for one in [*seen, counters.read(database)])


def test_a_chore_is_one_workers_in_each_period(database_url: str) -> None:
    def take(seconds: float) -> bool:
        with psycopg.connect(database_url) as connection:
            return begin_if_due(connection, "retention", seconds)

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(take, [3600.0] * 8)) == 1
    assert take(3600) is False
    assert take(0) is True


def test_housekeeping_goes_on_when_the_database_refuses() -> None:
    async def in_database(*_: Any, **__: Any) -> bool:
        return True

    async def keep() -> None:
        done = asyncio.Event()

        async def fail() -> None:
            raise psycopg.OperationalError("the connection is lost")

        async def work() -> None:
            done.set()

        two = (Chore("one", 3600, fail), Chore("two", 3600, work))
        keeping = asyncio.create_task(carry_out_chores(lambda: two, in_database))
        await asyncio.wait_for(done.wait(), 60)
        keeping.cancel()

    asyncio.run(keep())


def test_a_chore_that_takes_long_holds_no_other_one_up_and_is_not_begun_twice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(chores, "CHECK_SECONDS", 0.01)
    begun: list[str] = []

    async def in_database(_: Any, name: str, *__: Any, **___: Any) -> bool:
        begun.append(name)
        return True

    async def keep() -> None:
        ended, thrice = asyncio.Event(), asyncio.Event()

        async def take_long() -> None:
            try:
                await asyncio.Event().wait()
            finally:
                ended.set()

        async def work() -> None:
            if begun.count("short") == 3:
                thrice.set()

        two = (Chore("long", 0, take_long), Chore("short", 0, work))
        keeping = asyncio.create_task(carry_out_chores(lambda: two, in_database))
        await asyncio.wait_for(thrice.wait(), 60)
        keeping.cancel()  # as a worker that stops does
        await asyncio.wait_for(ended.wait(), 60)

    asyncio.run(keep())
    assert begun.count("long") == 1


def test_rows_are_deleted_in_transactions_as_short_as_they_should_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chores, "TRANSACTION_SECONDS", 1.0)
    clock = 0.0
    left = 2000
    asked, pauses = [], []

    async def delete(most: int) -> int:
        nonlocal clock, left
        asked.append(most)
        deleted = min(most, left)
        left -= deleted
        clock += most * 0.01  # a slow disk
        return deleted

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    monkeypatch.setattr("app.worker.chores.time", SimpleNamespace(monotonic=lambda: clock))
    monkeypatch.setattr("app.worker.chores.asyncio", SimpleNamespace(sleep=sleep))
    assert asyncio.run(delete_gently(delete)) == 2000
    assert asked[:3] == [20, 40, 80]
    assert max(asked) <= 160
    assert sum(pauses) == pytest.approx(sum(asked[:-1]) * 0.01 * chores.PAUSE)


# What grows, and how it ends. A table that is new here has a line, and one of these ends.
WITH_RUNS = {"run_logs", "run_log_chunks", "commit_statuses", "relays", "run_moments"}
"""Deleted with their run."""
BY_AGE = {"runs", "deliveries", "actions", "latest_results", "hourly_outcomes", "provider_looks"}
"""Deleted by a step of retention."""
ADDED_UP = {"uncounted_deliveries", "uncounted_runs"}
"""Deleted by the chore that adds them up."""
WITH_JOBS = {"procrastinate_jobs", "procrastinate_events", "procrastinate_periodic_defers", "queue_turns"}
"""A job is deleted when it ends, what belongs to it with it, and the turn of a line when none of its jobs waits."""
WITH_PROCESSES = {"procrastinate_workers", "worker_processes", "receiver_processes"}
"""Deleted some time after the process's last sign of life."""
TOLD = {
    "notifications",
    "notified_runs",
    "notable_runs",
    "told_outcomes",
    "told_refusals",
    "newest_versions",
}
"""Deleted in the rounds that look who is to be told; what is broken a year after its last run."""
BOUNDED = {
    "totals": "series of counters: reasons, and outcomes of each provider that ever had a run",
    "housekeeping": "one row for each chore",
    "signing_keys": "one row for each purpose",
    "paused_providers": "one row for each provider of the configuration at most",
    "sightings": "one row for each other system",
    "schema_versions": "one row for each migration",
}


def test_everything_that_grows_has_an_end(database: Connection[Any]) -> None:
    known = {*WITH_RUNS, *BY_AGE, *ADDED_UP, *WITH_JOBS, *WITH_PROCESSES, *TOLD, *BOUNDED}
    tables = database.execute(
        "SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace"
    ).fetchall()
    there = {name for (name,) in tables}
    assert there - known == set(), "say above how these end"
    assert known - there == set(), "these are gone"
    cascading = database.execute(
        "SELECT conrelid::regclass::text FROM pg_constraint "
        "WHERE contype = 'f' AND confrelid = 'runs'::regclass AND confdeltype = 'c'"
    ).fetchall()
    assert {name for (name,) in cascading} == WITH_RUNS


def test_everything_that_is_deleted_by_its_age_is_gone_then(
    database: Connection[Any], database_url: str
) -> None:
    add_history(database_url, runs=50, refused=20, days=DAYS + 40)
    database.execute(
        """
        INSERT INTO actions (at, who, action, via) SELECT now() - interval '31 days', 'ann', 'pause', 'api'
        FROM generate_series(1, 30);
        INSERT INTO provider_looks (provider, asked_at, asked_by, queues) VALUES
            ('gone', now() - interval '31 days', 'ann', false), ('there', now(), 'ann', false);
        INSERT INTO run_log_chunks SELECT id, 0, 1, 'x' FROM runs;
        INSERT INTO run_moments SELECT id, 1, 'started', now() FROM runs;
        INSERT INTO relays (run_id, client_payload) SELECT id, '{}' FROM runs;
        INSERT INTO commit_statuses (run_id, repository, sha, context, state, description)
        SELECT id, repository, 'abc', 'pact', 'success', '' FROM runs;
        """
    )
    counters.add_up(database)
    delete_old(database, DAYS, most=7)
    left = {}
    for table in BY_AGE | WITH_RUNS | ADDED_UP:
        [left[table]] = database.execute(f"SELECT count(*) FROM {table}".encode()).fetchone() or [None]
    assert left == {table: int(table == "provider_looks") for table in left}


def test_a_run_that_answers_thousands_of_deliveries_goes_in_several_transactions(
    database: Connection[Any], database_url: str
) -> None:
    add_history(database_url, runs=2, days=DAYS + 1)
    database.execute(
        "INSERT INTO deliveries (id, source, status, run_id) "
        "SELECT gen_random_uuid(), 'api', 204, id FROM runs, generate_series(1, 60)"
    )
    assert retention.delete_runs(database, DAYS, 5) == 50
    assert numbers(database) == {"runs": 2, "run_logs": 2, "deliveries": 72}
    assert delete_all(database_url) == 2
    assert numbers(database) == {"runs": 0, "run_logs": 0, "deliveries": 0}


def test_a_run_for_every_pact_goes_after_those_of_its_pacts(
    database: Connection[Any], database_url: str
) -> None:
    add_history(database_url, runs=3, days=DAYS + 1)
    database.execute(
        "UPDATE runs SET parent_id = (SELECT id FROM runs WHERE consumer_version = '3') WHERE consumer_version <> '3'"
    )
    database.execute("UPDATE runs SET publishing = 'pending' WHERE consumer_version = '2'")
    assert delete_all(database_url) == 1
    database.execute("UPDATE runs SET publishing = 'refused' WHERE consumer_version = '2'")
    assert retention.delete_runs(database, DAYS, 5) == 1
    assert retention.delete_runs(database, DAYS, 5) == 1
    assert numbers(database)["runs"] == 0


def test_a_worker_deletes_what_is_old(tmp_path: Path, database: Connection[Any], database_url: str) -> None:
    add_history(database_url, runs=600, refused=5, days=2)
    add_history(database_url, runs=3)
    config = configuration(
        BROKER, {"base_url": "http://127.0.0.1:1", "version": "abc"}, retention={"days": 1}
    )
    with ReceiverProcess(tmp_path, config, command="worker", database_url=database_url) as worker:
        worker.wait_until(lambda: numbers(database)["runs"] == 3, "the old runs are deleted")
        worker.wait_until(lambda: worker.logged("old deliveries and runs deleted"), "it says so")
    assert numbers(database) == {"runs": 3, "run_logs": 3, "deliveries": 3}


def test_settings_say_for_how_long() -> None:
    settings = Settings.model_validate(
        {
            "broker": {"url": BROKER},
            "providers": [
                {"name": "A", "repository": "a/b", "base_url": "http://127.0.0.1:1", "version": "1"}
            ],
            "retention": {"days": 7},
        }
    )
    asked: list[Any] = []

    async def in_database(step: Any, days: float, most: int) -> int:
        assert most == chores.FEWEST_ROWS
        asked.append((step, days))
        return 0

    (chore,) = (one for one in chores_of(settings, in_database) if one.name == "retention")
    asyncio.run(chore.do())
    assert asked == [(step, 7) for step in (*retention.SHOWN, *retention.HISTORY)]
    assert chore.seconds == 3600
