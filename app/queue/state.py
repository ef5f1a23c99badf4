"""The state of the queue, over all processes and machines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from psycopg import Connection

REGISTRATIONS_PER_WORKER = 2
"""A worker process takes jobs from two queues, and is registered with Procrastinate once for each."""


@dataclass(frozen=True)
class QueueState:
    """The state of the queue.

    Attributes:
        waiting: Runs that wait, for a worker or for their next attempt.
        running: Runs that run.
        to_publish: Results that the broker has not taken yet, and that are tried again.
        oldest_waiting_seconds: For how long the oldest run has waited that could start; 0 if there is none.
        workers: Worker processes with a recent heartbeat.
        paused: Runs that wait since their provider is paused; they are among those that wait.
    """

    waiting: int
    running: int
    to_publish: int
    oldest_waiting_seconds: float
    workers: int
    paused: int = 0

    @classmethod
    def read(cls, connection: Connection[Any], *, stalled_seconds: float) -> QueueState:
        """Read the state.

        Args:
            connection: The open connection.
            stalled_seconds: After so long without a heartbeat a worker is dead.
        """
        row = connection.execute(
            """
            SELECT waiting.number,
                (SELECT count(*) FROM runs WHERE status = 'running'),
                (SELECT count(*) FROM runs WHERE publishing = 'pending' AND status = 'finished'),
                greatest(0, extract(epoch FROM now() - waiting.oldest)),
                (SELECT count(*) FROM procrastinate_workers
                    WHERE abs(extract(epoch FROM now() - last_heartbeat)) < %(seconds)s),
                waiting.paused
            FROM (
                SELECT count(*) AS number, count(paused.provider) AS paused,
                    min(coalesce(retry_at, created_at)) FILTER (
                        WHERE paused.provider IS NULL AND (retry_at IS NULL OR retry_at <= now())) AS oldest
                FROM runs LEFT JOIN paused_providers AS paused ON paused.provider = runs.provider
                WHERE status = 'waiting') AS waiting
            """,
            {"seconds": stalled_seconds},
        ).fetchone()
        assert row is not None  # noqa: S101 - the statement always returns one
        waiting, running, to_publish, oldest, registrations, paused = row
        workers = -(-registrations // REGISTRATIONS_PER_WORKER)
        return cls(waiting, running, to_publish, round(float(oldest or 0), 3), workers, paused)
