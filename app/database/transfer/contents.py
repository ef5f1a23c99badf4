"""What is in a receiver's database: how much, since when, and of which version."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg.conninfo import conninfo_to_dict

from app.database.connections import connection_options
from app.database.database_url import DatabaseUnusable, described, one_line, unreachable
from app.process.environment import DATABASE_URL

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

NEWEST = "SELECT max(name) FROM schema_versions WHERE name LIKE 'app/%'"
COUNTS = """
SELECT (SELECT count(*) FROM runs), (SELECT count(*) FROM runs WHERE status = 'waiting'),
    (SELECT count(*) FROM deliveries), (SELECT min(created_at) FROM runs), pg_database_size(current_database())
"""
OTHERS = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND application_name = ANY(%s)
"""
"""A user without rights sees this of its own connections alone. A receiver's are: it has the same DATABASE_URL."""


@dataclass(frozen=True)
class Contents:
    """What is in a database.

    Attributes:
        postgresql: The version of the server.
        schema_version: The newest migration; None if it has no tables of a receiver.
        runs: The number of runs.
        waiting: How many of them wait.
        deliveries: The number of deliveries.
        oldest_run: When the oldest run was accepted.
        bytes: The size of the database.
    """

    postgresql: str
    schema_version: str | None
    runs: int
    waiting: int
    deliveries: int
    oldest_run: datetime | None
    bytes: int

    @property
    def is_empty(self) -> bool:
        """Whether nothing of a receiver's history is in it."""
        return self.runs == self.deliveries == 0


@contextmanager
def connected(conninfo: str, name: str = DATABASE_URL) -> Iterator[psycopg.Connection[Any]]:
    """Connect to a database, in autocommit, for as long as it takes.

    Args:
        conninfo: The database.
        name: The variable or option that its URL comes from.

    Raises:
        DatabaseUnusable: It can't be connected to, or refuses something in the block.
    """
    try:
        # one that moves gigabytes must not be given up while the server writes them
        options = {
            **connection_options(conninfo),
            "tcp_user_timeout": 60_000,
            "application_name": "pact-dispatch database",
        }
        connection = psycopg.connect(conninfo, autocommit=True, **options)
    except psycopg.OperationalError as error:
        raise unreachable(conninfo, error, name) from error
    with connection:
        try:
            yield connection
        except psycopg.Error as error:
            raise DatabaseUnusable(f"{described(conninfo)} can't do it: {one_line(error)}") from error


def read_contents(connection: psycopg.Connection[Any]) -> Contents:
    """Return what is in a database, whatever its version."""
    server = connection.info.parameter_status("server_version") or ""
    found = connection.execute("SELECT to_regclass('schema_versions') IS NOT NULL").fetchone()
    if found is None or not found[0]:
        size = connection.execute("SELECT pg_database_size(current_database())").fetchone()
        return Contents(server, None, 0, 0, 0, None, 0 if size is None else size[0])
    newest = connection.execute(NEWEST).fetchone()
    counts = connection.execute(COUNTS).fetchone()
    if newest is None or counts is None:
        raise DatabaseUnusable("the tables of the database can't be counted")
    runs, waiting, deliveries, oldest, size_in_bytes = counts
    return Contents(server, newest[0], runs, waiting, deliveries, oldest, size_in_bytes)


def other_users(connection: psycopg.Connection[Any], conninfo: str) -> int:
    """Return how many connections of a receiver a database has.

    Args:
        connection: A connection to the database.
        conninfo: The database, as the receiver has it: it may give the receiver's connections another name.
    """
    names = {"pact-dispatch", str(conninfo_to_dict(conninfo).get("application_name") or "pact-dispatch")}
    found = connection.execute(OTHERS, (list(names),)).fetchone()
    return 0 if found is None else int(found[0])
