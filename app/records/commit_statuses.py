"""Commit statuses: what is told to GitHub of a run, and whether GitHub has it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, LiteralString

from psycopg.rows import class_row

from app.database.storable import storable_text
from app.queue import jobs

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from psycopg import Connection


class CommitState(StrEnum):
    """A state of a commit status, as GitHub knows it."""

    PENDING = "pending"
    SUCCESS = "success"
    FAILURE = "failure"
    ERROR = "error"


class StatusResult(StrEnum):
    """What became of a status."""

    WAITING = "waiting"
    SET = "set"
    SUPERSEDED = "superseded"
    """A later status of the same commit and context was stored before this one was set."""
    REFUSED = "refused"
    GIVEN_UP = "given-up"


@dataclass(frozen=True)
class CommitStatus:
    """A status of a commit.

    Attributes:
        sha: The commit's full id.
        context: The name of the status, which tells it apart from other statuses of the commit.
        state: The state.
        description: A sentence for people.
    """

    sha: str
    context: str
    state: CommitState
    description: str


@dataclass(frozen=True)
class StoredStatus:
    """A status as it is stored; see `app/database/migrations/0003_github.sql` for what its fields mean.

    Its `finished_at` is the end of its last attempt, also while it waits for the next one.
    """

    id: int
    run_id: UUID
    repository: str
    sha: str
    context: str
    state: CommitState
    description: str
    target_url: str | None
    latest: bool
    result: StatusResult
    attempts: int
    error: str | None
    job_id: int | None
    created_at: datetime
    finished_at: datetime | None

    def __post_init__(self) -> None:
        # the database knows them as text
        object.__setattr__(self, "state", CommitState(self.state))
        object.__setattr__(self, "result", StatusResult(self.result))

    @property
    def status(self) -> CommitStatus:
        """The status itself."""
        return CommitStatus(self.sha, self.context, self.state, self.description)

    @property
    def lock(self) -> str:
        """The lock of its jobs: GitHub gets the statuses of a commit and a context in their order."""
        return f"status {self.repository.lower()} {self.sha} {self.context}"


def of_run(connection: Connection[Any], run_id: UUID) -> list[StoredStatus]:
    """Return the statuses of a run, oldest first."""
    return _select(connection, "SELECT * FROM commit_statuses WHERE run_id = %(run)s ORDER BY id", run=run_id)


def newest_failed(connection: Connection[Any], *, limit: int) -> list[StoredStatus]:
    """Return the statuses that GitHub did not take, and does not get any more, newest first."""
    return _select(
        connection,
        "SELECT * FROM commit_statuses WHERE result IN ('refused', 'given-up') "
        "ORDER BY finished_at DESC LIMIT %(limit)s",
        limit=limit,
    )


def add(
    connection: Connection[Any],
    run_id: UUID,
    status: CommitStatus,
    *,
    repository: str,
    target_url: str | None,
) -> None:
    """Store a run's latest status, and queue its job.

    Args:
        connection: The open connection; the caller commits.
        run_id: The run's id.
        status: The status.
        repository: OWNER/REPO.
        target_url: The URL behind the status; None for none.
    """
    connection.execute("UPDATE commit_statuses SET latest = false WHERE run_id = %(run)s", {"run": run_id})
    [stored] = _select(
        connection,
        """
        INSERT INTO commit_statuses (run_id, repository, sha, context, state, description, target_url)
        VALUES (%(run)s, %(repository)s, %(sha)s, %(context)s, %(state)s, %(description)s, %(url)s)
        RETURNING *
        """,
        run=run_id,
        repository=repository,
        url=target_url,
        **vars(status),
    )
    queue(connection, stored)


def queue(connection: Connection[Any], status: StoredStatus, *, wait: float = 0.0) -> None:
    """Queue the job that sets a status.

    Args:
        connection: The open connection; the caller commits.
        status: The status.
        wait: Seconds before the job may start.
    """
    job_id = jobs.defer(
        connection, jobs.STATUS, queue=jobs.CHORES, lock=status.lock, wait=wait, status_id=status.id
    )
    connection.execute(
        "UPDATE commit_statuses SET job_id = %(job)s WHERE id = %(id)s", {"job": job_id, "id": status.id}
    )


def begin(connection: Connection[Any], status_id: int) -> tuple[StoredStatus, datetime] | None:
    """Return a status that is to be set, and the database's time.

    Returns:
        None if it waits no more, or if a later one stands in its place, which is stored.
    """
    found = _select(
        connection, "SELECT * FROM commit_statuses WHERE id = %(id)s AND result = 'waiting'", id=status_id
    )
    if not found:
        return None
    row = connection.execute(
        """
        SELECT clock_timestamp(), EXISTS (
            SELECT 1 FROM commit_statuses
            WHERE repository = %(repository)s AND sha = %(sha)s AND context = %(context)s AND id > %(id)s)
        """,
        vars(found[0]),
    ).fetchone()
    assert row is not None  # noqa: S101 - the statement always returns one
    now, superseded = row
    if not superseded:
        return found[0], now
    connection.execute(
        "UPDATE commit_statuses SET result = 'superseded', finished_at = now() "
        "WHERE id = %(id)s AND result = 'waiting'",
        {"id": status_id},
    )
    return None


def finish(
    connection: Connection[Any],
    status: StoredStatus,
    result: StatusResult,
    error: str | None = None,
    *,
    began: datetime | None = None,
) -> None:
    """Store what became of a status after its last attempt.

    Args:
        connection: The open connection, in a transaction of its own; the caller commits.
        status: The status.
        result: What became of it.
        error: Why it was not set; None keeps the error of an earlier attempt.
        began: As for `finish_as_set`, if GitHub has the status for sure.
    """
    _lock(connection, status)
    # a worker that was frozen may repeat what another one did, which stands; only the end of its attempt is noted
    connection.execute(
        """
        UPDATE commit_statuses SET finished_at = now(), attempts = attempts + 1,
            result = CASE result WHEN 'waiting' THEN %(result)s ELSE result END,
            error = CASE WHEN result IN ('waiting', %(result)s) THEN coalesce(%(error)s, error) ELSE error END
        WHERE id = %(id)s
        """,
        {"id": status.id, "result": result, "error": error and storable_text(error)},
    )
    _queue_newest_again(connection, status, began)


def try_again(connection: Connection[Any], status: StoredStatus, error: str, *, wait: float) -> None:
    """Store why an attempt failed, and queue the next one.

    Args:
        connection: The open connection, in a transaction of its own; the caller commits.
        status: The status.
        error: Why it was not set.
        wait: Seconds before the next attempt.
    """
    _lock(connection, status)
    done = connection.execute(
        """
        UPDATE commit_statuses SET attempts = attempts + 1,
            error = CASE result WHEN 'waiting' THEN %(error)s ELSE error END, finished_at = now()
        WHERE id = %(id)s RETURNING result
        """,
        {"id": status.id, "error": storable_text(error)},
    ).fetchone()
    if done == (StatusResult.WAITING,):  # otherwise others have gone on while this worker was frozen
        queue(connection, status, wait=wait)
    _queue_newest_again(connection, status)


def finish_as_set(connection: Connection[Any], status: StoredStatus, began: datetime) -> None:
    """Store that GitHub has a status.

    Args:
        connection: The open connection, in a transaction of its own; the caller commits.
        status: The status that was set: the newest, or an older one.
        began: The database's time before it was set.
    """
    finish(connection, status, StatusResult.SET, began=began)


def _lock(connection: Connection[Any], status: StoredStatus) -> None:
    """Let the last of several that end statuses of a commit and a context at once see what the others have stored."""
    connection.execute("SELECT pg_advisory_xact_lock(hashtextextended(%(lock)s, 0))", {"lock": status.lock})


def _queue_newest_again(
    connection: Connection[Any], status: StoredStatus, began: datetime | None = None
) -> None:
    """Queue the newest status once more if GitHub may have got an older one after it.

    The lock of the jobs rules that out, unless a worker was frozen meanwhile and taken for dead. Whoever stores its end
    last finds out: the older one's that the newest is set already, or the newest's that an attempt of an older one has
    ended since it began.

    Args:
        connection: The open connection, which has the lock; the caller commits.
        status: The status that GitHub may have: the newest, or an older one.
        began: The database's time before GitHub was told, if GitHub has it for sure. Without, an attempt whose answer
            was lost or came too late may have been successful all the same.
    """
    again = _select(
        connection,
        """
        UPDATE commit_statuses SET result = 'waiting', finished_at = NULL
        WHERE result = 'set' AND id = (
            SELECT max(id) FROM commit_statuses
            WHERE repository = %(repository)s AND sha = %(sha)s AND context = %(context)s)
          AND (%(began)s::timestamptz IS NULL OR id > %(id)s OR EXISTS (
            SELECT 1 FROM commit_statuses older
            WHERE repository = %(repository)s AND sha = %(sha)s AND context = %(context)s
              AND older.id < %(id)s
              -- one of later than now: the clock was set back, by which the newest would be set over and over
              AND older.finished_at > %(began)s::timestamptz AND older.finished_at <= clock_timestamp()))
        RETURNING *
        """,
        began=began,
        **vars(status),
    )
    for newest in again:
        queue(connection, newest)


def runs_that_ended(connection: Connection[Any]) -> list[UUID]:
    """Lock and return the runs that have ended, although the latest status of their commit is pending."""
    rows = connection.execute(
        """
        SELECT run.id FROM commit_statuses status JOIN runs run ON run.id = status.run_id
        WHERE status.latest AND status.state = 'pending' AND run.status IN ('finished', 'cancelled')
          AND run.publishing <> 'pending' AND run.error_kind IS DISTINCT FROM 'superseded'
        FOR UPDATE OF run SKIP LOCKED
        """
    )
    return [run_id for (run_id,) in rows]


def without_job(connection: Connection[Any]) -> list[StoredStatus]:
    """Lock and return the statuses that wait, although their job is gone."""
    return _select(
        connection,
        f"SELECT * FROM commit_statuses WHERE result = 'waiting' AND NOT {jobs.HAS_JOB} "  # noqa: S608 - a constant
        "FOR UPDATE SKIP LOCKED",
    )


def _select(connection: Connection[Any], query: LiteralString, **values: Any) -> list[StoredStatus]:
    with connection.cursor(row_factory=class_row(StoredStatus)) as cursor:
        return cursor.execute(query, values).fetchall()
