"""The jobs that set commit statuses, each in a thread."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from psycopg_pool import ConnectionPool

    from app.queue.consumer import TakenJob
    from app.statuses.status_setter import StatusSetter


class StatusJobs:
    """Carries these jobs out.

    Args:
        statuses: Returns what sets the statuses, as it is configured now.
        pool: The pool of connections to the database.
    """

    def __init__(self, statuses: Callable[[], StatusSetter], pool: ConnectionPool[Any]) -> None:
        self._statuses = statuses
        self._pool = pool
        self._under_way: set[asyncio.Task[None]] = set()

    async def carry_out(self, _: TakenJob, status_id: int) -> None:
        """Set a status.

        Args:
            status_id: The status's id.

        Raises:
            psycopg.OperationalError: The database is away.
        """
        setting = asyncio.create_task(asyncio.to_thread(self._statuses().carry_out, self._pool, status_id))
        self._under_way.add(setting)
        setting.add_done_callback(self._under_way.discard)
        await asyncio.shield(setting)

    async def settle(self, seconds: float) -> None:
        """Let those that are under way end: GitHub may have such a status by now in the place of a later one.

        Args:
            seconds: How long to wait for them at most.
        """
        if self._under_way:
            await asyncio.wait(self._under_way, timeout=seconds)
