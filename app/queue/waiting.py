"""The jobs that wait, in the order in which workers take them.

Of the jobs of a provider the first one alone can be taken: the one with the highest priority, and of these the oldest;
and none while another one of its lock is carried out. Providers are served in turn: see `0017_turns.sql`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from psycopg.rows import class_row

from app.queue import jobs

if TYPE_CHECKING:
    from collections.abc import Mapping
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
        is_busy: Whether as many of the provider's runs are carried out as go on at once.
        lines: How many providers have runs that wait.
    """

    provider: str
    has_lock: bool
    waiting: int
    later: int
    first: UUID
    due: datetime | None
    is_busy: bool
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


def lines(connection: Connection[Any], *, most: int, limits: Mapping[str, int] | None = None) -> list[Line]:
    """Return the providers that have runs waiting: those first whose first run can be taken now, in that order.

    Those follow that have as many runs carried out as may be, then those whose first run waits for its next attempt.

    Args:
        connection: The open connection.
        most: How many there are at most.
        limits: How many runs of a provider go on at once, for those whose runs have no lock.
    """
    with connection.cursor(row_factory=class_row(Line)) as cursor:
        return cursor.execute(
            """
            WITH heads AS MATERIALIZED (
                SELECT turn.line, turn.provider, turn.number, job.args, job.scheduled_at
                FROM (SELECT line, provider, min(number) AS number FROM queue_turns GROUP BY line, provider) AS turn
                CROSS JOIN LATERAL (
                    (SELECT * FROM procrastinate_jobs
                     WHERE turn.provider IS NULL AND lock = turn.line
                         AND status IN ('todo', 'doing') AND status <> 'doing'
                     ORDER BY priority DESC, id LIMIT 1)
                    UNION ALL
                    (SELECT * FROM procrastinate_jobs
                     WHERE lock IS NULL AND procrastinate_jobs.provider = turn.provider AND status = 'todo'
                     ORDER BY procrastinate_jobs.provider, priority DESC, id LIMIT 1)) AS job
            ), shown AS (
                SELECT *, count(*) OVER () AS lines, coalesce(scheduled_at > now(), false) AS is_later,
                    CASE WHEN provider IS NULL
                    THEN EXISTS (SELECT 1 FROM procrastinate_jobs WHERE lock = line AND status = 'doing')
                    ELSE coalesce((%(limits)s::jsonb -> provider)::bigint <= (
                        SELECT count(*) FROM procrastinate_jobs job
                        WHERE job.lock IS NULL AND job.provider = heads.provider AND job.status = 'doing'), false)
                    END AS is_busy
                FROM heads
                ORDER BY is_later, is_busy, CASE WHEN scheduled_at > now() THEN scheduled_at END, number
                LIMIT %(most)s
            )
            SELECT coalesce(provider, substr(line, length(%(prefix)s) + 1)) AS provider,
                provider IS NULL AS has_lock, counted.waiting, counted.later, (args ->> 'run_id')::uuid AS first, lines,
                CASE WHEN is_later THEN scheduled_at END AS due, is_busy
            FROM shown CROSS JOIN LATERAL (
                SELECT count(*) AS waiting, count(*) FILTER (WHERE job.scheduled_at > now()) AS later
                FROM procrastinate_jobs job
                WHERE job.status = 'todo' AND (shown.provider IS NULL AND job.lock = shown.line
                    OR job.lock IS NULL AND job.provider = shown.provider)) AS counted
            ORDER BY is_later, is_busy, due, number
            """,
            {
                "prefix": jobs.LOCK_PREFIX,
                "most": most,
                "limits": json.dumps(dict(limits or {})),
            },
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
            FROM (
                (SELECT * FROM procrastinate_jobs
                 WHERE lock = %(lock)s AND status IN ('todo', 'doing') AND status <> 'doing'
                 ORDER BY priority DESC, id LIMIT %(most)s)
                UNION ALL
                (SELECT * FROM procrastinate_jobs
                 WHERE lock IS NULL AND provider = %(provider)s AND status = 'todo'
                 ORDER BY provider, priority DESC, id LIMIT %(most)s)) AS job
            JOIN runs ON runs.job_id = job.id AND runs.id = (job.args ->> 'run_id')::uuid AND runs.status = 'waiting'
            ORDER BY job.priority DESC, job.id LIMIT %(most)s
            """,
            {"provider": provider, "lock": jobs.LOCK_PREFIX + provider, "most": most},
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
