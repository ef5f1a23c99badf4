"""Jobs that nobody carries out any more: Procrastinate leaves those of a worker that died as they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from app.queue import jobs

if TYPE_CHECKING:
    from collections.abc import Collection

    from psycopg import Connection


def requeue(
    connection: Connection[Any],
    *,
    stalled_seconds: float,
    alive: Collection[int],
    forgotten: Collection[int] = (),
) -> int:
    """Put the jobs of dead workers back into the queue.

    A worker is dead when its heartbeat is that far from now, in the past or (the clock was set back) in the future.

    Args:
        connection: The open connection; the caller commits.
        stalled_seconds: After so long without a heartbeat a worker is dead.
        alive: The ids of workers that are known to live, however late their heartbeat is: the caller's own.
        forgotten: The ids of jobs of these workers that are put back all the same.

    Returns:
        How many there were.
    """
    stalled = connection.execute(
        """
        WITH stalled AS MATERIALIZED (
            SELECT job.id
            FROM procrastinate_jobs job LEFT JOIN procrastinate_workers worker ON worker.id = job.worker_id
            WHERE job.status = 'doing' AND job.queue_name = ANY(%(queues)s)
              AND (job.id = ANY(%(forgotten)s::bigint[])
                   OR NOT coalesce(job.worker_id = ANY(%(alive)s::bigint[]), false)
                      AND (worker.id IS NULL
                           OR abs(extract(epoch FROM now() - worker.last_heartbeat)) > %(seconds)s))
            FOR UPDATE OF job SKIP LOCKED)  -- one that a late worker ends just now is not stalled, nor an error
        SELECT procrastinate_retry_job_v2(id, now(), NULL, NULL, NULL) FROM stalled
        """,
        {
            "queues": [jobs.RUNS, jobs.CHORES],
            "seconds": stalled_seconds,
            "alive": list(alive),
            "forgotten": list(forgotten),
        },
    ).rowcount
    if stalled:
        jobs.wake(connection, jobs.RUNS)
        jobs.wake(connection, jobs.CHORES)
    return stalled


def taken_by(connection: Connection[Any], workers: Collection[int]) -> set[int]:
    """Return the ids of the jobs that some workers have taken and not ended."""
    rows = connection.execute(
        "SELECT id FROM procrastinate_jobs WHERE status = 'doing' AND worker_id = ANY(%(workers)s::bigint[])",
        {"workers": list(workers)},
    )
    return {row[0] for row in rows}
