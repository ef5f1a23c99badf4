"""The runs of the pacts that a run for every pact of a provider verifies: each is stored when its pact has an outcome.

Such a run has ended when it is stored. It is seen, published and told to GitHub like any other one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from app.queue import jobs
from app.records.run import Publishing, Run
from app.records.runs import COLUMNS, select_one
from verifier.verification import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable
    from uuid import UUID

    from psycopg import Connection


def add(
    connection: Connection[Any], parent: Run, verification: dict[str, Any], run_id: UUID, *, pending: bool
) -> Run | None:
    """Store the verification of a pact. Its result, if it is one, is published by a job.

    Args:
        connection: The open connection; the caller commits.
        parent: The run for every pact.
        verification: The verification in its saved form.
        run_id: The id that the run of the pact gets.
        pending: Whether a failure of the pact doesn't fail the parent.

    Returns:
        The run of the pact; None if the parent's attempt is not the latest one.
    """
    values = values_of(verification)
    publish = values["outcome"] != Outcome.ERROR and bool(values["provider_version"])
    run = select_one(
        connection,
        """
        INSERT INTO runs (id, parent_id, pending, key, provider, repository, event_type, reason, sha, branch,
            worker, attempt, status, pact_url, outcome, consumer, consumer_version, provider_version, provider_branch,
            interactions, failed_interactions, verification, publishing, error, error_kind, error_output,
            created_at, started_at, verified_at, finished_at, trace)
        SELECT %(id)s, id, %(pending)s, %(key)s, provider, repository, event_type, reason, sha, branch, worker,
            1, 'finished', %(pact_url)s, %(outcome)s, %(consumer)s, %(consumer_version)s, %(provider_version)s,
            %(provider_branch)s, %(interactions)s, %(failed)s, %(verification)s, %(publishing)s, %(error)s,
            %(error_kind)s, %(error_output)s,
            now() - %(seconds)s * interval '1 second', now() - %(seconds)s * interval '1 second', now(), now(),
            trace
        FROM runs WHERE id = %(parent)s AND attempt = %(attempt)s AND status = 'running'
        FOR UPDATE  -- another worker begins the next attempt before this or after it, and then sees it
        RETURNING {columns}
        """,
        **values,
        id=run_id,
        parent=parent.id,
        attempt=parent.attempt,
        pending=pending,
        key=str(run_id),
        pact_url=verification["pact_url"],
        seconds=verification.get("duration") or 0.0,
        publishing=Publishing.PENDING if publish else Publishing.NONE,
    )
    if run is not None and publish:
        set_job(connection, run.id, jobs.defer_publish(connection, run.id, run.attempt))
    return run


def complete_parent(connection: Connection[Any], parent_id: UUID) -> Run | None:
    """Note that all results of a run for every pact are published, or that the broker refused some, once that is so.

    It must see what others have committed, so it is for a transaction of its own.

    Returns:
        The run, to the one caller that finds it complete; None to all others.
    """
    # whoever has a result published again locks the run: what the next statement sees is from after that
    connection.execute("SELECT 1 FROM runs WHERE id = %(id)s FOR NO KEY UPDATE", {"id": parent_id})
    return select_one(
        connection,
        """
        UPDATE runs SET publishing = CASE
            WHEN EXISTS (SELECT 1 FROM runs member WHERE member.parent_id = %(id)s AND member.publishing = 'refused')
            THEN 'refused' ELSE 'published' END
        WHERE id = %(id)s AND pact_url IS NULL AND status = 'finished' AND publishing = 'none'
            AND EXISTS (SELECT 1 FROM runs member WHERE member.parent_id = %(id)s AND member.publishing <> 'none')
            AND NOT EXISTS (SELECT 1 FROM runs member WHERE member.parent_id = %(id)s AND member.publishing = 'pending')
        RETURNING {columns}
        """,
        id=parent_id,
    )


def incomplete_parents(connection: Connection[Any]) -> list[UUID]:
    """Return the runs for every pact whose results are all told, which nobody has noted: its worker had gone."""
    rows = connection.execute(
        """
        SELECT id FROM runs
        WHERE pact_url IS NULL AND status = 'finished' AND publishing = 'none'
            AND finished_at BETWEEN now() - interval '7 days' AND now() - interval '30 seconds'
            AND EXISTS (SELECT 1 FROM runs member
                        WHERE member.parent_id = runs.id AND member.publishing <> 'none')
            AND NOT EXISTS (SELECT 1 FROM runs member
                            WHERE member.parent_id = runs.id AND member.publishing = 'pending')
        ORDER BY finished_at LIMIT 100
        """
    )
    return [run_id for (run_id,) in rows]


def of_parent(connection: Connection[Any], parent_id: UUID) -> list[Run]:
    """Return the runs of the pacts that a run is for, in the order of their end."""
    with connection.cursor(row_factory=class_row(Run)) as cursor:
        return cursor.execute(
            f"SELECT {COLUMNS} FROM runs WHERE parent_id = %(id)s ORDER BY verified_at, id",  # noqa: S608 - constants
            {"id": parent_id},
        ).fetchall()


def not_published(connection: Connection[Any], parent_id: UUID) -> list[Run]:
    """Return the runs of pacts whose results the broker has not taken; nobody else changes them meanwhile."""
    with connection.cursor(row_factory=class_row(Run)) as cursor:
        return cursor.execute(
            f"SELECT {COLUMNS} FROM runs WHERE parent_id = %(id)s AND status = 'finished' "  # noqa: S608 - constants
            "AND publishing IN ('pending', 'refused') ORDER BY id FOR UPDATE".encode(),
            {"id": parent_id},
        ).fetchall()


def reopen_parent(connection: Connection[Any], parent_id: UUID) -> None:
    """Have it noted anew what became of the results of a run for every pact, since one is published again."""
    connection.execute(
        "UPDATE runs SET publishing = 'none' WHERE id = %(id)s AND publishing = 'refused'", {"id": parent_id}
    )


def of_same_consumer(connection: Connection[Any], run: Run) -> list[Run]:
    """Return the runs of the other pacts of the same consumer, with the same version of the provider.

    Until the transaction ends, no other one gets them: each sees what the one before has stored.
    """
    if run.parent_id is None:
        return []
    values = vars(run) | {"lock": f"pacts {run.parent_id} {run.consumer}"}
    connection.execute("SELECT pg_advisory_xact_lock(hashtextextended(%(lock)s, 0))", values)
    with connection.cursor(row_factory=class_row(Run)) as cursor:
        return cursor.execute(
            f"""
            SELECT {COLUMNS} FROM runs
            WHERE parent_id = %(parent_id)s AND id <> %(id)s AND consumer = %(consumer)s
                AND provider_version = %(provider_version)s
            ORDER BY verified_at, id
            """,  # noqa: S608 - constants
            values,
        ).fetchall()


def values_of(verification: dict[str, Any]) -> dict[str, Any]:
    """Return the values of a run's columns that come from a verification in its saved form."""
    error = verification.get("error") or {}
    interactions = verification.get("interactions", ())
    return {
        "verification": Jsonb(verification),
        "outcome": verification["outcome"],
        "consumer": verification.get("consumer"),
        "consumer_version": verification.get("consumer_version"),
        "provider_version": verification.get("provider_version"),
        "provider_branch": verification.get("provider_branch"),
        "interactions": len(interactions),
        "failed": sum(interaction.get("outcome") == Outcome.FAILED for interaction in interactions),
        "error": error.get("message"),
        "error_kind": error.get("kind"),
        "error_output": error.get("output") or None,
    }


