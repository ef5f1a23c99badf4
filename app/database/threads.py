"""The database from asyncio: each call in a thread, with a connection of its own."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    from psycopg import Connection
    from psycopg_pool import ConnectionPool

P = ParamSpec("P")
R = TypeVar("R")


class DatabaseThreads:
    """As many threads as there are connections.

    They are not those of `asyncio.to_thread`: there, a broker that doesn't answer would hold the database up too.

    Args:
        pool: the connections.
    """

    def __init__(self, pool: ConnectionPool[Any]) -> None:
        self._pool = pool
        self._threads = ThreadPoolExecutor(pool.max_size, thread_name_prefix="database")

    async def call(
        self,
        function: Callable[Concatenate[Connection[Any], P], R],
        *arguments: P.args,
        **options: P.kwargs,
    ) -> R:
        """Call a function of the stores with a connection; what it did is committed."""

        def work() -> R:
            with self._pool.connection() as connection:
                return function(connection, *arguments, **options)

        return await asyncio.get_running_loop().run_in_executor(self._threads, copy_context().run, work)

    def close(self) -> None:
        """Wait for what is under way."""
        self._threads.shutdown()
