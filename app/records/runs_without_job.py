"""Runs that a job should carry out or publish, and that have none: it is gone since something went wrong."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, LiteralString
from uuid import UUID

from app.queue import jobs
from app.records.runs import select_many

if TYPE_CHECKING:
    from psycopg import Connection

    from app.records.run import Run

    Place = tuple[datetime, UUID]

MOST_LOOKED_AT = 2000
"""So many runs that wait are looked at in one round, and so many that are to be published: there may be 100,000."""
_BEGIN = datetime.min.replace(tzinfo=UTC), UUID(int=0)
_FEW = f"""
SELECT id FROM runs WHERE status = 'running' AND NOT {jobs.HAS_JOB}
UNION SELECT id FROM runs WHERE publishing = 'pending' AND finished_at IS NULL AND NOT {jobs.HAS_JOB}
"""  # noqa: S608 - constants
"""Those that are found in each round: no more of them run than there are workers for."""
_LOCKED = f"""
SELECT {{columns}} FROM runs WHERE id = ANY(%(ids)s) AND NOT {jobs.HAS_JOB}
    AND (status IN ('waiting', 'running') OR publishing = 'pending')
FOR UPDATE SKIP LOCKED
"""  # noqa: S608 - constants
_WAITING = "status = 'waiting'", "created_at"
_TO_PUBLISH = "publishing = 'pending'", "finished_at"


@dataclass
class Round:
    """Where the rounds of one process are: each goes on where the one before has ended, from the oldest run on."""

    _places: dict[str, Place] = field(default_factory=dict)

    def find(self, connection: Connection[Any]) -> list[Run]:
        """Return the runs that this round has found, locked; the next one looks at others, as far as there are more."""
        found = {run_id for (run_id,) in connection.execute(_FEW.encode()).fetchall()}
        for condition, moment in (_WAITING, _TO_PUBLISH):
            found |= self._next(connection, condition, moment)
        if not found:
            return []
        return select_many(connection, _LOCKED, ids=list(found))

    def _next(
        self, connection: Connection[Any], condition: LiteralString, moment: LiteralString
    ) -> set[UUID]:
        at, run_id = self._places.pop(moment, _BEGIN)
        row = connection.execute(
            f"""
            WITH looked_at AS MATERIALIZED (
                SELECT id, {moment} AS at, job_id FROM runs WHERE {condition} AND ({moment}, id) > (%(at)s, %(id)s)
                ORDER BY {moment}, id LIMIT %(most)s)
            SELECT coalesce(array_agg(id) FILTER (WHERE NOT {jobs.HAS_JOB}), ARRAY[]::uuid[]), count(*),
                (SELECT at FROM looked_at ORDER BY at DESC, id DESC LIMIT 1),
                (SELECT id FROM looked_at ORDER BY at DESC, id DESC LIMIT 1)
            FROM looked_at
            """.encode(),  # noqa: S608 - constants
            {"at": at, "id": run_id, "most": MOST_LOOKED_AT},
        ).fetchone()
        assert row is not None  # noqa: S101 - the statement always returns one
        found, number, *last = row
        if number == MOST_LOOKED_AT:
            self._places[moment] = (last[0], last[1])
        return set(found)
