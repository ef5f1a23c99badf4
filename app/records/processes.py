"""The processes of the receiver on all machines, with the configuration that each of them goes by."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from psycopg.rows import class_row

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime
    from uuid import UUID

    from psycopg import Connection

NOTE_SECONDS = 20.0
"""How often a process notes that it is there."""
GONE_SECONDS = 70.0
"""After so long without that it is taken for gone."""
MOST = 500
"""How many processes are shown."""


class Kind(StrEnum):
    """What a process does."""

    WEB = "web"
    WORKER = "worker"


@dataclass(frozen=True)
class ReceiverProcess:
    """A process.

    Attributes:
        kind: What it does.
        name: Its machine and its process id.
        version: Its version of pact-dispatch.
        started_at: When it has started.
        configuration: The digest of its configuration; None if nobody knows.
        configured_at: When it has taken that.
        restart: The keys of the configuration that it takes with its next start.
        refused: What is wrong with the configuration that it was last told to take.
    """

    kind: str
    name: str
    version: str
    started_at: datetime
    configuration: str | None
    configured_at: datetime
    restart: list[str] = field(default_factory=list)
    refused: str | None = None


@dataclass(frozen=True)
class ProcessState:
    """What a process tells of itself.

    Attributes:
        kind: What it does.
        name: Its machine and its process id.
        version: Its version of pact-dispatch.
        configuration: The digest of its configuration.
        seconds: How long ago it has taken that.
        restart: The keys of the configuration that it takes with its next start.
        refused: What is wrong with the configuration that it was last told to take.
    """

    kind: Kind
    name: str
    version: str
    configuration: str | None
    seconds: float
    restart: Collection[str] = ()
    refused: str | None = None


def note(connection: Connection[Any], process: UUID, state: ProcessState) -> None:
    """Note that a process is there, and forget those that are gone for a day.

    Args:
        connection: The open connection; the caller commits.
        process: Its id, for as long as it runs.
        state: What it tells.
    """
    connection.execute("DELETE FROM receiver_processes WHERE heard_at < now() - interval '1 day'")
    connection.execute(
        """
        INSERT INTO receiver_processes (id, kind, name, version, configuration, configured_at, restart, refused)
        VALUES (%(id)s, %(kind)s, %(name)s, %(version)s, %(configuration)s,
                now() - %(seconds)s * interval '1 second', %(restart)s, %(refused)s)
        ON CONFLICT (id) DO UPDATE SET heard_at = now(), configuration = excluded.configuration,
            configured_at = excluded.configured_at, restart = excluded.restart, refused = excluded.refused
        """,
        {**vars(state), "id": process, "restart": list(state.restart)},
    )


def forget(connection: Connection[Any], process: UUID) -> None:
    """Forget a process that ends; the caller commits."""
    connection.execute("DELETE FROM receiver_processes WHERE id = %(id)s", {"id": process})


def present(connection: Connection[Any]) -> list[ReceiverProcess]:
    """Return the processes that are there, in the order of what they do and of their names."""
    with connection.cursor(row_factory=class_row(ReceiverProcess)) as cursor:
        return cursor.execute(
            """
            SELECT kind, name, version, started_at, configuration, configured_at, restart, refused
            FROM receiver_processes WHERE heard_at > now() - %(seconds)s * interval '1 second'
            ORDER BY kind, name, started_at LIMIT %(most)s
            """,
            {"seconds": GONE_SECONDS, "most": MOST},
        ).fetchall()
