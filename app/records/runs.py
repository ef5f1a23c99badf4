"""What is read of runs; `app.records.run_changes` writes them."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any, LiteralString

from psycopg.rows import class_row

from app.records.run import Run

if TYPE_CHECKING:
    from collections.abc import Iterable
    from uuid import UUID

    from psycopg import Connection

COLUMNS = ", ".join(field.name for field in fields(Run))
"""All columns but `verification`, which may have megabytes: `verification_of` reads it where it is needed."""


def get(connection: Connection[Any], run_id: UUID) -> Run | None:
    """Return a run, or None if there is none of this id."""
    return select_one(connection, "SELECT {columns} FROM runs WHERE id = %(id)s", id=run_id)


def of_ids(connection: Connection[Any], run_ids: Iterable[UUID]) -> dict[UUID, Run]:
    """Return the runs of some ids, by their id; those that are gone are left out."""
    found = select_many(connection, "SELECT {columns} FROM runs WHERE id = ANY(%(ids)s)", ids=list(run_ids))
    return {run.id: run for run in found}


def lock(connection: Connection[Any], run_id: UUID) -> Run | None:
    """Return a run that nobody else changes until the transaction ends, or None if there is none of this id."""
    return select_one(connection, "SELECT {columns} FROM runs WHERE id = %(id)s FOR UPDATE", id=run_id)


def kept(connection: Connection[Any], run_id: UUID) -> bool:
    """Return whether something may refer to a run: none that ended long ago, and is being deleted or gone.

    Until the transaction ends, the run is not deleted. This waits for nobody who deletes it.
    """
    row = connection.execute(
        "SELECT finished_at < now() - interval '1 hour' FROM runs WHERE id = %(id)s", {"id": run_id}
    ).fetchone()
    if row is None or not row[0]:
        return row is not None  # nobody deletes one that has just ended, but somebody may have it locked
    query = "SELECT FROM runs WHERE id = %(id)s FOR KEY SHARE SKIP LOCKED"
    return connection.execute(query, {"id": run_id}).fetchone() is not None


def verification_of(connection: Connection[Any], run_id: UUID) -> dict[str, Any] | None:
    """Return the verification of a run in its saved form, or None if there is none (yet)."""
    row = connection.execute("SELECT verification FROM runs WHERE id = %(id)s", {"id": run_id}).fetchone()
    return row[0] if row else None


def trace_of(connection: Connection[Any], run_id: UUID) -> str | None:
    """Return the trace of a run, as it is stored; None if it has none."""
    row = connection.execute("SELECT trace FROM runs WHERE id = %(id)s", {"id": run_id}).fetchone()
    return row[0] if row else None


def to_publish(connection: Connection[Any], run_id: UUID, attempt: int) -> Run | None:
    """Return a run whose result is to be published; None if it isn't (any more), or not by this attempt."""
    return select_one(
        connection,
        "SELECT {columns} FROM runs WHERE id = %(id)s AND attempt = %(attempt)s AND publishing = 'pending'",
        id=run_id,
        attempt=attempt,
    )


def seconds_since_start(connection: Connection[Any], run: Run) -> float:
    """Return the seconds since the first attempt of a run began, by the database's clock."""
    row = connection.execute(
        "SELECT extract(epoch FROM now() - coalesce(started_at, created_at))::double precision "
        "FROM runs WHERE id = %(id)s",
        {"id": run.id},
    ).fetchone()
    return row[0] if row else 0.0


def waiting_for_unknown_providers(connection: Connection[Any], known: Iterable[str]) -> list[str]:
    """Return the providers that runs wait for, other than the known ones, in the order of their names."""
    rows = connection.execute(
        "SELECT DISTINCT provider FROM runs WHERE status = 'waiting' AND provider <> ALL(%(known)s) ORDER BY 1",
        {"known": list(known)},
    )
    return [provider for (provider,) in rows]


def select_one(connection: Connection[Any], query: LiteralString, **values: Any) -> Run | None:
    """Return the run that a statement finds or changes, if any; `{columns}` in it stands for `COLUMNS`."""
    with connection.cursor(row_factory=class_row(Run)) as cursor:
        return cursor.execute(query.replace("{columns}", COLUMNS), values).fetchone()


def select_many(connection: Connection[Any], query: LiteralString, **values: Any) -> list[Run]:
    """Return the runs that a statement finds; `{columns}` in it stands for `COLUMNS`."""
    with connection.cursor(row_factory=class_row(Run)) as cursor:
        return cursor.execute(query.replace("{columns}", COLUMNS), values).fetchall()
