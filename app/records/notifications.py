"""Notifications: what somebody is told of changes of outcome, and whether it has arrived."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from app.database.storable import storable_text
from app.queue import jobs
from app.records import counters
from app.records.counters import NOTIFICATIONS, Series
from app.records.notification_result import NotificationResult

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from datetime import datetime
    from uuid import UUID

    from psycopg import Connection

BATCH = 500
"""Rows that one transaction deletes."""


@dataclass(frozen=True)
class Notification:
    """A notification as it is stored; see `app/database/migrations/0018_notifications.sql` for its fields."""

    id: UUID
    provider: str
    target: str
    kind: str
    events: list[str]
    content: dict[str, Any]
    result: NotificationResult
    attempts: int
    error: str | None
    host: str | None
    job_id: int | None
    created_at: datetime
    retry_at: datetime | None
    finished_at: datetime | None

    def __post_init__(self) -> None:
        object.__setattr__(self, "result", NotificationResult(self.result))

    @property
    def failed(self) -> bool:
        """Whether it was not sent, and is not tried again."""
        return self.result in {NotificationResult.REFUSED, NotificationResult.GIVEN_UP}

    @property
    def lock(self) -> str:
        """The lock of its jobs: a target that hangs holds one of them up, and not all that workers do besides runs."""
        return f"notify {self.target}"


def seconds_since_last(connection: Connection[Any], provider: str) -> float | None:
    """Return how long ago somebody was told of a provider; None if nobody was yet."""
    row = connection.execute(
        "SELECT extract(epoch FROM now() - max(created_at))::float8 FROM notifications WHERE provider = %(provider)s",
        {"provider": provider},
    ).fetchone()
    found: float | None = row[0] if row else None
    return found


def add(
    connection: Connection[Any],
    number: UUID,
    *,
    provider: str,
    target: str,
    kind: str,
    events: Collection[str],
    content: dict[str, Any],
    run_ids: Iterable[UUID],
) -> None:
    """Store a notification, and queue its job.

    Args:
        connection: The open connection; the caller commits.
        number: Its id.
        provider: The provider that it is about.
        target: The target's name.
        kind: What the target takes.
        events: The events that it is about.
        content: What it says.
        run_ids: The runs that it is about.
    """
    with connection.cursor(row_factory=class_row(Notification)) as cursor:
        stored = cursor.execute(
            """
            INSERT INTO notifications (id, provider, target, kind, events, content)
            VALUES (%(id)s, %(provider)s, %(target)s, %(kind)s, %(events)s, %(content)s) RETURNING *
            """,
            {
                "id": number,
                "provider": provider,
                "target": target,
                "kind": kind,
                "events": list(events),
                "content": Jsonb(content),
            },
        ).fetchone()
        assert stored is not None  # noqa: S101 - the statement always returns one
        cursor.executemany(
            "INSERT INTO notified_runs (run_id, notification_id) VALUES (%(run)s, %(id)s) ON CONFLICT DO NOTHING",
            [{"run": run_id, "id": number} for run_id in run_ids],
        )
    queue(connection, stored)


def queue(connection: Connection[Any], notification: Notification, *, wait: float = 0.0) -> None:
    """Queue the job that sends a notification.

    Args:
        connection: The open connection; the caller commits.
        notification: The notification.
        wait: Seconds before the job may start.
    """
    job_id = jobs.defer(
        connection,
        jobs.SEND_NOTIFICATION,
        queue=jobs.CHORES,
        lock=notification.lock,
        wait=wait,
        number=str(notification.id),
    )
    connection.execute(
        """
        UPDATE notifications SET job_id = %(job)s,
            retry_at = CASE WHEN %(wait)s > 0 THEN clock_timestamp() + %(wait)s * interval '1 second' END
        WHERE id = %(id)s
        """,
        {"job": job_id, "id": notification.id, "wait": wait},
    )


def next_to_send(connection: Connection[Any], number: UUID) -> tuple[Notification, float] | None:
    """Return the notification that is to be sent now, and its age in seconds by the database's clock.

    A target gets those about a provider in their order, so it is the oldest one that waits.

    Args:
        connection: The open connection.
        number: The id of the notification whose job asks.

    Returns:
        None if there is none, or if the oldest one waits for its next attempt, which another job makes.
    """
    found = _select(
        connection,
        """
        SELECT waiting.* FROM notifications AS asked
            JOIN notifications AS waiting USING (provider, target)
        WHERE asked.id = %(id)s AND waiting.result = 'waiting'
        ORDER BY waiting.created_at, waiting.id LIMIT 1
        """,
        id=number,
    )
    row = connection.execute("SELECT clock_timestamp()").fetchone()
    assert row is not None  # noqa: S101 - the statement always returns one
    if not found or (found[0].id != number and found[0].retry_at is not None and found[0].retry_at > row[0]):
        return None
    return found[0], (row[0] - found[0].created_at).total_seconds()


def finish(
    connection: Connection[Any],
    notification: Notification,
    result: NotificationResult,
    *,
    host: str | None,
    error: str | None = None,
) -> None:
    """Store what became of a notification after its last attempt, and count it.

    Args:
        connection: The open connection; the caller commits.
        notification: The notification.
        result: What became of it.
        host: The host that it was sent to, if it is known.
        error: Why it was not sent; None keeps the error of an earlier attempt.
    """
    finished = connection.execute(
        """
        UPDATE notifications SET result = %(result)s, attempts = attempts + 1, finished_at = now(),
            host = coalesce(%(host)s, host), error = coalesce(%(error)s, error)
        WHERE id = %(id)s AND result = 'waiting'
        """,
        {"id": notification.id, "result": result, "host": host, "error": storable_text(error or "") or None},
    ).rowcount
    if finished:
        counters.add(connection, {Series.of(NOTIFICATIONS, kind=notification.kind, result=result.value): 1})


def try_again(
    connection: Connection[Any], notification: Notification, error: str, *, host: str | None, wait: float
) -> None:
    """Store why a notification was not sent, and queue the next attempt.

    Args:
        connection: The open connection; the caller commits.
        notification: The notification.
        error: Why.
        host: The host that it was sent to, if it is known.
        wait: Seconds before it is tried again.
    """
    waiting = connection.execute(
        """
        UPDATE notifications SET attempts = attempts + 1, error = %(error)s, host = coalesce(%(host)s, host)
        WHERE id = %(id)s AND result = 'waiting'
        """,
        {"id": notification.id, "error": storable_text(error), "host": host},
    ).rowcount
    if waiting:
        queue(connection, notification, wait=wait)


def queue_those_without_job(connection: Connection[Any]) -> int:
    """Queue those whose job is gone, as where a worker of an earlier version took it, and return their number."""
    found = _select(
        connection,
        "SELECT * FROM notifications WHERE result = 'waiting' "  # noqa: S608 - a constant
        "AND created_at < now() - interval '30 seconds' "
        f"AND NOT {jobs.HAS_JOB} ORDER BY created_at LIMIT 500 FOR UPDATE SKIP LOCKED",
    )
    for notification in found:
        queue(connection, notification)
    return len(found)


def trace_of(connection: Connection[Any], number: UUID) -> str | None:
    """Return the trace of the first run that a notification is about, as it is stored; None if there is none."""
    row = connection.execute(
        "SELECT trace FROM runs JOIN notified_runs ON run_id = runs.id WHERE notification_id = %(id)s "
        "AND trace IS NOT NULL ORDER BY runs.created_at LIMIT 1",
        {"id": number},
    ).fetchone()
    return row[0] if row else None


def of_run(connection: Connection[Any], run_id: UUID, *, most: int) -> list[Notification]:
    """Return the notifications that are about a run, oldest first."""
    return _select(
        connection,
        "SELECT * FROM notifications WHERE id IN (SELECT notification_id FROM notified_runs WHERE run_id = %(run)s) "
        "ORDER BY created_at, target LIMIT %(most)s",
        run=run_id,
        most=most,
    )


def latest_of_targets(connection: Connection[Any], provider: str) -> dict[str, Notification]:
    """Return the latest notification about a provider to each target, by the target's name."""
    found = _select(
        connection,
        "SELECT DISTINCT ON (target) * FROM (SELECT * FROM notifications WHERE provider = %(provider)s "
        "ORDER BY created_at DESC LIMIT 200) AS latest ORDER BY target, created_at DESC",
        provider=provider,
    )
    return {one.target: one for one in found}


def newest_failed(connection: Connection[Any], *, limit: int) -> list[Notification]:
    """Return those that were not sent, and are not tried again, newest first."""
    return _select(
        connection,
        "SELECT * FROM notifications WHERE result IN ('refused', 'given-up') ORDER BY created_at DESC LIMIT %(limit)s",
        limit=limit,
    )


def delete_old(connection: Connection[Any], days: float) -> int:
    """Delete a batch of those that are older than the history, and return how many were deleted.

    Args:
        connection: The open connection; the caller commits.
        days: The age in days from which they are deleted.
    """
    return connection.execute(
        """
        DELETE FROM notifications WHERE id IN (
            SELECT id FROM notifications WHERE created_at < now() - %(days)s * interval '1 day'
            ORDER BY created_at LIMIT %(batch)s FOR UPDATE SKIP LOCKED)
        """,
        {"days": days, "batch": BATCH},
    ).rowcount


def _select(connection: Connection[Any], query: str, **values: Any) -> list[Notification]:
    with connection.cursor(row_factory=class_row(Notification)) as cursor:
        return cursor.execute(query.encode(), values).fetchall()
