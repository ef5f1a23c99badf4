"""The deletion of old deliveries, of old runs and their logs, of what people did, and of what is shown of all these.

A run and its deliveries are deleted together, once the run ended long enough ago; a delivery that was refused is
deleted by its own age, and so is an action. A run that waits, runs, or is still to be published stays, however old it
is, and so does a run for every pact until those of its pacts are gone.

Each step deletes some rows in a short transaction. It locks nothing but these rows, and passes over those that others
have locked. What is added meanwhile, and may refer to them, doesn't wait for that either: see
`app.records.runs.kept`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from app.records import actions, outcomes, provider_looks

if TYPE_CHECKING:
    from collections.abc import Callable

    from psycopg import Connection

    Step: TypeAlias = Callable[[Connection[Any], float, int], int]
    """Deletes rows from an age in days, at most so many, and returns how many; the caller commits."""

DELIVERIES_OF_A_RUN = 10
"""How many times as many deliveries as runs a transaction deletes: a run may answer thousands of them."""


def delete_runs(connection: Connection[Any], days: float, most: int) -> int:
    """Delete old runs, and their deliveries before them.

    Returns:
        How many runs were deleted, or how many deliveries if there are so many that the runs stay for now.
    """
    rows = connection.execute(
        """
        SELECT id FROM runs
        WHERE finished_at < now() - %(days)s * interval '1 day'
          AND (status = 'cancelled' OR status = 'finished' AND publishing <> 'pending')
          -- one that has members would have them changed, which somebody may be publishing
          AND NOT EXISTS (SELECT FROM runs member WHERE member.parent_id = runs.id)
        ORDER BY finished_at LIMIT %(most)s FOR UPDATE SKIP LOCKED
        """,
        {"days": days, "most": most},
    ).fetchall()
    run_ids = [row[0] for row in rows]
    if not run_ids:
        return 0
    limit = most * DELIVERIES_OF_A_RUN
    deliveries = connection.execute(
        "DELETE FROM deliveries WHERE ctid = ANY(ARRAY("
        "SELECT ctid FROM deliveries WHERE run_id = ANY(%(ids)s) LIMIT %(limit)s))",
        {"ids": run_ids, "limit": limit},
    ).rowcount
    if deliveries == limit:
        return deliveries
    connection.execute(
        "DELETE FROM runs WHERE id = ANY(%(ids)s)", {"ids": run_ids}
    )  # and what refers to them
    return len(run_ids)


def delete_deliveries_without_run(connection: Connection[Any], days: float, most: int) -> int:
    """Delete old deliveries that no run answers, and return how many there were."""
    return connection.execute(
        """
        DELETE FROM deliveries WHERE id IN (
            SELECT id FROM deliveries
            WHERE run_id IS NULL AND received_at < now() - %(days)s * interval '1 day'
            ORDER BY received_at LIMIT %(most)s FOR UPDATE SKIP LOCKED)
        """,
        {"days": days, "most": most},
    ).rowcount


HISTORY: tuple[Step, ...] = (delete_runs, delete_deliveries_without_run, actions.delete_old)
"""The steps that delete the history; each is repeated until it finds nothing."""
SHOWN: tuple[Step, ...] = (outcomes.delete_old_latest, outcomes.delete_old_hours, provider_looks.delete_old)
"""Those that delete what is shown of it."""
