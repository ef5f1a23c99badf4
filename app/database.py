"""The receiver's database: PostgreSQL."""

from __future__ import annotations

from contextlib import contextmanager
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg_pool import ConnectionPool

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_ADVISORY_LOCK = 0x70616374_0002


class DatabaseUnusable(Exception):
    """The database can't be started or reached; the message says what to do."""


@contextmanager
def database(url: str | None, data_dir: Path) -> Iterator[str]:
    """Have a database; gives its connection string.

    Raises:
        DatabaseUnusable: there is none.
    """
    if url is None:
        raise DatabaseUnusable(f"there is no PostgreSQL in {data_dir}: set DATABASE_URL")
    yield url


def migrate(conninfo: str) -> None:
    """Make the tables.

    Raises:
        DatabaseUnusable: it can't be reached.
    """
    try:
        with psycopg.connect(conninfo) as connection:
            connection.execute("SELECT pg_advisory_xact_lock(%(lock)s)", {"lock": _ADVISORY_LOCK})
            row = connection.execute("SELECT to_regclass('runs')").fetchone()
            if row is None or row[0] is None:
                schema = files("procrastinate").joinpath("sql/schema.sql").read_bytes()
                ours = files("app").joinpath("migrations/0001_deliveries_and_runs.sql").read_bytes()
                connection.execute(schema)
                connection.execute(ours)
    except psycopg.OperationalError as error:
        raise DatabaseUnusable(f"the database can't be reached: {error}") from error


def open_pool(conninfo: str, *, size: int) -> ConnectionPool[Any]:
    """Open a pool of connections."""
    return ConnectionPool(
        conninfo, min_size=1, max_size=size, timeout=3, check=ConnectionPool.check_connection, open=True
    )
