"""Commit statuses: each change of a run that means one is stored with it, and set by a job of its own.

The statuses of a commit and a consumer are set one at a time, and one that a later one has overtaken is not set any
more: a late `pending` never stands in the place of a result. A run never fails because of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import structlog
from psycopg.rows import class_row

from app.config.provider import CommandProvider, RunningProvider
from app.github.answers import GitHubAway, GitHubFailed
from app.queue import jobs
from app.records import runs
from app.statuses.meaning import PENDING, status_of

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from psycopg import Connection
    from psycopg_pool import ConnectionPool

    from app.config.settings import Settings
    from app.github.client import GitHub

log = structlog.get_logger("statuses")


@dataclass(frozen=True)
class StoredStatus:
    """A status, as it is stored; see `app/database/migrations/0003_github.sql` for what its fields mean."""

    id: int
    run_id: UUID
    repository: str
    sha: str
    context: str
    state: str
    description: str
    target_url: str | None
    latest: bool
    result: str
    attempts: int
    error: str | None
    job_id: int | None
    created_at: datetime
    finished_at: datetime | None

    @property
    def lock(self) -> str:
        """The lock of its jobs: GitHub gets the statuses of a commit and a consumer in their order."""
        return f"status {self.repository.lower()} {self.sha} {self.context}"


class Statuses:
    """The commit statuses of one configuration.

    Args:
        settings: whose commits get statuses, and where their runs can be seen.
        github: sets them; None where nothing is configured that would.
    """

    def __init__(self, settings: Settings, github: GitHub | None) -> None:
        self._settings = settings
        self._github = github

    def follow(self, connection: Connection[Any], run_id: UUID) -> None:
        """Store the status that a run asks for, and queue it; in the transaction that has changed the run.

        Args:
            connection: commits it.
            run_id: the run that may have changed.
        """
        if self._github is None:
            return
        run = runs.get(connection, run_id)
        provider = self._settings.provider_named(run.provider) if run is not None else None
        if run is None or provider is None or not self._settings.sets_statuses(provider):
            return
        version = provider.version if isinstance(provider, RunningProvider | CommandProvider) else None
        wanted = status_of(run, version)
        last = next(iter(of_run(connection, run_id)[-1:]), None)
        if wanted is None or (
            last is not None
            and (last.sha, last.context, last.state, last.description)
            == (wanted.sha, wanted.context, wanted.state, wanted.description)
        ):
            return
        public_url = self._settings.server.public_url
        connection.execute(
            "UPDATE commit_statuses SET latest = false WHERE run_id = %(run)s", {"run": run_id}
        )
        with connection.cursor(row_factory=class_row(StoredStatus)) as cursor:
            status = cursor.execute(
                """
                INSERT INTO commit_statuses (run_id, repository, sha, context, state, description, target_url)
                VALUES (%(run)s, %(repository)s, %(sha)s, %(context)s, %(state)s, %(description)s, %(url)s)
                RETURNING *
                """,
                {
                    "run": run_id,
                    "repository": provider.repository,
                    "sha": wanted.sha,
                    "context": wanted.context,
                    "state": wanted.state,
                    "description": wanted.description,
                    "url": f"{public_url.rstrip('/')}/runs/{run_id}" if public_url else None,
                },
            ).fetchone()
        assert status is not None  # noqa: S101 - the statement always returns one
        _queue(connection, status)

    def catch_up(self, connection: Connection[Any]) -> int:
        """Have statuses follow that nothing else would have follow.

        These are of runs that were ended by somebody who knows nothing of statuses (cancelled while they waited for
        another attempt), and such whose job is gone.

        Args:
            connection: from a pool; the transaction is this function's.

        Returns:
            How many there were.
        """
        if self._github is None:
            return 0
        with connection.transaction():
            ended = connection.execute(
                """
                SELECT run.id FROM commit_statuses status JOIN runs run ON run.id = status.run_id
                WHERE status.latest AND status.state = %(pending)s AND run.status IN ('finished', 'cancelled')
                  AND run.publishing <> 'pending' AND run.error_kind IS DISTINCT FROM 'superseded'
                FOR UPDATE OF run SKIP LOCKED
                """,
                {"pending": PENDING},
            ).fetchall()
            for (run_id,) in ended:
                self.follow(connection, run_id)
            with connection.cursor(row_factory=class_row(StoredStatus)) as cursor:
                orphans = cursor.execute(
                    """
                    SELECT * FROM commit_statuses status WHERE result = 'waiting'
                      AND NOT EXISTS (SELECT 1 FROM procrastinate_jobs job
                                      WHERE job.id = status.job_id AND job.status IN ('todo', 'doing'))
                    FOR UPDATE SKIP LOCKED
                    """
                ).fetchall()
            for status in orphans:
                _queue(connection, status)
        return len(ended) + len(orphans)

    def carry_out(self, pool: ConnectionPool[Any], status_id: int) -> None:
        """Set a status, as the job that was queued for it.

        Args:
            pool: of the database. No connection is held while GitHub is asked.
            status_id: which one.
        """
        with pool.connection() as connection:
            status = _to_set(connection, status_id)
            began = _time(connection)
        if status is None:
            return
        fields = {"run": str(status.run_id), "repository": status.repository, "state": status.state}
        if self._github is None:
            with pool.connection() as connection:
                _finish(connection, status, "given-up", "there are no credentials for GitHub any more")
            return
        try:
            self._github.set_status(
                status.repository,
                status.sha,
                status.state,
                context=status.context,
                description=status.description,
                target_url=status.target_url,
            )
        except GitHubFailed as error:
            wait = self._wait(status, error, began)
            with pool.connection() as connection:
                if wait is None:
                    _finish(connection, status, "given-up" if error.retryable else "refused", str(error))
                else:
                    _try_again(connection, status, error, wait)
            log.warning("commit status not set", error=str(error), retry_in=wait, **fields)
        else:
            with pool.connection() as connection:
                _wait_for_others(connection, status)
                _finish(connection, status, "set", None)
                _set_newest_again(connection, status, began)
            log.info("commit status set", sha=status.sha, context=status.context, **fields)

    def _wait(self, status: StoredStatus, error: GitHubFailed, began: datetime) -> float | None:
        if not isinstance(error, GitHubAway):
            return None
        return self._settings.github.retry_plan.wait_after(
            status.attempts + 1,
            elapsed=(began - status.created_at).total_seconds(),
            at_least=error.retry_after or 0.0,
        )


def of_run(connection: Connection[Any], run_id: UUID) -> list[StoredStatus]:
    """Read the statuses of a run, oldest first."""
    with connection.cursor(row_factory=class_row(StoredStatus)) as cursor:
        return cursor.execute(
            "SELECT * FROM commit_statuses WHERE run_id = %(run)s ORDER BY id", {"run": run_id}
        ).fetchall()


def _to_set(connection: Connection[Any], status_id: int) -> StoredStatus | None:
    """Read a status that is to be set; None if it is done with, or overtaken, which is noted."""
    with connection.cursor(row_factory=class_row(StoredStatus)) as cursor:
        status = cursor.execute(
            "SELECT * FROM commit_statuses WHERE id = %(id)s AND result = 'waiting'", {"id": status_id}
        ).fetchone()
    if status is None:
        return None
    overtaken = connection.execute(
        """
        SELECT 1 FROM commit_statuses WHERE repository = %(repository)s AND sha = %(sha)s
          AND context = %(context)s AND id > %(id)s LIMIT 1
        """,
        {"repository": status.repository, "sha": status.sha, "context": status.context, "id": status.id},
    ).fetchone()
    if overtaken is None:
        return status
    _finish(connection, status, "superseded", None, tried=False)
    return None


def _finish(
    connection: Connection[Any], status: StoredStatus, result: str, error: str | None, *, tried: bool = True
) -> None:
    connection.execute(
        """
        UPDATE commit_statuses SET result = %(result)s, error = coalesce(%(error)s, error), finished_at = now(),
            attempts = attempts + %(tried)s
        WHERE id = %(id)s AND result = 'waiting'
        """,
        {"id": status.id, "result": result, "error": error, "tried": int(tried)},
    )


def _time(connection: Connection[Any]) -> datetime:
    """Give the database's time."""
    row = connection.execute("SELECT clock_timestamp()").fetchone()
    assert row is not None  # noqa: S101 - the statement always returns one
    moment: datetime = row[0]
    return moment


