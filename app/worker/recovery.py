"""What keeps a run from being forgotten: jobs of dead workers, and runs whose job is gone.

Procrastinate leaves the jobs of a worker that died as they are. One worker at a time looks after all of them, under
an advisory lock: two could reset a job that has already started again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from app.queue import jobs
from app.records.run_status import RunStatus

if TYPE_CHECKING:
    from collections.abc import Callable

    from psycopg import Connection

_ADVISORY_LOCK = 0x70616374_0001
"""Any number that nobody else uses: "pact" in ASCII, and which of our locks it is."""


def recover(
    connection: Connection[Any],
    *,
    stalled_seconds: float,
    lock_of: Callable[[str], str | None],
    alive: list[int],
) -> tuple[int, int]:
    """Give the jobs of dead workers back to the queue, and runs without a job a new one.

    Args:
        connection: from a pool; the transaction is this function's.
        stalled_seconds: after so long without a heartbeat a worker is dead.
        lock_of: gives the lock of a provider's runs.
        alive: ids of Procrastinate workers that are known to live, however late their heartbeat is: the caller's own.

    Returns:
        How many jobs were given back, and how many runs got a new one; 0 and 0 also while another worker looks.
    """
    with connection.transaction():
        row = connection.execute(
            "SELECT pg_try_advisory_xact_lock(%(lock)s)", {"lock": _ADVISORY_LOCK}
        ).fetchone()
        if row is None or not row[0]:
            return 0, 0
        stalled = connection.execute(
            """
            WITH stalled AS MATERIALIZED (
                SELECT job.id
                FROM procrastinate_jobs job LEFT JOIN procrastinate_workers worker ON worker.id = job.worker_id
                WHERE job.status = 'doing' AND job.queue_name = ANY(%(queues)s)
                  AND NOT coalesce(job.worker_id = ANY(%(alive)s::bigint[]), false)
                  AND (worker.id IS NULL OR worker.last_heartbeat < now() - %(seconds)s * interval '1 second')
                FOR UPDATE OF job SKIP LOCKED)  -- one that a late worker ends just now is not stalled, nor an error
            SELECT procrastinate_retry_job_v2(id, now(), NULL, NULL, NULL) FROM stalled
            """,
            {"queues": [jobs.RUNS, jobs.CHORES], "seconds": stalled_seconds, "alive": alive},
        ).rowcount
        if stalled:
            jobs.wake(connection, jobs.RUNS)
            jobs.wake(connection, jobs.CHORES)
        jobs.promote_due(connection)
        return stalled, _adopt(connection, lock_of)


def _adopt(connection: Connection[Any], lock_of: Callable[[str], str | None]) -> int:
    """Give a job to each run that is waiting, running or to be published, and has none."""
    orphans = connection.execute(
        """
        SELECT id, provider, status, cancel_requested, attempt FROM runs
        WHERE (status IN ('waiting', 'running') OR publishing = 'pending')
          AND NOT EXISTS (SELECT 1 FROM procrastinate_jobs job
                          WHERE job.id = runs.job_id AND job.status IN ('todo', 'doing'))
        FOR UPDATE SKIP LOCKED
        """
    ).fetchall()
    for run_id, provider, status, cancel_requested, attempt in orphans:
        if status != RunStatus.FINISHED and cancel_requested:
            connection.execute(
                "UPDATE runs SET status = 'cancelled', finished_at = now(), publishing = 'none' WHERE id = %(id)s",
                {"id": run_id},
            )
            continue
        job_id = (
            jobs.defer_publish(connection, run_id, attempt)
            if status == RunStatus.FINISHED
            else jobs.defer_run(connection, run_id, lock_of(provider))
        )
        connection.execute(
            "UPDATE runs SET job_id = %(job)s WHERE id = %(id)s", {"job": job_id, "id": run_id}
        )
    return len(orphans)
