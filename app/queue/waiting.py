"""The jobs that wait, in the order in which Procrastinate gives them to the workers.

Of the jobs of a lock the first one alone can be taken, and none while another one of that lock is carried out: the one
with the highest priority, and of these the oldest. A worker takes the first of all jobs that can be taken, in the same
order.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from psycopg.rows import class_row

from app.queue import jobs

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from psycopg import Connection


@dataclass(frozen=True)
class Line:
    """The runs of a provider that wait.

    Attributes:
        provider: The provider.
        has_lock: Whether they are carried out one at a time.
        waiting: How many wait.
        later: How many of them wait for a time: that of their next attempt.
        first: The run that is taken first.
        due: From when that one can be taken; None if it could be now.
        lines: How many providers have runs that wait.
    """

    provider: str
    has_lock: bool
    waiting: int
    later: int
    first: UUID
    due: datetime | None
    lines: int


@dataclass(frozen=True)
class WaitingJob:
    """A run that waits.

    Attributes:
        run_id: The run.
        due: From when it can be taken; None if it could be now.
    """

    run_id: UUID
    due: datetime | None


@dataclass(frozen=True)
class Chore:
    """The short jobs of a kind.

    Attributes:
        task: The name of their task.
        running: How many are carried out.
        waiting: How many wait and could be taken now.
        later: How many wait for a time.
        next_due: The earliest of these times.
    """

    task: str
    running: int
    waiting: int
    later: int
    next_due: datetime | None


def lines(connection: Connection[Any], *, most: int) -> list[Line]:
    """Return the providers that have runs waiting: those first whose first run can be taken now, in that order.

    Those follow that have a run carried out, and then those whose first run waits for its next attempt.

    Args:
        connection: The open connection.
        most: How many there are at most.
    """
    with connection.cursor(row_factory=class_row(Line)) as cursor:
        return cursor.execute(
            """
            WITH grouped AS (
                SELECT substr(lock, length(%(prefix)s) + 1) AS provider, true AS has_lock, lock, count(*) AS waiting,
                    count(*) FILTER (WHERE scheduled_at > now()) AS later,
                    min(ARRAY[-priority::bigint, id]) AS head  -- without a sort: there may be ten thousand
                FROM procrastinate_jobs WHERE queue_name = %(runs)s AND status = 'todo' AND lock IS NOT NULL
                GROUP BY lock
                UNION ALL
                SELECT runs.provider, false, NULL, count(*), count(*) FILTER (WHERE scheduled_at > now()),
                    min(ARRAY[-priority::bigint, job.id])
                FROM procrastinate_jobs job JOIN runs ON runs.id = (job.args ->> 'run_id')::uuid
                WHERE job.queue_name = %(runs)s AND job.status = 'todo' AND job.lock IS NULL
                GROUP BY runs.provider
            )
            SELECT provider, has_lock, waiting, later, (first.args ->> 'run_id')::uuid AS first,
                count(*) OVER () AS lines,
                CASE WHEN first.scheduled_at > now() THEN first.scheduled_at END AS due
            FROM grouped JOIN procrastinate_jobs first ON first.id = head[2]
            ORDER BY coalesce(first.scheduled_at > now(), false),
                has_lock AND EXISTS (SELECT 1 FROM procrastinate_jobs other
                                     WHERE other.status = 'doing' AND other.lock = grouped.lock),
                CASE WHEN first.scheduled_at > now() THEN first.scheduled_at END, head
            LIMIT %(most)s
            """,
            {"runs": jobs.RUNS, "prefix": jobs.LOCK_PREFIX, "most": most},
        ).fetchall()


def of_provider(connection: Connection[Any], provider: str, *, most: int) -> list[WaitingJob]:
    """Return the first runs of a provider that wait, in the order in which they are taken.

    Args:
        connection: The open connection.
        provider: The provider's name.
        most: How many there are at most.
    """
    with connection.cursor(row_factory=class_row(WaitingJob)) as cursor:
        return cursor.execute(
            """
            SELECT runs.id AS run_id, CASE WHEN job.scheduled_at > now() THEN job.scheduled_at END AS due
            FROM runs JOIN procrastinate_jobs job ON job.id = runs.job_id AND job.status = 'todo'
            WHERE runs.provider = %(provider)s AND runs.status = 'waiting'
            ORDER BY job.priority DESC, job.id LIMIT %(most)s
            """,
            {"provider": provider, "most": most},
        ).fetchall()


def results(connection: Connection[Any], *, most: int) -> list[WaitingJob]:
    """Return the runs whose results are published next, in the order in which that is due."""
    with connection.cursor(row_factory=class_row(WaitingJob)) as cursor:
        return cursor.execute(
            """
            SELECT (args ->> 'run_id')::uuid AS run_id, CASE WHEN scheduled_at > now() THEN scheduled_at END AS due
            FROM procrastinate_jobs
            WHERE queue_name = %(chores)s AND task_name = %(publish)s AND status = 'todo'
            ORDER BY scheduled_at NULLS FIRST, id LIMIT %(most)s
            """,
            {"chores": jobs.CHORES, "publish": jobs.PUBLISH, "most": most},
        ).fetchall()


def chores(connection: Connection[Any]) -> list[Chore]:
    """Return the short jobs, by their task."""
    with connection.cursor(row_factory=class_row(Chore)) as cursor:
        return cursor.execute(
            """
            SELECT task_name AS task, count(*) FILTER (WHERE status = 'doing') AS running,
                count(*) FILTER (WHERE status = 'todo' AND coalesce(scheduled_at <= now(), true)) AS waiting,
                count(*) FILTER (WHERE status = 'todo' AND scheduled_at > now()) AS later,
                min(scheduled_at) FILTER (WHERE status = 'todo' AND scheduled_at > now()) AS next_due
            FROM procrastinate_jobs WHERE queue_name = %(chores)s AND status IN ('todo', 'doing')
            GROUP BY task_name ORDER BY task_name LIMIT 20
            """,
            {"chores": jobs.CHORES},
        ).fetchall()
