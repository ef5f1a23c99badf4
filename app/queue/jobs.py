"""The queue: Procrastinate on PostgreSQL, its queues, its tasks' names and its locks.

A job is deferred in the transaction that stores what it is for. The tasks themselves are in `app.worker`.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, LiteralString

import procrastinate
import psycopg
from procrastinate import SyncPsycopgConnector
from procrastinate.exceptions import ConnectorException
from psycopg.rows import dict_row, scalar_row

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from uuid import UUID

    from psycopg import Connection

RUNS = "runs"
"""The queue of verifications: long, one at a time for each provider."""
CHORES = "chores"
"""The queue of everything short: publishing again, statuses, relaying."""

VERIFY = "verify"
PUBLISH = "publish"
STATUS = "status"
LOOK = "look"
NOTICE_CHANGES = "notice-changes"
SEND_NOTIFICATION = "send-notification"

PRIORITY_SECONDS = 10
"""Jobs that are scheduled within so many seconds of each other have the same priority."""

HAS_JOB: LiteralString = (
    "EXISTS (SELECT 1 FROM procrastinate_jobs job WHERE job.id = job_id AND job.status IN ('todo', 'doing'))"
)
"""Whether a row with a `job_id` has a job that waits or runs, in SQL."""

# Only its SQL is used, on connections that are given to it; it is never opened.
_app = procrastinate.App(connector=SyncPsycopgConnector())


def defer(
    connection: Connection[Any],
    task: str,
    *,
    queue: str,
    lock: str | None = None,
    wait: float = 0.0,
    **arguments: Any,
) -> int:
    """Put a job into the queue, in the connection's transaction.

    A job that is scheduled for later blocks those of the same lock and a lower priority, and later ones of the same.
    So one that has to wait has a lower priority than all that don't, and the lower the longer it has to; when it is
    due, `promote_due` gives it its place.

    Args:
        connection: The open connection; the caller commits.
        task: The name of its task.
        queue: `RUNS` or `CHORES`.
        lock: No two jobs with the same one run at once.
        wait: The seconds before it may start, by the database's clock.
        arguments: Those of the task, in JSON.

    Returns:
        The job's id.
    """
    due = _time_in(connection, wait) if wait > 0 else None
    deferrer = _app.configure_task(
        task,
        queue=queue,
        lock=lock,
        priority=0 if due is None else -int(due.timestamp() // PRIORITY_SECONDS),
        schedule_at=due,
        connection=connection,
    )
    with _as_psycopg_fails():
        return deferrer.defer(**arguments)


def defer_run(connection: Connection[Any], run_id: UUID, lock: str | None, *, wait: float = 0.0) -> int:
    """Put the job of a run into the queue; see `defer`."""
    return defer(connection, VERIFY, queue=RUNS, lock=lock, wait=wait, run_id=str(run_id))


def add_run(connection: Connection[Any], job_id: int, run_id: UUID, lock: str | None) -> None:
    """Put the job of a new run into the queue, with an id that the run has already: no second version of its row.

    Args:
        connection: The open connection; the caller commits.
        job_id: An id from the sequence `procrastinate_jobs_id_seq`.
        run_id: The run.
        lock: No two jobs with the same one run at once.
    """
    _execute(
        connection,
        "INSERT INTO procrastinate_jobs (id, queue_name, task_name, lock, args) "
        "VALUES (%(job)s, %(queue)s, %(task)s, %(lock)s, jsonb_build_object('run_id', %(run)s::text))",
        job=job_id,
        queue=RUNS,
        task=VERIFY,
        lock=lock,
        run=str(run_id),
    )


def defer_publish(connection: Connection[Any], run_id: UUID, attempt: int, *, wait: float = 0.0) -> int:
    """Put the publishing of a run's result into the queue, apart from its provider's lock; see `defer`."""
    return defer(connection, PUBLISH, queue=CHORES, wait=wait, run_id=str(run_id), attempt=attempt)


def cancel(connection: Connection[Any], job_id: int) -> bool:
    """Cancel a job: one that waits isn't started, one that runs is told to stop.

    Returns:
        Whether there was anything to cancel.
    """
    with _as_psycopg_fails():
        return _app.job_manager.cancel_job_by_id(job_id, abort=True, delete_job=True, connection=connection)


def promote_due(connection: Connection[Any]) -> None:
    """Put jobs that were scheduled for later, and are due, before those that came after them.

    Without that, a provider that new runs keep busy would never get to a retry.
    """
    _execute(
        connection,
        # the lower bound leaves out all those that are due later, which may be many
        "UPDATE procrastinate_jobs SET priority = 0 WHERE status = 'todo' AND priority < 0 "
        "AND priority >= floor(extract(epoch FROM now()) / -%(seconds)s)::integer AND scheduled_at <= now()",
        seconds=PRIORITY_SECONDS,
    )


def is_open(connection: Connection[Any], job_id: int) -> bool:
    """Return whether a job waits or runs."""
    return bool(
        _execute(
            connection,
            "SELECT 1 FROM procrastinate_jobs WHERE id = %(job)s AND status IN ('todo', 'doing')",
            job=job_id,
        )
    )


def hasten(connection: Connection[Any], job_id: int, *, queue: str = RUNS) -> None:
    """Start a job now that is scheduled for later."""
    hastened = _execute(
        connection,
        "UPDATE procrastinate_jobs SET scheduled_at = NULL, priority = 0 WHERE id = %(job)s AND status = 'todo' "
        "AND scheduled_at IS NOT NULL",
        job=job_id,
    )
    if hastened:
        wake(connection, queue, job_id)


def wake(connection: Connection[Any], queue: str, job_id: int = 0) -> None:
    """Notify the workers of a queue, as Procrastinate's own trigger does for a new job."""
    _execute(
        connection,
        "SELECT pg_notify('procrastinate_queue_v1#' || %(queue)s, json_build_object('type', 'job_inserted', "
        "'job_id', %(job)s::bigint)::text)",
        queue=queue,
        job=job_id,
    )


LOCK_PREFIX = "provider "
"""What stands before the provider's name in the lock of its runs."""


def lock_of(provider: str, *, parallel: bool) -> str | None:
    """Return the lock of a provider's runs: they share its provider states, so one is carried out at a time."""
    return None if parallel else LOCK_PREFIX + provider


def _time_in(connection: Connection[Any], seconds: float) -> datetime:
    """Return the time in some seconds by the database's clock: those of the machines differ."""
    with connection.cursor(row_factory=scalar_row) as cursor:
        moment: datetime | None = cursor.execute(
            "SELECT clock_timestamp() + %(seconds)s * interval '1 second'", {"seconds": seconds}
        ).fetchone()
    assert moment is not None  # noqa: S101 - the statement always returns one
    return moment


@contextmanager
def _as_psycopg_fails() -> Iterator[None]:
    """Raise psycopg's error in the place of Procrastinate's: a database that is away is one error everywhere."""
    try:
        yield
    except ConnectorException as error:
        if isinstance(error.__cause__, psycopg.Error):
            raise error.__cause__ from None
        raise


def _execute(connection: Connection[Any], query: LiteralString, **values: Any) -> int:
    """Execute a statement, and return the number of rows that it changed or found."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(query, values).rowcount
