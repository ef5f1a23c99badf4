"""What the page of the system reads of the database: its size, how old its history is, and what went wrong."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from psycopg.rows import class_row

from app.records import actions, commit_statuses, sightings

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from psycopg import Connection

    from app.records.actions import Action
    from app.records.commit_statuses import StoredStatus
    from app.records.sightings import Seen, Sighting

MOST_TABLES = 8
MOST_STATUSES = 20
MOST_ACTIONS = 30


@dataclass(frozen=True)
class TableSize:
    """A table of the database.

    Attributes:
        name: Its name.
        rows: How many rows it has, by the database's own estimate; None if there is none yet.
        bytes: How large it is, with its indexes.
    """

    name: str
    rows: int | None
    bytes: int


@dataclass(frozen=True)
class System:
    """What the page shows of the database.

    Attributes:
        version: That of PostgreSQL.
        bytes: The size of the database.
        tables: Its largest tables.
        oldest_run: When the oldest run was asked for; None if there is none.
        oldest_delivery: When the oldest delivery came.
        statuses: The newest statuses of commits that GitHub did not take.
        actions: What people did, newest first.
        seen: What workers saw of the broker and of GitHub.
    """

    version: str
    bytes: int
    tables: list[TableSize]
    oldest_run: datetime | None
    oldest_delivery: datetime | None
    statuses: list[StoredStatus]
    actions: list[Action]
    seen: Mapping[Seen, Sighting]


def read(connection: Connection[Any]) -> System:
    """Read what the page shows."""
    row = connection.execute(
        """
        SELECT current_setting('server_version'), pg_database_size(current_database()),
            (SELECT min(created_at) FROM runs), (SELECT min(received_at) FROM deliveries)
        """
    ).fetchone()
    assert row is not None  # noqa: S101 - the statement always returns one
    version, size, oldest_run, oldest_delivery = row
    with connection.cursor(row_factory=class_row(TableSize)) as cursor:
        tables = cursor.execute(
            """
            SELECT relname AS name, CASE WHEN reltuples >= 0 THEN reltuples::bigint END AS rows,
                pg_total_relation_size(oid) AS bytes
            FROM pg_class WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace
            ORDER BY bytes DESC, name LIMIT %(most)s
            """,
            {"most": MOST_TABLES},
        ).fetchall()
    return System(
        version=version,
        bytes=size,
        tables=tables,
        oldest_run=oldest_run,
        oldest_delivery=oldest_delivery,
        statuses=commit_statuses.newest_failed(connection, limit=MOST_STATUSES),
        actions=actions.newest(connection, limit=MOST_ACTIONS),
        seen=sightings.read(connection),
    )
