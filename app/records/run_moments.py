"""What happened when in each attempt of a run.

The database notes when an attempt has started, and when it ended without an outcome; workers note what is between.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime
    from uuid import UUID

    from psycopg import Connection

    from app.records.run import Run

MOST = 200
"""The newest moments of a run that are read, at most."""


class MomentName(StrEnum):
    """What happened."""

    STARTED = "started"
    CHECKED_OUT = "checked-out"
    PROVIDER_READY = "provider-ready"
    ENDED = "ended"
    """Without an outcome."""


@dataclass(frozen=True)
class NotedMoment:
    """A moment that is not stored yet.

    Attributes:
        name: What happened.
        at: When, by the clock `time.monotonic` of this process.
    """

    name: MomentName
    at: float


@dataclass(frozen=True)
class Moment:
    """A moment as it is stored; see `app/database/migrations/0013_moments_of_runs.sql`."""

    attempt: int
    name: MomentName
    at: datetime
    detail: str | None

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", MomentName(self.name))  # the database knows it as text


def add(connection: Connection[Any], run: Run, noted: Sequence[NotedMoment]) -> None:
    """Store moments of an attempt, if it is the latest one, by the database's clock; may be repeated.

    Args:
        connection: The open connection; the caller commits.
        run: The attempt.
        noted: The moments.
    """
    now = time.monotonic()
    connection.execute(
        """
        INSERT INTO run_moments (run_id, attempt, name, at)
        SELECT %(id)s, %(attempt)s, name, clock_timestamp() - age * interval '1 second'
        FROM unnest(%(names)s::text[], %(ages)s::double precision[]) AS noted (name, age)
        WHERE EXISTS (SELECT 1 FROM runs WHERE id = %(id)s AND attempt = %(attempt)s)
        ON CONFLICT DO NOTHING
        """,
        {
            "id": run.id,
            "attempt": run.attempt,
            "names": [one.name for one in noted],
            "ages": [max(0.0, now - one.at) for one in noted],
        },
    )


def begins(connection: Connection[Any], runs: Iterable[Run]) -> dict[UUID, datetime]:
    """Return when the latest attempt of each of some runs has begun, by the runs' ids, as far as that is known."""
    latest = {run.id: run.attempt for run in runs}
    return dict(
        connection.execute(
            """
            SELECT run_id, at FROM run_moments
            JOIN unnest(%(ids)s::uuid[], %(attempts)s::integer[]) AS latest (id, number)
                ON run_id = latest.id AND attempt = latest.number
            WHERE name = 'started'
            """,
            {"ids": list(latest), "attempts": list(latest.values())},
        ).fetchall()
    )


def of_run(connection: Connection[Any], run_id: UUID) -> list[Moment]:
    """Return the moments of a run, in their order."""
    newest = connection.execute(
        "SELECT attempt, name, at, detail FROM run_moments WHERE run_id = %(run)s "
        "ORDER BY attempt DESC, at DESC LIMIT %(most)s",
        {"run": run_id, "most": MOST},
    ).fetchall()
    return [Moment(*row) for row in newest[::-1]]
