"""Runs: one execution of a dispatch by a worker, from waiting to finished.

Each change of state is one statement that says from which state; an attempt that is no longer the latest one
(its worker was frozen, and another has taken the run up) changes nothing.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, LiteralString
from uuid import UUID, uuid4

from psycopg.errors import UniqueViolation
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from app.database.storable import storable_text
from app.queue import jobs
from app.records import relays
from app.records.run_status import Publishing, RunReason, RunStatus
from verifier.verification import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from psycopg import Connection

    from app.dispatch import Dispatch


@dataclass(frozen=True)
class Run:
    """A run, as it is stored; see `app/database/migrations/0001_deliveries_and_runs.sql` for what its fields mean."""

    id: UUID
    key: str
    provider: str
    repository: str
    event_type: str
    reason: RunReason
    pact_url: str
    consumer: str | None
    consumer_version: str | None
    sha: str | None
    branch: str | None
    status: RunStatus
    outcome: Outcome | None
    error: str | None
    error_kind: str | None
    error_output: str | None
    attempt: int
    job_id: int | None
    retry_at: datetime | None
    cancel_requested: bool
    worker: str | None
    provider_version: str | None
    provider_branch: str | None
    interactions: int | None
    failed_interactions: int | None
    publishing: Publishing
    publish_attempts: int
    publish_error: str | None
    result_url: str | None
    created_at: datetime
    started_at: datetime | None
    verified_at: datetime | None
    finished_at: datetime | None

    def __post_init__(self) -> None:
        # the database knows them as text
        object.__setattr__(self, "reason", RunReason(self.reason))
        object.__setattr__(self, "status", RunStatus(self.status))
        object.__setattr__(self, "outcome", Outcome(self.outcome) if self.outcome else None)
        object.__setattr__(self, "publishing", Publishing(self.publishing))


_COLUMNS = ", ".join(field.name for field in fields(Run))
"""All columns but `verification`, which may have megabytes: `verification_of` reads it where it is needed."""


@dataclass(frozen=True)
class Failure:
    """Why a run has no answer.

    Attributes:
        kind: in a word.
        message: what happened, to what, and what to do next.
        retryable: whether it may heal by itself.
        output: the last lines that the provider, git or the engine printed.
    """

    kind: str
    message: str
    retryable: bool = False
    output: str = ""


def key_of(provider: str, dispatch: Dispatch) -> str:
    """Give what is the same for dispatches that ask for the same: provider, pact, commit and its branch.

    One that is passed on counts as a whole: nothing of it may get lost.
    """
    asked = json.dumps([provider, dispatch.pact_url, dispatch.sha, dispatch.branch])
    if dispatch.client_payload is not None:
        asked += json.dumps([dispatch.event_type, dispatch.client_payload])
    return hashlib.sha256(asked.encode()).hexdigest()


def request(
    connection: Connection[Any],
    provider: str,
    dispatch: Dispatch,
    *,
    lock: str | None,
    reason: RunReason = RunReason.DISPATCHED,
) -> tuple[UUID, bool]:
    """Have a dispatch carried out: by a run that waits already, or by a new one.

    A run that waits for its next attempt is hastened: something has changed, perhaps what it waits for.

    Returns:
        The run's id, and whether it was waiting already.
    """
    run_id = uuid4()
    row = connection.execute(
        """
        INSERT INTO runs (id, key, provider, repository, event_type, reason, pact_url, consumer, sha, branch, status)
        VALUES (%(id)s, %(key)s, %(provider)s, %(repository)s, %(event_type)s, %(reason)s, %(pact_url)s, %(consumer)s,
                %(sha)s, %(branch)s, 'waiting')
        ON CONFLICT (key) WHERE status = 'waiting' DO UPDATE SET retry_at = NULL
        RETURNING id, job_id
        """,
        {
            "id": run_id,
            "key": key_of(provider, dispatch),
            "provider": provider,
            "repository": dispatch.repository,
            "event_type": dispatch.event_type,
            "reason": reason,
            "pact_url": dispatch.pact_url,
            "consumer": dispatch.consumer,
            "sha": dispatch.sha,
            "branch": dispatch.branch,
        },
    ).fetchone()
    assert row is not None  # noqa: S101 - the statement always returns one
    found, job_id = row
    if found != run_id:
        if job_id is not None:
            jobs.hasten(connection, job_id)
        return found, True
    if dispatch.client_payload is not None:
        relays.add(connection, run_id, dispatch.client_payload)
    _set_job(connection, run_id, jobs.defer_run(connection, run_id, lock))
    return run_id, False


def get(connection: Connection[Any], run_id: UUID) -> Run | None:
    """Read a run."""
    return _one(connection, "SELECT {columns} FROM runs WHERE id = %(id)s", id=run_id)


def waiting_for_unknown_providers(connection: Connection[Any], known: Iterable[str]) -> list[str]:
    """Return the providers that runs wait for, other than the known ones, in the order of their names."""
    rows = connection.execute(
        "SELECT DISTINCT provider FROM runs WHERE status = 'waiting' AND provider <> ALL(%(known)s) ORDER BY 1",
        {"known": list(known)},
    )
    return [provider for (provider,) in rows]


def verification_of(connection: Connection[Any], run_id: UUID) -> dict[str, Any] | None:
    """Return the verification of a run in its saved form, or None if there is none (yet)."""
    row = connection.execute("SELECT verification FROM runs WHERE id = %(id)s", {"id": run_id}).fetchone()
    return row[0] if row else None


def seconds_since_start(connection: Connection[Any], run: Run) -> float:
    """Return the seconds since the first attempt of a run began, by the database's clock."""
    row = connection.execute(
        "SELECT extract(epoch FROM now() - coalesce(started_at, created_at))::double precision "
        "FROM runs WHERE id = %(id)s",
        {"id": run.id},
    ).fetchone()
    return row[0] if row else 0.0


