"""How runs ended: the latest result of each provider and consumer, and how many there were in each hour.

A trigger writes `latest_results`, in the transaction that ends a run; `app.records.counters` adds up the hours.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from psycopg.rows import class_row

from verifier.verification import Outcome

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime
    from uuid import UUID

    from psycopg import Connection

EVERY_PACT = ""
"""The consumer of a run for every pact."""
KEPT_DAYS = 31
"""How long the outcomes of an hour are kept."""


class Step(StrEnum):
    """How long the times are that outcomes are counted for."""

    HOUR = "hour"
    DAY = "day"


@dataclass(frozen=True)
class LatestResult:
    """How the latest run for a provider and a consumer ended.

    Attributes:
        provider: The provider.
        consumer: The consumer; `EVERY_PACT` of runs for every pact.
        run_id: The run.
        outcome: Its outcome.
        ended_at: When that was known.
        answer_id: The latest run that passed or failed, if there is one: this one, unless it came to nothing.
        broken: Whether that one failed, and the pact is not pending.
    """

    provider: str
    consumer: str
    run_id: UUID
    outcome: Outcome
    ended_at: datetime
    answer_id: UUID | None
    broken: bool

    def __post_init__(self) -> None:
        object.__setattr__(self, "outcome", Outcome(self.outcome))


_COLUMNS = ", ".join(LatestResult.__dataclass_fields__)


def latest(
    connection: Connection[Any], providers: Collection[str], *, most: int
) -> dict[str, list[LatestResult]]:
    """Return the latest results of providers: what is broken first, then what came to nothing, then by consumer.

    Args:
        connection: The open connection.
        providers: Their names.
        most: How many of each provider, at most.
    """
    with connection.cursor(row_factory=class_row(LatestResult)) as cursor:
        rows = cursor.execute(
            f"""
            SELECT {_COLUMNS} FROM unnest(%(providers)s::text[]) AS named (name) CROSS JOIN LATERAL (
                SELECT * FROM latest_results WHERE provider = name
                ORDER BY NOT broken, outcome <> 'failed', outcome <> 'error', consumer LIMIT %(most)s) AS latest
            """.encode(),  # noqa: S608 - a constant
            {"providers": list(providers), "most": most},
        ).fetchall()
    found = defaultdict(list)
    for row in rows:
        found[row.provider].append(row)
    return found


def by_time(connection: Connection[Any], step: Step, *, since: datetime) -> dict[tuple[datetime, str], int]:
    """Return how many runs ended in each hour or day of UTC, by its begin and their outcome.

    Args:
        connection: The open connection.
        step: Whether hours or days are counted.
        since: The begin of the first one.
    """
    rows = connection.execute(
        """
        SELECT date_trunc(%(step)s, ended, 'UTC') AS begin, outcome, sum(runs)::bigint FROM (
            SELECT hour AS ended, outcome, runs FROM hourly_outcomes WHERE hour >= %(since)s
            UNION ALL SELECT ended_at, outcome, 1 FROM uncounted_runs
            WHERE ended_at >= %(since)s AND outcome IS NOT NULL) AS counted
        GROUP BY begin, outcome
        """,
        {"step": step, "since": since},
    )
    return {(begin, outcome): runs for begin, outcome, runs in rows}


def delete_old_latest(connection: Connection[Any], days: float, most: int) -> int:
    """Delete old latest results, and return how many there were; see `app.records.retention`.

    A run that is under way will note its own in the place of an old one, and must not wait for this: that one stays.
    """
    return connection.execute(
        """
        DELETE FROM latest_results WHERE (provider, consumer) IN (
            SELECT provider, consumer FROM latest_results old
            WHERE ended_at < now() - %(days)s * interval '1 day' AND NOT EXISTS (
                SELECT FROM runs WHERE runs.status IN ('waiting', 'running') AND runs.provider = old.provider
                    AND (runs.consumer = old.consumer OR runs.consumer IS NULL))
            LIMIT %(most)s FOR UPDATE SKIP LOCKED)
        """,
        {"days": days, "most": most},
    ).rowcount


def delete_old_hours(connection: Connection[Any], days: float, most: int) -> int:  # noqa: ARG001 - as all of its kind
    """Delete the outcomes of hours that are shown no more, and return how many there were."""
    return connection.execute(
        """
        DELETE FROM hourly_outcomes WHERE (hour, outcome) IN (
            SELECT hour, outcome FROM hourly_outcomes WHERE hour < now() - %(days)s * interval '1 day'
            LIMIT %(most)s FOR UPDATE SKIP LOCKED)
        """,
        {"days": KEPT_DAYS, "most": most},
    ).rowcount
