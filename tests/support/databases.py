"""A real PostgreSQL for the tests of the receiver."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg import sql

from app.database import connections
from app.database.connections import database, migrate

if TYPE_CHECKING:
    from collections.abc import Iterator

TEMPLATE = "migrated"
ROOM = 2_000_000_000
numbers = count(1)


@contextmanager
def reachable_folder() -> Iterator[Path]:
    # pytest's own are closed to everyone but root, where root runs the tests. In memory a server starts in 0.3 s.
    memory = Path("/dev/shm")
    in_memory = memory.is_dir() and shutil.disk_usage(memory).free > ROOM
    folder = Path(tempfile.mkdtemp(prefix="pact-dispatch-test-", dir=memory if in_memory else None))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def of_database(url: str, name: str) -> str:
    """Give the URL of another database of a server."""
    return url.replace("/postgres?", f"/{name}?")


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """A folder for `--data-dir`: PostgreSQL, which doesn't run as root, can get to it also where the tests do."""
    with reachable_folder() as folder:
        yield folder


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """A PostgreSQL server, one for each process of the tests; the URL of its database `postgres`."""
    with reachable_folder() as folder, database(None, folder) as url:
        with psycopg.connect(url, autocommit=True) as connection:
            # What is acknowledged need not survive a power cut here.
            connection.execute("ALTER SYSTEM SET fsync = off")
            connection.execute("SELECT pg_reload_conf()")
            connection.execute(f"CREATE DATABASE {TEMPLATE}")
        migrate(of_database(url, TEMPLATE))
        yield url


@contextmanager
def fresh_database(postgres: str) -> Iterator[str]:
    """Make a database with all tables and nothing in them; gives its URL."""
    name = f"test_{next(numbers)}"
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(TEMPLATE))
        )
        yield of_database(postgres, name)
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@contextmanager
def away(postgres: str, url: str) -> Iterator[None]:
    """Have nobody connected to a database for a while, as when its server is restarted."""
    with psycopg.connect(url) as connection:
        name = connection.info.dbname
    with psycopg.connect(postgres, autocommit=True) as connection:
        allow = sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS {}")
        connection.execute(allow.format(sql.Identifier(name), sql.SQL("false")))
        try:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name]
            )
            yield
        finally:
            connection.execute(allow.format(sql.Identifier(name), sql.SQL("true")))


@pytest.fixture
def database_url(postgres: str) -> Iterator[str]:
    """The URL of a database of the test's own."""
    with fresh_database(postgres) as url:
        yield url


@pytest.fixture
def patient_database_url(database_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The same; pools that the test opens have time for what waits for a processor.

    The product's own limits, of a few seconds, are for the tests of `app.database`.
    """
    for name in ("POOL_SECONDS", "STATEMENT_SECONDS", "ANSWER_SECONDS"):
        monkeypatch.setattr(connections, name, 60.0)
    monkeypatch.setattr(connections.ImpatientConnection, "answer_seconds", 60.0)
    return database_url


@pytest.fixture(scope="module")
def module_database_url(postgres: str) -> Iterator[str]:
    """The URL of a database of the module's own."""
    with fresh_database(postgres) as url:
        yield url
