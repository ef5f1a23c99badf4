"""The database from asyncio."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from app.database.connections import open_pool
from app.database.threads import DatabaseThreads
from tests.support.processes import TIME_LIMIT

if TYPE_CHECKING:
    from psycopg import Connection


def answer(connection: Connection[Any]) -> int:
    row = connection.execute("SELECT 42").fetchone()
    assert row is not None
    return int(row[0])


def test_what_waits_for_a_broker_does_not_hold_the_database_up(database_url: str) -> None:
    over = threading.Event()

    async def ask() -> int:
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))
        waiting = asyncio.create_task(asyncio.to_thread(over.wait))
        await asyncio.sleep(0)
        try:
            async with asyncio.timeout(TIME_LIMIT):
                return await database.call(answer)
        finally:
            over.set()
            await waiting

    with open_pool(database_url, size=1) as pool:
        database = DatabaseThreads(pool)
        assert asyncio.run(ask()) == 42
        database.close()


def fail_once(connection: Connection[Any], times: list[int]) -> int:
    """Lose the connection, the first time."""
    times.append(len(times))
    if len(times) == 1:
        connection.execute("SELECT pg_terminate_backend(pg_backend_pid())")
    return answer(connection)


def test_a_database_that_is_back_soon_is_waited_for(database_url: str) -> None:
    with open_pool(database_url, size=1) as pool:
        database = DatabaseThreads(pool, patience=TIME_LIMIT)
        assert asyncio.run(database.call(fail_once, [])) == 42
        assert database.seconds_since_away < TIME_LIMIT
        database.close()


def test_a_database_that_is_away_for_too_long_is_lost(database_url: str) -> None:
    with open_pool(database_url, size=1) as pool:
        database = DatabaseThreads(pool)
        with pytest.raises(psycopg.OperationalError):
            asyncio.run(database.call(fail_once, []))
        database.close()


def test_a_statement_that_is_wrong_is_not_repeated(database_url: str) -> None:
    times: list[int] = []

    def wrong(connection: Connection[Any]) -> None:
        times.append(1)
        connection.execute("SELECT 1 / 0")

    with open_pool(database_url, size=1) as pool:
        database = DatabaseThreads(pool, patience=TIME_LIMIT)
        with pytest.raises(psycopg.errors.DivisionByZero):
            asyncio.run(database.call(wrong))
        database.close()
    assert times == [1]
