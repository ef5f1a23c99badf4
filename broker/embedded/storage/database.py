"""The SQLite file: opening it, and transactions that don't get in each other's way."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from sqlalchemy import create_engine, event
from sqlalchemy.engine import URL, Connection
from sqlalchemy.exc import DatabaseError
from sqlalchemy.orm import Session

from broker.embedded.storage import deployment_tables, webhook_tables  # noqa: F401 - their tables are made here too
from broker.embedded.storage.tables import Base

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy.pool import ConnectionPoolEntry

SCHEMA_VERSION = 5
"""1 had pacts and results, 2 added the tables of everything else, 3 that of events, 4 and 5
columns (`_ADDED_COLUMNS`)."""

_BEFORE = (
    "(SELECT coalesce(max(id), 0) FROM verification_results AS one WHERE one.created_at < {0}.created_at)"
)
_ADDED_COLUMNS = (
    ("verification_results", "wip", "INTEGER NOT NULL DEFAULT 0", "0"),
    ("branches", "results_before", "INTEGER NOT NULL DEFAULT 0", _BEFORE.format("branches")),
    ("tags", "results_before", "INTEGER NOT NULL DEFAULT 0", _BEFORE.format("tags")),
    ("publications", "results_before", "INTEGER NOT NULL DEFAULT 0", _BEFORE.format("publications")),
    ("branches", "updated_at", "TEXT", "created_at"),
    ("branch_versions", "updated_at", "TEXT", "NULL"),
)
"""The table, the column, its type, and its value in the rows of an earlier version."""

BUSY_TIMEOUT_MS = 30_000
"""The time that a writer waits for the one before it; a write takes milliseconds."""


class DatabaseUnusable(Exception):
    """The file can't be opened, is no SQLite database, or is of a later version than this broker knows."""


class Database:
    """The broker's SQLite file.

    Readers see the last committed state and wait for nobody (WAL); writers queue for the lock when their
    transaction begins (BEGIN IMMEDIATE), not half-way through it, so neither fails with "database is locked".
    """

    def __init__(self, path: Path, *, connections: int = 8) -> None:
        self.path = path
        self._engine = create_engine(
            URL.create("sqlite", database=str(path)), pool_size=connections, max_overflow=0
        )
        event.listen(self._engine, "connect", _configure)
        event.listen(self._engine, "begin", _begin)

    def prepare(self) -> None:
        """Create the tables that aren't there, also in a file of an earlier version, and close it again.

        Raises:
            DatabaseUnusable: With a message for the person who started the broker.
        """
        try:
            with self._engine.connect().execution_options(write=True) as connection, connection.begin():
                version = connection.exec_driver_sql("PRAGMA user_version").scalar_one()
                if version > SCHEMA_VERSION:
                    raise DatabaseUnusable(
                        f"{self.path} was written by a later pact-dispatch (its schema is {version}, "
                        f"this one knows up to {SCHEMA_VERSION}). Upgrade pact-dispatch or use another file."
                    )
                if version < SCHEMA_VERSION:
                    Base.metadata.create_all(connection)
                    _add_columns(connection)
                    connection.exec_driver_sql(f"PRAGMA user_version = {SCHEMA_VERSION}")
        except DatabaseError as error:
            raise DatabaseUnusable(f"{self.path} can't be used as a database: {error.orig}.") from error
        finally:
            # An open SQLite connection must not be carried into a forked worker.
            self.close()

    def close(self) -> None:
        """Close all connections; the next session opens the file again."""
        self._engine.dispose()

    @contextmanager
    def session(self, *, write: bool) -> Iterator[Session]:
        """Return a session in one transaction, committed at the end and rolled back by any exception."""
        with (
            self._engine.connect().execution_options(write=write) as connection,
            Session(connection) as session,
            session.begin(),
        ):
            yield session


def _add_columns(connection: Connection) -> None:
    for table, column, kind, value in _ADDED_COLUMNS:
        known = connection.exec_driver_sql(f"PRAGMA table_info({table})").all()
        if column not in {row[1] for row in known}:
            connection.exec_driver_sql(f"ALTER TABLE {table} ADD COLUMN {column} {kind}")
            connection.exec_driver_sql(f"UPDATE {table} SET {column} = {value}")  # noqa: S608 - all from above


def _configure(connection: sqlite3.Connection, _: ConnectionPoolEntry) -> None:
    connection.isolation_level = None  # transactions begin in _begin, and nowhere else
    for pragma in (
        f"busy_timeout = {BUSY_TIMEOUT_MS}",
        "journal_mode = WAL",
        "synchronous = FULL",  # what was answered 201 is on the disk
        "foreign_keys = ON",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _begin(connection: Connection) -> None:
    write = connection.get_execution_options().get("write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")
