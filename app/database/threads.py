"""The database from asyncio: each call in a thread, with a connection of its own."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

from app.database.failures import is_away

if TYPE_CHECKING:
    from collections.abc import Callable

    from psycopg import Connection
    from psycopg_pool import ConnectionPool

P = ParamSpec("P")
R = TypeVar("R")

RETRY_SECONDS = 0.25


class DatabaseThreads:
    """As many threads as there are connections.

    They are not those of `asyncio.to_thread`: there, a broker that doesn't answer would hold the database up too.

    Args:
        pool: The connections.
        patience: For how many seconds a call is repeated while the database is away.
    """

    def __init__(self, pool: ConnectionPool[Any], *, patience: float = 0.0) -> None:
        self._pool = pool
        self._patience = patience
        self._threads = ThreadPoolExecutor(pool.max_size, thread_name_prefix="database")
        self._last_away = -float("inf")

    @property
    def seconds_since_away(self) -> float:
        """The seconds since the database was last found to be away."""
        return time.monotonic() - self._last_away

    async def call(
        self,
        function: Callable[Concatenate[Connection[Any], P], R],
        *arguments: P.args,
        **options: P.kwargs,
    ) -> R:
        """Call a function with a connection, commit what it did, and return what it returned.

        Where the database goes away meanwhile, the function is called again: its statements may be repeated.

        Raises:
            psycopg.OperationalError: The database was away for longer than the patience.
        """

        def work() -> R:
            with self._pool.connection() as connection:
                return function(connection, *arguments, **options)

        end = time.monotonic() + self._patience
        loop = asyncio.get_running_loop()
        while True:
            try:
                return await loop.run_in_executor(self._threads, copy_context().run, work)
            except Exception as error:
                if not is_away(error):
                    raise
                self._last_away = time.monotonic()
                if self._last_away >= end:
                    raise
            await asyncio.sleep(RETRY_SECONDS)

    def close(self) -> None:
        """Wait for the calls that are under way."""
        self._threads.shutdown()
