"""What the page of the system reads of the database: its size, how old its history is, and what went wrong."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from psycopg.rows import class_row
from psycopg.sql import SQL, Identifier

from app.records import actions, commit_statuses, notifications, processes, sightings

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from psycopg import Connection

    from app.records.actions import Action
    from app.records.commit_statuses import StoredStatus
    from app.records.notifications import Notification
    from app.records.processes import ReceiverProcess
    from app.records.sightings import Seen, Sighting

MOST_TABLES = 8
COUNTED_BYTES = 2**20
"""Tables up to this size are counted: the database's estimate says nothing of one that it has not looked at lately."""
MOST_STATUSES = 20
MOST_MESSAGES = 20
MOST_ACTIONS = 30


@dataclass(frozen=True)
class TableSize:
    """A table of the database.

    Attributes:
        name: Its name.
        rows: How many rows it has, of a large one by the database's own estimate; None if there is none yet.
        bytes: How large it is, with its indexes.
        own_bytes: How large it is without them.
    """

    name: str
    rows: int | None
    bytes: int
    own_bytes: int


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
        messages: The newest messages about changes that did not arrive.
        actions: What people did, newest first.
        seen: What workers saw of the broker and of GitHub.
        processes: The processes that are there, on all machines.
    """

    version: str
    bytes: int
    tables: list[TableSize]
    oldest_run: datetime | None
    oldest_delivery: datetime | None
    statuses: list[StoredStatus]
    messages: list[Notification]
    actions: list[Action]
    seen: Mapping[Seen, Sighting]
    processes: list[ReceiverProcess]

    @property
    def usual_configuration(self) -> str | None:
        """The configuration that most processes have."""
        return _most_common(process.configuration for process in self.processes)

    @property
    def usual_version(self) -> str | None:
        """The version that most processes have."""
        return _most_common(process.version for process in self.processes)


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
            SELECT relname AS name, CASE WHEN reltuples > 0 THEN reltuples::bigint END AS rows,
                pg_total_relation_size(oid) AS bytes, pg_relation_size(oid) AS own_bytes
            FROM pg_class WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace
            ORDER BY bytes DESC, name LIMIT %(most)s
            """,
            {"most": MOST_TABLES},
        ).fetchall()
    return System(
        version=version,
        bytes=size,
        tables=[_counted(connection, table) for table in tables],
        oldest_run=oldest_run,
        oldest_delivery=oldest_delivery,
        statuses=commit_statuses.newest_failed(connection, limit=MOST_STATUSES),
        messages=notifications.newest_failed(connection, limit=MOST_MESSAGES),
        actions=actions.newest(connection, limit=MOST_ACTIONS),
        seen=sightings.read(connection),
        processes=processes.present(connection),
    )


def _counted(connection: Connection[Any], table: TableSize) -> TableSize:
    if table.own_bytes > COUNTED_BYTES:
        return table
    row = connection.execute(SQL("SELECT count(*) FROM {}").format(Identifier(table.name))).fetchone()
    return replace(table, rows=row[0] if row else None)


def _most_common(values: Iterable[str | None]) -> str | None:
    counted = Counter(values).most_common(1)
    return counted[0][0] if counted else None
