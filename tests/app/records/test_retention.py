"""What is old is deleted, what may still matter isn't, and what was counted stays counted."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from app.config.settings import Settings
from app.records import counters, retention
from app.records.counters import Series
from app.records.housekeeping import begin_if_due
from app.worker.chores import Chore, carry_out_chores, chores_of
from tests.support.history_rows import add_history
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
    deleted = 0
    with psycopg.connect(database_url, autocommit=True) as connection:
        while batch := retention.delete_batch(connection, DAYS):
            deleted += batch
    return deleted


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

        chores = (Chore("one", 3600, fail), Chore("two", 3600, work))
        keeping = asyncio.create_task(carry_out_chores(chores, in_database))
        await asyncio.wait_for(done.wait(), 10)
        keeping.cancel()

    asyncio.run(keep())


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

    async def in_database(function: Any, days: float) -> int:
        asked.append((function, days))
        return 0

    (chore,) = (one for one in chores_of(settings, in_database) if one.name == "retention")
    asyncio.run(chore.do())
    assert asked == [(retention.delete_batch, 7)]
    assert chore.seconds == 3600
