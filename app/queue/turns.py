"""The turns of providers, as `0017_turns.sql` explains them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from psycopg import Connection


def beginnable(connection: Connection[Any]) -> int:
    """Return how many lines have a run that a worker could begin now, were there one that has nothing else to do."""
    row = connection.execute(
        """
        SELECT count(DISTINCT line) FROM queue_turns AS turn
        WHERE not_before <= now() AND (first_of_line(turn)).due <= now()
            AND (provider IS NOT NULL
                 OR NOT EXISTS (SELECT 1 FROM procrastinate_jobs WHERE lock = turn.line AND status = 'doing'))
        """
    ).fetchone()
    assert row is not None  # noqa: S101 - the statement always returns one
    return int(row[0])


def mend(connection: Connection[Any]) -> int:
    """Give a turn to each line of waiting jobs that has none, as after a restore without its triggers.

    Args:
        connection: The open connection; the caller commits.

    Returns:
        How many there were.
    """
    return connection.execute(
        """
        WITH RECURSIVE locks AS (  -- each is looked up in the index: all jobs that wait may be many
            SELECT min(lock) AS lock FROM procrastinate_jobs WHERE status IN ('todo', 'doing')
            UNION ALL
            SELECT (SELECT min(lock) FROM procrastinate_jobs
                    WHERE status IN ('todo', 'doing') AND procrastinate_jobs.lock > locks.lock)
            FROM locks WHERE lock IS NOT NULL
        ), providers AS (
            SELECT min(provider) AS provider FROM procrastinate_jobs
            WHERE lock IS NULL AND provider IS NOT NULL AND status = 'todo'
            UNION ALL
            SELECT (SELECT min(provider) FROM procrastinate_jobs
                    WHERE lock IS NULL AND procrastinate_jobs.provider > providers.provider AND status = 'todo')
            FROM providers WHERE provider IS NOT NULL
        ), lines AS (
            SELECT lock AS line, NULL AS provider, (
                SELECT coalesce(scheduled_at, '-infinity') FROM procrastinate_jobs
                WHERE lock = locks.lock AND status IN ('todo', 'doing') AND status <> 'doing' AND queue_name = 'runs'
                ORDER BY priority DESC, id LIMIT 1) AS due
            FROM locks WHERE lock IS NOT NULL
            UNION ALL
            SELECT 'parallel ' || provider, provider, (
                SELECT to_timestamp(priority * -10.0) FROM procrastinate_jobs
                WHERE lock IS NULL AND procrastinate_jobs.provider = providers.provider AND status = 'todo'
                ORDER BY procrastinate_jobs.provider, priority DESC, id LIMIT 1)
            FROM providers WHERE provider IS NOT NULL
        )
        INSERT INTO queue_turns (line, provider)
        SELECT line, provider FROM lines
        WHERE due IS NOT NULL AND NOT EXISTS (
            SELECT 1 FROM queue_turns AS turn
            WHERE turn.line = lines.line AND (turn.not_before <= now() OR turn.not_before <= lines.due))
        """
    ).rowcount
