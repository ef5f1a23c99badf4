"""What the counters count: deliveries and runs, those that are kept, and those that aren't (any more).

Both are counted by the same statements, before a row is deleted and while it is there, in whole numbers. So the sum of
the two never goes back, whatever is deleted when.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from psycopg.types.json import Jsonb

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from uuid import UUID

    from psycopg import Connection

ACCEPTED = "accepted"
"""Deliveries that were accepted, by `source`."""
REFUSED = "refused"
"""Deliveries that were refused, by `reason`."""
COALESCED = "coalesced"
"""Deliveries that a waiting run answers."""
ENDED = "ended"
"""Runs that ended, by `provider` and `outcome` (`cancelled` and `relayed` among them)."""
PUBLISH_RETRIES = "publish_retries"
"""Attempts to publish beyond the first of a run."""
DURATIONS = "durations"
"""Runs whose duration is up to `le` milliseconds, and over the next lower bound; without `le`, over all bounds."""
DURATION_SUM = "duration_milliseconds"
"""The sum of the durations."""

BOUNDS = (100, 250, 500, 1000, 2500, 5000, 10_000, 30_000, 60_000, 120_000, 300_000, 600_000, 1_800_000)
"""Of durations, in milliseconds."""


@dataclass(frozen=True)
class Tally:
    """What is counted.

    Attributes:
        name: one of this module's.
        labels: by which it is told apart, in the order of their names.
    """

    name: str
    labels: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, name: str, **labels: str) -> Self:
        """Make one, from labels in any order."""
        return cls(name, tuple(sorted(labels.items())))

    def __getitem__(self, label: str) -> str | None:
        return dict(self.labels).get(label)


class Tallies(Counter[Tally]):
    """Whole numbers by what they count; two of them can be added up."""

    def named(self, name: str) -> Iterator[tuple[Tally, int]]:
        """Give those of a name, in the order of their labels."""
        return iter(sorted(((tally, value) for tally, value in self.items() if tally.name == name), key=repr))


def of_deliveries(connection: Connection[Any], ids: Sequence[UUID] | None = None) -> Tallies:
    """Count deliveries.

    Args:
        connection: reads them.
        ids: of those to count; all that there are unless given.
    """
    counted = Tallies()
    rows = connection.execute(
        "SELECT source, refusal, coalesced, count(*) FROM deliveries "
        "WHERE %(ids)s::uuid[] IS NULL OR id = ANY(%(ids)s::uuid[]) GROUP BY source, refusal, coalesced",
        {"ids": _listed(ids)},
    )
    for source, refusal, coalesced, count in rows:
        if refusal is not None:
            counted[Tally.of(REFUSED, reason=refusal)] += count
            continue
        counted[Tally.of(ACCEPTED, source=source)] += count
        if coalesced:
            counted[Tally.of(COALESCED)] += count
    return counted


def of_runs(connection: Connection[Any], ids: Sequence[UUID] | None = None) -> Tallies:
    """Count runs that ended.

    A run's duration is the time from the start of its first attempt until its outcome was known. When its result was
    published is another matter, and may change after its end. A run that passed its dispatch on has no outcome, and no
    duration that would say anything of verifications.

    Args:
        connection: reads them.
        ids: of those to count; all that there are unless given.
    """
    counted = Tallies()
    rows = connection.execute(
        """
        WITH ended AS (
            SELECT provider, publish_attempts,
                CASE status WHEN 'cancelled' THEN 'cancelled' ELSE coalesce(outcome, 'relayed') END AS outcome,
                CASE WHEN status = 'finished' AND outcome IS NOT NULL THEN greatest(0,
                    extract(epoch FROM coalesce(verified_at, finished_at) - started_at) * 1000)::bigint
                END AS milliseconds
            FROM runs
            WHERE status IN ('finished', 'cancelled')
              AND (%(ids)s::uuid[] IS NULL OR id = ANY(%(ids)s::uuid[])))
        SELECT provider, outcome, width_bucket(milliseconds, %(above)s::bigint[]) AS bucket, count(*),
            coalesce(sum(milliseconds), 0)::bigint, sum(greatest(0, publish_attempts - 1))::bigint
        FROM ended GROUP BY provider, outcome, bucket
        """,
        {"ids": _listed(ids), "above": [bound + 1 for bound in BOUNDS]},
    )
    for provider, outcome, bucket, count, milliseconds, retries in rows:
        counted[Tally.of(ENDED, provider=provider, outcome=outcome)] += count
        if retries:
            counted[Tally.of(PUBLISH_RETRIES)] += retries
        if bucket is not None:
            bound = {"le": str(BOUNDS[bucket])} if bucket < len(BOUNDS) else {}
            counted[Tally.of(DURATIONS, **bound)] += count
            counted[Tally.of(DURATION_SUM)] += milliseconds
    return counted


def of_totals(connection: Connection[Any]) -> Tallies:
    """Read what was counted before it was deleted, or in the place of being kept."""
    rows = connection.execute("SELECT name, labels, value FROM totals")
    return Tallies({Tally.of(name, **labels): round(value) for name, labels, value in rows})


def add_to_totals(connection: Connection[Any], counted: Mapping[Tally, int]) -> None:
    """Add to what is counted and not kept; of a deletion, in its own transaction."""
    ordered = sorted(counted.items(), key=lambda item: (item[0].name, json.dumps(item[0].labels)))
    with (
        connection.cursor() as cursor
    ):  # always in the same order: two workers wait for each other, and never forever
        cursor.executemany(
            "INSERT INTO totals (name, labels, value) VALUES (%(name)s, %(labels)s, %(value)s) "
            "ON CONFLICT (name, labels) DO UPDATE SET value = totals.value + excluded.value",
            [
                {"name": tally.name, "labels": Jsonb(dict(tally.labels)), "value": value}
                for tally, value in ordered
            ],
        )


def _listed(ids: Sequence[UUID] | None) -> list[UUID] | None:
    return None if ids is None else list(ids)
