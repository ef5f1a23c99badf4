"""What is kept for a time only: deliveries, runs that ended, and their logs.

A run and its deliveries go together, once the run ended long enough ago; a delivery that was refused goes by its own
age. What waits, runs, or is still to be published stays, however old it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from app.records import counters as tallies

if TYPE_CHECKING:
    from psycopg import Connection

BATCH = 500
"""Rows that one transaction deletes: nobody waits long for a lock."""


def delete_batch(connection: Connection[Any], days: float) -> int:
    """Delete some of what is older than it need be; what the counters say of it is kept.

    Args:
        connection: from a pool; the transaction is this function's.
        days: how long things are kept.

    Returns:
        How many runs and refused deliveries were deleted; 0 when there are no more, or another worker has them.
    """
    with connection.transaction():
        return _delete_runs(connection, days) + _delete_deliveries_without_run(connection, days)


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
    rows = connection.execute(
        "SELECT id FROM deliveries WHERE run_id = ANY(%(runs)s) FOR UPDATE", {"runs": run_ids}
    ).fetchall()
    delivery_ids = [row[0] for row in rows]
    counted = tallies.of_runs(connection, run_ids) + tallies.of_deliveries(connection, delivery_ids)
    tallies.add_to_totals(connection, counted)
    connection.execute("DELETE FROM deliveries WHERE id = ANY(%(ids)s)", {"ids": delivery_ids})
    connection.execute("DELETE FROM runs WHERE id = ANY(%(ids)s)", {"ids": run_ids})  # the logs go along
    return len(run_ids)


def _delete_deliveries_without_run(connection: Connection[Any], days: float) -> int:
    rows = connection.execute(
        """
        SELECT id FROM deliveries
        WHERE run_id IS NULL AND received_at < now() - %(days)s * interval '1 day'
        ORDER BY received_at LIMIT %(batch)s FOR UPDATE SKIP LOCKED
        """,
        {"days": days, "batch": BATCH},
    ).fetchall()
    ids = [row[0] for row in rows]
    if ids:
        tallies.add_to_totals(connection, tallies.of_deliveries(connection, ids))
        connection.execute("DELETE FROM deliveries WHERE id = ANY(%(ids)s)", {"ids": ids})
    return len(ids)