def begin(connection: Connection[Any], run_id: UUID, job_id: int, worker: str) -> Run | None:
    """Start an attempt.

    A run that was running already was left behind by a worker that is gone: this is its next attempt.

    Returns:
        The run; None if it isn't to be run by this job (any more).
    """
    return _one(
        connection,
        """
        UPDATE runs SET status = 'running', attempt = attempt + 1, worker = %(worker)s, retry_at = NULL,
            started_at = coalesce(started_at, now()), error = NULL, error_kind = NULL, error_output = NULL,
            outcome = CASE WHEN publishing = 'pending' THEN outcome END
        WHERE id = %(id)s AND job_id = %(job)s AND status IN ('waiting', 'running') AND NOT cancel_requested
        RETURNING {columns}
        """,
        id=run_id,
        job=job_id,
        worker=worker,
    )


def verified(
    connection: Connection[Any], run: Run, verification: dict[str, Any], *, publish: bool
) -> Run | None:
    """Keep what was found out.

    Args:
        connection: commits it.
        run: the attempt that found it out.
        verification: in its saved form.
        publish: whether it is to be published.

    Returns:
        The run as it now is; None if this attempt is not the latest one.
    """
    error = verification.get("error") or {}
    interactions = verification.get("interactions", ())
    return _one(
        connection,
        """
        UPDATE runs SET verification = %(verification)s, outcome = %(outcome)s, verified_at = now(),
            consumer = coalesce(nullif(%(consumer)s, ''), consumer), consumer_version = %(consumer_version)s,
            provider_version = %(provider_version)s, provider_branch = %(provider_branch)s,
            interactions = %(interactions)s, failed_interactions = %(failed)s, publishing = %(publishing)s,
            error = %(error)s, error_kind = %(error_kind)s, error_output = %(error_output)s
        WHERE id = %(id)s AND attempt = %(attempt)s AND status = 'running'
        RETURNING {columns}
        """,
        id=run.id,
        attempt=run.attempt,
        verification=Jsonb(verification),
        outcome=verification["outcome"],
        consumer=verification.get("consumer"),
        consumer_version=verification.get("consumer_version"),
        provider_version=verification.get("provider_version"),
        provider_branch=verification.get("provider_branch"),
        interactions=len(interactions),
        failed=sum(interaction.get("outcome") == "failed" for interaction in interactions),
        publishing=Publishing.PENDING if publish else Publishing.NONE,
        error=error.get("message"),
        error_kind=error.get("kind"),
        error_output=error.get("output") or None,
    )