def set_job(connection: Connection[Any], run_id: UUID, job_id: int) -> None:
    """Note the job that carries a run out, or publishes its result."""
    connection.execute("UPDATE runs SET job_id = %(job)s WHERE id = %(id)s", {"id": run_id, "job": job_id})


@dataclass(frozen=True)
class PactCount:
    """How many pacts a run for every pact has, and what became of them.

    Attributes:
        all: Those that have an outcome.
        failed: Those that are broken, and count: they are not pending.
        errors: Those that could not be verified.
    """

    all: int
    failed: int
    errors: int


def counts_of(connection: Connection[Any], parent_ids: Iterable[UUID]) -> dict[UUID, PactCount]:
    """Return the counts of runs for every pact, by the run's id; those without an outcome yet are left out."""
    rows = connection.execute(
        """
        SELECT member.parent_id, count(*), count(*) FILTER (WHERE member.outcome = 'failed' AND NOT member.pending),
            count(*) FILTER (WHERE member.outcome = 'error')
        FROM runs member JOIN runs parent ON parent.id = member.parent_id
        WHERE member.parent_id = ANY(%(ids)s)
            -- a newer commit may have been asked for before the run had ended
            AND (parent.provider_version IS NULL OR member.provider_version = parent.provider_version)
        GROUP BY member.parent_id
        """,
        {"ids": list(parent_ids)},
    )
    return {parent: PactCount(*counts) for parent, *counts in rows}
