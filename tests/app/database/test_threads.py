"""The database from asyncio."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

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
