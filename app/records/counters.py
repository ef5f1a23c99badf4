"""The counters of deliveries and of runs that ended.

A trigger stores one small row for each (`uncounted_deliveries`, `uncounted_runs`), and `add_up` adds these rows up in
the table `totals`. So a scrape reads no more than the rows since then, and no counter goes back when rows are deleted.
The runs of each hour are added up by the way, in `hourly_outcomes`, which `app.records.outcomes` reads.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Self

from psycopg import sql
from psycopg.types.json import Jsonb

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from psycopg import Connection

ACCEPTED = "accepted"
"""Deliveries that were accepted, by `source`."""
REFUSED = "refused"
"""Deliveries that were refused, by `reason`."""
REPEATED = "repeated"
"""Deliveries that were accepted before, and for which nothing was done."""
COALESCED = "coalesced"
"""Deliveries that a waiting run answers."""
ENDED = "ended"
"""Runs that ended, by `provider` and `outcome` (`cancelled` and `relayed` among them)."""
PUBLISH_RETRIES = "publish_retries"
"""Attempts to publish beyond the first of a run."""
DURATIONS = "durations"
"""Runs whose duration is up to `le` milliseconds, and over the next lower bound; without `le`, over all bounds."""
NOTIFICATIONS = "notifications"
"""Notifications that were sent, or are not tried again, by `kind` of target and `result`."""
DURATION_SUM = "duration_milliseconds"
"""The sum of the durations."""

BOUNDS = (100, 250, 500, 1000, 2500, 5000, 10_000, 30_000, 60_000, 120_000, 300_000, 600_000, 1_800_000)
"""Of durations, in milliseconds."""
BATCH = 10_000
"""Rows that one statement of `add_up` takes from each table: so it ends long before the time limit of statements."""

MOST_SERIES = 20_000
"""The series that a process remembers: those of 4,000 providers, each with all outcomes."""

_COUNTED = sql.SQL("""
    SELECT 'accepted' AS name, jsonb_build_object('source', source) AS labels, count(*) AS value
        FROM delivery WHERE refusal IS NULL AND NOT repeated GROUP BY source
    UNION ALL SELECT 'refused', jsonb_build_object('reason', refusal), count(*)
        FROM delivery WHERE refusal IS NOT NULL GROUP BY refusal
    UNION ALL SELECT 'repeated', '{}', count(*)
        FROM delivery WHERE repeated HAVING count(*) > 0
    UNION ALL SELECT 'coalesced', '{}', count(*)
        FROM delivery WHERE refusal IS NULL AND coalesced HAVING count(*) > 0
    UNION ALL SELECT 'ended', jsonb_build_object('provider', provider, 'outcome', outcome), count(*)
        FROM run WHERE outcome IS NOT NULL GROUP BY provider, outcome
    UNION ALL SELECT 'publish_retries', '{}', sum(publish_retries)
        FROM run HAVING sum(publish_retries) > 0
    UNION ALL SELECT 'durations', jsonb_strip_nulls(jsonb_build_object('le', le::text)), count(*)
        FROM (SELECT (%(bounds)s::bigint[])[width_bucket(milliseconds - 1, %(bounds)s::bigint[]) + 1] AS le
              FROM run WHERE milliseconds IS NOT NULL) AS duration
        GROUP BY le
    UNION ALL SELECT 'duration_milliseconds', '{}', sum(milliseconds)
        FROM run HAVING sum(milliseconds) IS NOT NULL
""")
_READ = sql.SQL("""
    WITH delivery AS (SELECT * FROM uncounted_deliveries), run AS (SELECT * FROM uncounted_runs)
    SELECT name, labels::text, value FROM (SELECT name, labels, value FROM totals UNION ALL {counted}) AS all_of_them
""").format(counted=_COUNTED)
_ADD_UP = sql.SQL("""
    WITH delivery AS (
        DELETE FROM uncounted_deliveries
        WHERE ctid = ANY(ARRAY(SELECT ctid FROM uncounted_deliveries LIMIT %(batch)s)) RETURNING *),
    run AS (
        DELETE FROM uncounted_runs
        WHERE ctid = ANY(ARRAY(SELECT ctid FROM uncounted_runs LIMIT %(batch)s)) RETURNING *),
    total AS (
        INSERT INTO totals (name, labels, value)
        SELECT name, labels, value FROM ({counted}) AS counted ORDER BY name COLLATE "C", labels::text COLLATE "C"
        ON CONFLICT (name, labels) DO UPDATE SET value = totals.value + excluded.value),
    hourly AS (
        INSERT INTO hourly_outcomes (hour, outcome, runs)
        SELECT date_trunc('hour', ended_at, 'UTC') AS hour, outcome, count(*) FROM run
        WHERE outcome IS NOT NULL AND ended_at IS NOT NULL GROUP BY hour, outcome ORDER BY hour, outcome COLLATE "C"
        ON CONFLICT (hour, outcome) DO UPDATE SET runs = hourly_outcomes.runs + excluded.runs)
    SELECT greatest((SELECT count(*) FROM delivery), (SELECT count(*) FROM run)) = %(batch)s
""").format(counted=_COUNTED)


@dataclass(frozen=True)
class Series:
    """The name of a counter and its labels.

    Attributes:
        name: One of this module's.
        labels: In the order of their names.
    """

    name: str
    labels: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, name: str, **labels: str) -> Self:
        """Make one, from labels in any order."""
        return cls(name, tuple(sorted(labels.items())))

    def __getitem__(self, label: str) -> str | None:
        return next((value for name, value in self.labels if name == label), None)


@lru_cache(maxsize=MOST_SERIES)
def _series(name: str, labels: str) -> Series:
    """Return the series of a row: there are thousands, and they are the same ones at each scrape."""
    return Series.of(name, **json.loads(labels))


class Counts(Counter[Series]):
    """The values of counters."""

    def named(self, name: str) -> Iterator[tuple[Series, int]]:
        """Iterate over the series of a name, in the order of their labels."""
        found = [(series, value) for series, value in self.items() if series.name == name]
        return iter(sorted(found, key=lambda one: one[0].labels))


def read(connection: Connection[Any]) -> Counts:
    """Return the values of all counters, in one statement: rows that are added up meanwhile count once."""
    counts = Counts()
    for name, labels, value in connection.execute(_READ, {"bounds": list(BOUNDS)}):
        counts[_series(name, labels)] += round(value)
    return counts


def add_up(connection: Connection[Any], *, batch: int = BATCH) -> bool:
    """Add a batch of the rows that are not counted yet to the totals, and delete them.

    Args:
        connection: The open connection; the caller commits.
        batch: How many rows of each table are taken at most.

    Returns:
        Whether there may be another batch.
    """
    row = connection.execute(_ADD_UP, {"bounds": list(BOUNDS), "batch": batch}).fetchone()
    return row is not None and row[0]


def add(connection: Connection[Any], counts: Mapping[Series, int]) -> None:
    """Add to the totals what is counted and stored nowhere else."""
    # Always in the same order: two processes wait for each other, and never forever.
    ordered = sorted(counts.items(), key=lambda item: (item[0].name, json.dumps(dict(item[0].labels))))
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO totals (name, labels, value) VALUES (%(name)s, %(labels)s, %(value)s) "
            "ON CONFLICT (name, labels) DO UPDATE SET value = totals.value + excluded.value",
            [
                {"name": series.name, "labels": Jsonb(dict(series.labels)), "value": value}
                for series, value in ordered
            ],
        )
