"""The deletion of old deliveries, of old runs and their logs, and of what people did.

A run and its deliveries are deleted together, once the run ended long enough ago; a delivery that was refused is
deleted by its own age, and so is an action. A run that waits, runs, or is still to be published stays, however old it
is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from app.records import actions, outcomes

if TYPE_CHECKING:
    from psycopg import Connection

BATCH = 500
"""Rows that one transaction deletes, so that no other one waits long for a lock."""


def delete_batch(connection: Connection[Any], days: float) -> int:
    """Delete a batch of old rows in a transaction of its own.

    Args:
        connection: A connection that is in no transaction.
        days: The age in days from which rows are deleted.

    Returns:
        How many runs, refused deliveries and actions were deleted; 0 when there are no more, or another worker deletes
        them.
    """
    with connection.transaction():
        deleted = _delete_runs(connection, days) + _delete_deliveries_without_run(connection, days)
        deleted += actions.delete_old(connection, days, batch=BATCH)
        outcomes.delete_old(connection, days)
        return deleted


def _delete_runs(connection: Connection[Any], days: float) -> int:
    rows = connection.execute(
        """
        SELECT id FROM runs
        WHERE finished_at < now() - %(days)s * interval '1 day'
          AND (status = 'cancelled' OR status = 'finished' AND publishing <> 'pending')
        ORDER BY finished_at LIMIT %(batch)s FOR UPDATE SKIP LOCKED
        """,
        {"days": days, "batch": BATCH},
    ).fetchall()
    run_ids = [row[0] for row in rows]
    if not run_ids:
        return 0
    connection.execute("DELETE FROM deliveries WHERE run_id = ANY(%(ids)s)", {"ids": run_ids})
    connection.execute(
        "DELETE FROM runs WHERE id = ANY(%(ids)s)", {"ids": run_ids}
    )  # and what refers to them
    return len(run_ids)


def _delete_deliveries_without_run(connection: Connection[Any], days: float) -> int:
    return connection.execute(
        """
        DELETE FROM deliveries WHERE id IN (
            SELECT id FROM deliveries
            WHERE run_id IS NULL AND received_at < now() - %(days)s * interval '1 day'
            ORDER BY received_at LIMIT %(batch)s FOR UPDATE SKIP LOCKED)
        """,
        {"days": days, "batch": BATCH},
    ).rowcount
