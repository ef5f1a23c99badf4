"""How a worker takes its next job: of the runs the one of the provider whose turn it is, whatever waits beside it.

`0017_turns.sql` has the functions. Procrastinate's own takes the oldest job, and reads all that wait to find it.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, LiteralString

from procrastinate.jobs import Job
from procrastinate.manager import JobManager

from app.queue import jobs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from procrastinate.connector import BaseConnector

    Limits = Callable[[], Mapping[str, int]]
    """Returns how many runs go on at once, over all workers, by the providers that have such a limit."""

TAKE_RUN: LiteralString = """
SELECT id, status, task_name, priority, lock, queueing_lock, args, scheduled_at, queue_name, attempts, worker_id
FROM fetch_run(%(worker_id)s, %(limits)s::jsonb)
"""
"""Takes a run: the row is empty if there is none to take."""
TAKE_CHORE: LiteralString = """
SELECT id, status, task_name, priority, lock, queueing_lock, args, scheduled_at, queue_name, attempts, worker_id
FROM fetch_chore(%(worker_id)s)
"""
"""Takes a short job."""


class TurnTaker(JobManager):
    """Procrastinate's jobs, but that runs are taken in turn.

    Args:
        connector: The connections to the database.
        limits: How many runs of a provider go on at once, where they do.
    """

    def __init__(self, connector: BaseConnector, limits: Limits) -> None:
        super().__init__(connector)
        self._limits = limits

    async def fetch_job(self, queues: Iterable[str] | None, worker_id: int) -> Job | None:
        """Take the next job of one of the two queues; None if there is none to take."""
        row: dict[str, Any]
        if list(queues or ()) == [jobs.RUNS]:
            limits = json.dumps(dict(self._limits()))
            row = await self.connector.execute_query_one_async(TAKE_RUN, worker_id=worker_id, limits=limits)
        else:
            row = await self.connector.execute_query_one_async(TAKE_CHORE, worker_id=worker_id)
        return None if row["id"] is None else Job.from_row(row)