def published(connection: Connection[Any], run: Run, result_url: str) -> None:
    """Note that the broker has confirmed the result, and that the run is finished."""
    connection.execute(
        """
        UPDATE runs SET publishing = 'published', result_url = %(url)s, publish_error = NULL,
            error = NULL, error_kind = NULL, publish_attempts = publish_attempts + 1,
            status = 'finished', finished_at = now()
        WHERE id = %(id)s AND attempt = %(attempt)s AND publishing = 'pending'
        """,
        {"id": run.id, "attempt": run.attempt, "url": result_url},
    )


def not_published(connection: Connection[Any], run: Run, error: str, *, wait: float | None) -> None:
    """Note that the broker did not take the result.

    The run is finished for its provider's lock, and goes on in a job of its own: what is left is the broker's affair.

    Args:
        connection: commits it.
        run: the attempt.
        error: why.
        wait: seconds until it is tried again; None if it never is.
    """
    done = connection.execute(
        """
        UPDATE runs SET publishing = %(publishing)s, publish_error = %(error)s,
            publish_attempts = publish_attempts + 1,
            status = 'finished', finished_at = coalesce(finished_at, now()),
            error = %(error)s, error_kind = 'not-published'
        WHERE id = %(id)s AND attempt = %(attempt)s AND publishing = 'pending'
        """,
        {
            "id": run.id,
            "attempt": run.attempt,
            "publishing": Publishing.REFUSED if wait is None else Publishing.PENDING,
            "error": storable_text(error),
        },
    )
    if done.rowcount and wait is not None:
        _set_job(connection, run.id, jobs.defer_publish(connection, run.id, run.attempt, wait=wait))


def finish(connection: Connection[Any], run: Run) -> None:
    """Note that a run is done whose result isn't to be published."""
    connection.execute(
        "UPDATE runs SET status = 'finished', finished_at = now() "
        "WHERE id = %(id)s AND attempt = %(attempt)s AND status = 'running'",
        {"id": run.id, "attempt": run.attempt},
    )


def fail(connection: Connection[Any], run: Run, failure: Failure) -> None:
    """Note that a run has no answer, for good."""
    connection.execute(
        """
        UPDATE runs SET status = 'finished', finished_at = now(), outcome = 'error', error = %(message)s,
            error_kind = %(kind)s, error_output = %(output)s,
            publishing = CASE publishing WHEN 'pending' THEN 'none' ELSE publishing END
        WHERE id = %(id)s AND attempt = %(attempt)s AND status = 'running'
        """,
        {
            "id": run.id,
            "attempt": run.attempt,
            "message": storable_text(failure.message),
            "kind": failure.kind,
            "output": storable_text(failure.output) or None,
        },
    )


