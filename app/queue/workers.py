"""The worker processes that take jobs, over all machines: what Procrastinate registers, and which process that is."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from psycopg.rows import class_row

from app.queue import jobs

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime
    from uuid import UUID

    from psycopg import Connection


@dataclass(frozen=True)
class WorkerProcess:
    """A worker process.

    Attributes:
        name: Its machine and its process id; None of a version that doesn't tell.
        version: Its version of pact-dispatch; None of one that doesn't tell.
        concurrency: How many runs it carries out at once.
        started_at: When it has begun to take jobs.
        heartbeat: When it was last heard of.
        is_alive: Whether that is recent: the runs of one that isn't are taken up by another one.
        runs: The ids of the runs that it carries out.
        chores: How many other jobs it carries out.
    """

    name: str | None
    version: str | None
    concurrency: int | None
    started_at: datetime | None
    heartbeat: datetime
    is_alive: bool
    runs: list[UUID] = field(default_factory=list)
    chores: int = 0


def register(
    connection: Connection[Any], registrations: Collection[int], *, name: str, version: str, concurrency: int
) -> None:
    """Note which process some registrations with Procrastinate are of; what is noted already stays.

    Args:
        connection: The open connection; the caller commits.
        registrations: The ids of the process's workers in Procrastinate's table.
        name: The name of the process.
        version: Its version of pact-dispatch.
        concurrency: How many runs it carries out at once.
    """
    connection.execute(
        """
        INSERT INTO worker_processes (registration, name, version, concurrency, started_at)
        SELECT id, %(name)s, %(version)s, %(concurrency)s, now()
        FROM procrastinate_workers WHERE id = ANY(%(ids)s::bigint[])
        ON CONFLICT DO NOTHING
        """,
        {"ids": list(registrations), "name": name, "version": version, "concurrency": concurrency},
    )


def read(connection: Connection[Any], *, stalled_seconds: float, most: int) -> list[WorkerProcess]:
    """Return the worker processes, in the order of their names.

    Args:
        connection: The open connection.
        stalled_seconds: After so long without a heartbeat a worker is dead.
        most: How many there are at most.
    """
    with connection.cursor(row_factory=class_row(WorkerProcess)) as cursor:
        return cursor.execute(
            """
            SELECT name, min(version) AS version, min(concurrency) AS concurrency, min(started_at) AS started_at,
                max(last_heartbeat) AS heartbeat,
                bool_or(abs(extract(epoch FROM now() - last_heartbeat)) < %(seconds)s) AS is_alive,
                coalesce(array_agg((job.args ->> 'run_id')::uuid ORDER BY job.id)
                    FILTER (WHERE job.queue_name = %(runs)s AND job.args ? 'run_id'), '{}') AS runs,
                count(*) FILTER (WHERE job.queue_name = %(chores)s) AS chores
            FROM procrastinate_workers worker
            LEFT JOIN worker_processes process ON process.registration = worker.id
            LEFT JOIN procrastinate_jobs job ON job.worker_id = worker.id AND job.status = 'doing'
            -- a process has a registration for each queue; of an older version nobody knows which belong together
            GROUP BY name, CASE WHEN name IS NULL THEN worker.id END
            ORDER BY name NULLS LAST, min(worker.id) LIMIT %(most)s
            """,
            {"seconds": stalled_seconds, "runs": jobs.RUNS, "chores": jobs.CHORES, "most": most},
        ).fetchall()