def _wait_for_others(connection: Connection[Any], status: StoredStatus) -> None:
    """Wait until nobody else notes that a status of the same commit and context was set: then the last one sees all."""
    connection.execute("SELECT pg_advisory_xact_lock(hashtextextended(%(lock)s, 0))", {"lock": status.lock})


def _set_newest_again(connection: Connection[Any], status: StoredStatus, began: datetime) -> None:
    """Have the newest status set once more, if GitHub may have got an older one after it.

    Their lock rules that out, unless a worker was frozen meanwhile and taken for dead.

    Args:
        connection: of the transaction that has noted that `status` was set.
        status: what was set just now: the newest, or an older one.
        began: the time when that was begun.
    """
    with connection.cursor(row_factory=class_row(StoredStatus)) as cursor:
        newest = cursor.execute(
            """
            UPDATE commit_statuses SET result = 'waiting', finished_at = NULL
            WHERE result = 'set' AND id = (
                SELECT max(id) FROM commit_statuses
                WHERE repository = %(repository)s AND sha = %(sha)s AND context = %(context)s)
              AND (id > %(id)s OR EXISTS (
                SELECT 1 FROM commit_statuses older
                WHERE repository = %(repository)s AND sha = %(sha)s AND context = %(context)s
                  AND older.id < %(id)s AND older.result = 'set' AND older.finished_at > %(began)s))
            RETURNING *
            """,
            {
                "id": status.id,
                "repository": status.repository,
                "sha": status.sha,
                "context": status.context,
                "began": began,
            },
        ).fetchone()
    if newest is not None:
        _queue(connection, newest)


def _try_again(connection: Connection[Any], status: StoredStatus, error: GitHubFailed, wait: float) -> None:
    done = connection.execute(
        "UPDATE commit_statuses SET attempts = attempts + 1, error = %(error)s "
        "WHERE id = %(id)s AND result = 'waiting'",
        {"id": status.id, "error": str(error)},
    )
    if done.rowcount:
        _queue(connection, status, wait=wait)


def _queue(connection: Connection[Any], status: StoredStatus, *, wait: float = 0.0) -> None:
    job_id = jobs.defer(
        connection,
        jobs.STATUS,
        queue=jobs.CHORES,
        lock=status.lock,
        wait=wait,
        status_id=status.id,
    )
    connection.execute(
        "UPDATE commit_statuses SET job_id = %(job)s WHERE id = %(id)s", {"job": job_id, "id": status.id}
    )
