"""Jobs of runs, taken from the queue as a worker takes them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

from psycopg.rows import dict_row

from app.queue.taking import TAKE_RUN

if TYPE_CHECKING:
    from collections.abc import Mapping

    from psycopg import Connection


@dataclass(frozen=True)
class Taken:
    """A job of a run that was taken."""

    id: int
    run_id: UUID
    lock: str | None


def take(
    connection: Connection[Any], worker: int | None = None, limits: Mapping[str, int] | None = None
) -> Taken | None:
    """Take the next run, or return None if there is none to take."""
    with connection.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(TAKE_RUN, {"worker_id": worker, "limits": json.dumps(limits or {})}).fetchone()
    if row is None or row["id"] is None:
        return None
    return Taken(row["id"], UUID(row["args"]["run_id"]), row["lock"])


def take_as_before(connection: Connection[Any], worker: int | None = None) -> Taken | None:
    """Take a run as workers of older versions do, by Procrastinate's own function."""
    row = connection.execute(
        "SELECT id, (args ->> 'run_id')::uuid, lock FROM procrastinate_fetch_job_v2(ARRAY['runs'], %s)",
        [worker],
    ).fetchone()
    return None if row is None or row[0] is None else Taken(*row)


def end(connection: Connection[Any], job_id: int) -> None:
    """End a job that was taken."""
    connection.execute("SELECT procrastinate_finish_job_v1(%s, 'succeeded', true)", [job_id])