def try_again(
    connection: Connection[Any], run: Run, failure: Failure | None, *, wait: float, lock: str | None
) -> bool:
    """Put a run back into the queue.

    Args:
        connection: commits it.
        run: the attempt that came to nothing.
        failure: why; None if it was handed back and nothing failed.
        wait: seconds before it may start.
        lock: its provider's.

    Returns:
        False if there is no need: a run that was asked for meanwhile will answer the same, this one was cancelled
        meanwhile, or this attempt is not the latest one. The first two end this run.
    """
    message = storable_text(failure.message) if failure else None
    try:
        with connection.transaction():
            done = connection.execute(
                """
                UPDATE runs SET status = 'waiting', error = %(message)s, error_kind = %(kind)s,
                    error_output = %(output)s, outcome = CASE publishing WHEN 'pending' THEN outcome END,
                    retry_at = CASE WHEN %(wait)s > 0 THEN now() + %(wait)s * interval '1 second' END
                WHERE id = %(id)s AND attempt = %(attempt)s AND status = 'running' AND NOT cancel_requested
                """,
                {
                    "id": run.id,
                    "attempt": run.attempt,
                    "message": message,
                    "kind": failure.kind if failure else None,
                    "output": storable_text(failure.output) or None if failure else None,
                    "wait": wait,
                },
            )
            if not done.rowcount:
                # one that waits is cancelled at once: others may join it until then, and must not be lost
                cancelled(connection, run.id)
                return False
            _set_job(connection, run.id, jobs.defer_run(connection, run.id, lock, wait=wait))
    except UniqueViolation:
        fail(
            connection,
            run,
            Failure(
                "superseded",
                f"{message or 'It was interrupted'}. The same was asked for again meanwhile: a later run answers it",
            ),
        )
        return False
    return True


def cancel(connection: Connection[Any], run_id: UUID) -> Run | None:
    """Cancel a run that waits, or have one that runs stopped.

    Returns:
        The run, whatever became of it; None if there is none.
    """
    run = _one(
        connection,
        """
        UPDATE runs SET cancel_requested = true,
            status = CASE WHEN status = 'waiting' THEN 'cancelled' ELSE status END,
            finished_at = CASE WHEN status = 'waiting' THEN now() ELSE finished_at END
        WHERE id = %(id)s AND status IN ('waiting', 'running')
        RETURNING {columns}
        """,
        id=run_id,
    )
    if run is None:
        return get(connection, run_id)
    if run.job_id is not None:
        jobs.cancel(connection, run.job_id)
    return run


def cancelled(connection: Connection[Any], run_id: UUID) -> bool:
    """Note that a run was stopped because it was cancelled.

    Returns:
        Whether it was: one that is stopped because its worker stops wasn't.
    """
    done = connection.execute(
        """
        UPDATE runs SET status = 'cancelled', finished_at = now(),
            publishing = CASE publishing WHEN 'pending' THEN 'none' ELSE publishing END
        WHERE id = %(id)s AND status = 'running' AND cancel_requested
        """,
        {"id": run_id},
    )
    return bool(done.rowcount)


def to_publish(connection: Connection[Any], run_id: UUID, attempt: int) -> Run | None:
    """Read a run whose result is to be published; None if it isn't (any more), or not by this attempt."""
    return _one(
        connection,
        "SELECT {columns} FROM runs WHERE id = %(id)s AND attempt = %(attempt)s AND publishing = 'pending'",
        id=run_id,
        attempt=attempt,
    )


def keep_log(connection: Connection[Any], run_id: UUID, text: str) -> None:
    """Keep the log of a run, in the place of what was there."""
    connection.execute(
        "INSERT INTO run_logs (run_id, text) VALUES (%(id)s, %(text)s) "
        "ON CONFLICT (run_id) DO UPDATE SET text = excluded.text",
        {"id": run_id, "text": storable_text(text)},
    )


def log_of(connection: Connection[Any], run_id: UUID) -> str:
    """Read the log of a run; "" where there is none (yet)."""
    row = connection.execute("SELECT text FROM run_logs WHERE run_id = %(id)s", {"id": run_id}).fetchone()
    return str(row[0]) if row else ""


def _set_job(connection: Connection[Any], run_id: UUID, job_id: int) -> None:
    connection.execute("UPDATE runs SET job_id = %(job)s WHERE id = %(id)s", {"id": run_id, "job": job_id})


def _one(connection: Connection[Any], query: LiteralString, **values: Any) -> Run | None:
    with connection.cursor(row_factory=class_row(Run)) as cursor:
        return cursor.execute(query.replace("{columns}", _COLUMNS), values).fetchone()
