"""Jobs that nobody carries out any more: Procrastinate leaves those of a worker that died as they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from app.queue import jobs

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from psycopg import Connection


def heartbeats(connection: Connection[Any]) -> set[tuple[int, datetime]]:
    """Return the last heartbeat of each worker that is registered, by the worker's id."""
    return set(connection.execute("SELECT id, last_heartbeat FROM procrastinate_workers").fetchall())


def requeue(
    connection: Connection[Any],
    *,
    stalled_seconds: float,
    dead: Collection[int],
    forgotten: Collection[int] = (),
) -> int:
    """Put the jobs of dead workers back into the queue, and of those that are not registered any more.

    Args:
        connection: The open connection; the caller commits.
        stalled_seconds: After so long without a heartbeat a worker may be dead. That is so far from now, in the past or
            (the clock was set back) in the future, and by itself it shows nothing: the clock may have been set.
        dead: The ids of workers of which no other heartbeat was seen for a while; they are dead unless there is one.
        forgotten: The ids of jobs that are put back whosever they are.

    Returns:
        How many there were.
    """
    stalled = connection.execute(
        """
        WITH stalled AS MATERIALIZED (
            SELECT job.id
            FROM procrastinate_jobs job LEFT JOIN procrastinate_workers worker ON worker.id = job.worker_id
            WHERE job.status = 'doing' AND job.queue_name = ANY(%(queues)s)
              AND (job.id = ANY(%(forgotten)s::bigint[]) OR worker.id IS NULL
                   OR worker.id = ANY(%(dead)s::bigint[])
                      AND abs(extract(epoch FROM now() - worker.last_heartbeat)) > %(seconds)s)
            FOR UPDATE OF job SKIP LOCKED)  -- one that a late worker ends just now is not stalled, nor an error
        SELECT procrastinate_retry_job_v2(id, now(), NULL, NULL, NULL) FROM stalled
        """,
        {
            "queues": [jobs.RUNS, jobs.CHORES],
            "seconds": stalled_seconds,
            "dead": list(dead),
            "forgotten": list(forgotten),
        },
    ).rowcount
    if stalled:
        jobs.wake(connection, jobs.RUNS)
        jobs.wake(connection, jobs.CHORES)
    return stalled


def forget(connection: Connection[Any], dead: Collection[int], *, seconds: float) -> None:
    """Delete the registrations of workers that have been dead for some seconds, as far as no job is theirs.

    Args:
        connection: The open connection; the caller commits.
        dead: The ids of workers of which no other heartbeat was seen for a while.
        seconds: How long ago their last heartbeat is, at least; as in `requeue`, that shows nothing by itself.
    """
    connection.execute(
        """
        DELETE FROM procrastinate_workers WHERE id = ANY(%(dead)s::bigint[])
            AND abs(extract(epoch FROM now() - last_heartbeat)) > %(seconds)s
            AND NOT EXISTS (SELECT 1 FROM procrastinate_jobs job WHERE job.worker_id = procrastinate_workers.id)
        """,
        {"dead": list(dead), "seconds": seconds},
    )


def taken_by(connection: Connection[Any], workers: Collection[int]) -> set[int]:
    """Return the ids of the jobs that some workers have taken and not ended."""
    rows = connection.execute(
        "SELECT id FROM procrastinate_jobs WHERE status = 'doing' AND worker_id = ANY(%(workers)s::bigint[])",
        {"workers": list(workers)},
    )
    return {row[0] for row in rows}
