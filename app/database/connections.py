"""The receiver's database: the PostgreSQL of DATABASE_URL, or an embedded one in the data directory."""

from __future__ import annotations

import time
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg_pool import ConnectionPool

from app.database import schema
from app.database.database_url import (
    DatabaseUnusable,
    UrlUnusable,
    check_url,
    described,
    one_line,
    unreachable,
)
from app.database.embedded.server import running
from app.database.embedded.unusable import PostgresUnusable
from app.database.psycopg_internals import NoAnswer, limited

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from psycopg.abc import RV, PQGen

EMBEDDED_FOLDER = "postgres"
"""The folder of the embedded database in the data directory."""
OLDEST_MAJOR = 13
"""The oldest PostgreSQL that Procrastinate supports."""
POOL_SECONDS = 3.0
"""How long a request waits for a connection; if the database is away, it is answered with 503 then."""
STATEMENT_SECONDS = 5.0
"""How long a statement may take; `SET LOCAL statement_timeout` allows more, up to `ANSWER_SECONDS`."""
ANSWER_SECONDS = 8.0
"""How long to wait for the answer of the server: one that is frozen does not end a statement."""
IDLE_SECONDS = 10.0
"""How long a transaction may go without a statement before the server ends it and its locks.

No transaction waits for anything but the database, so its process is frozen, or gone with its host.
"""
TABLES_SECONDS = 0.5
"""The wait between two tries to find the database, or its tables, at the start."""
CHECK_SECONDS = 1.5
RECONNECT_SECONDS = 4.0
"""How long the pool tries to reconnect, with growing waits; after that it tries again at the next request."""


class NoReceiversDatabase(DatabaseUnusable):
    """It has no tables, where those of a receiver are needed."""


@contextmanager
def database(url: str | None, data_dir: Path) -> Iterator[str]:
    """Provide a database.

    Args:
        url: The URL of a PostgreSQL, as in DATABASE_URL, which is not connected to yet; None for an embedded one.
        data_dir: The folder in which the embedded one has its folder; it runs as long as a process uses it.

    Yields:
        A URL for psycopg. It may hold a password.

    Raises:
        DatabaseUnusable: The URL can't be used, or the embedded one can't be started.
    """
    with ExitStack() as stack:
        if url is None:
            try:
                conninfo = stack.enter_context(running(data_dir / EMBEDDED_FOLDER))
            except PostgresUnusable as error:
                raise DatabaseUnusable(str(error)) from error
        else:
            conninfo = check_url(url)
        yield conninfo


def in_words(url: str | None, data_dir: Path) -> str:
    """Return which database `database` provides, without its password."""
    return f"embedded, in {data_dir / EMBEDDED_FOLDER}" if url is None else described(url)


def migrate(conninfo: str, *, wait: float = 0, makes: bool = True) -> list[str]:
    """Make the tables, or bring those of an older version up to date; any number of processes may do so at once.

    Args:
        conninfo: The database.
        wait: Seconds to go on trying while it can't be connected to.
        makes: Whether they are made where there are none: what acts on a receiver's database makes none by mistake.

    Returns:
        The names of the migrations that were applied.

    Raises:
        DatabaseUnusable: It can't be connected to, is too old or too new, or refuses; or it is no receiver's.
    """
    with _connected(conninfo, time.monotonic() + wait) as connection, _explained(conninfo):
        return schema.migrate(connection, makes=makes)


def lacks_migrations(conninfo: str) -> bool:
    """Return whether `migrate` would change anything.

    Raises:
        DatabaseUnusable: It can't be connected to, is too old or too new, or refuses.
    """
    with _connected(conninfo, 0) as connection, _explained(conninfo):
        return bool(schema.missing(connection))


def await_tables(conninfo: str, *, wait: float) -> None:
    """Wait until the tables are up to date, and change nothing.

    Args:
        conninfo: The database.
        wait: Seconds to go on trying while it can't be connected to, or lacks something.

    Raises:
        DatabaseUnusable: It can't be connected to, is too old or too new, or lacks something to the end.
    """
    end = time.monotonic() + wait
    with _connected(conninfo, end) as connection, _explained(conninfo):
        while missing := schema.missing(connection):
            if time.monotonic() >= end:
                raise DatabaseUnusable(
                    f"{described(conninfo)} is not up to date, and this process may not change that (--no-migrate): it "
                    f"lacks {missing[0]}{' and later ones' if len(missing) > 1 else ''}. Run `pact-dispatch migrate` "
                    "of this version, as a role that may make tables"
                )
            time.sleep(TABLES_SECONDS)


@contextmanager
def _connected(conninfo: str, end: float) -> Iterator[psycopg.Connection[Any]]:
    """Connect; try again until `end`, of `time.monotonic()`.

    Raises:
        DatabaseUnusable: It can't be connected to, or is too old.
    """
    while True:
        try:
            connection = psycopg.connect(conninfo, autocommit=True, **connection_options(conninfo))
            break
        except psycopg.OperationalError as error:
            problem = unreachable(conninfo, error)
            if time.monotonic() >= end or isinstance(problem, UrlUnusable):
                raise problem from error
            time.sleep(TABLES_SECONDS)
    with connection:
        if connection.info.server_version < OLDEST_MAJOR * 10000:
            raise DatabaseUnusable(
                f"{described(conninfo)} is PostgreSQL {connection.info.server_version // 10000}: "
                f"pact-dispatch needs {OLDEST_MAJOR} or later"
            )
        yield connection


@contextmanager
def _explained(conninfo: str) -> Iterator[None]:
    """Raise DatabaseUnusable for what is wrong with the tables."""
    try:
        yield
    except schema.NoTables as error:
        raise NoReceiversDatabase(f"{described(conninfo)} {error}") from error
    except schema.SchemaUnusable as error:
        raise DatabaseUnusable(f"{described(conninfo)} {error}") from error
    except psycopg.Error as error:
        advice = (
            "; have `pact-dispatch migrate` do it, as a role that may make tables"
            if isinstance(error, psycopg.errors.InsufficientPrivilege)
            else ""
        )
        raise DatabaseUnusable(
            f"the tables of {described(conninfo)} could not be brought up to date: {one_line(error)}{advice}"
        ) from error


def open_pool(conninfo: str, *, size: int) -> ConnectionPool[psycopg.Connection[Any]]:
    """Open a pool of connections, in the process that uses it: it does not survive a fork.

    It does not wait for the database. While that is away or hangs, a request for a connection fails with
    `psycopg_pool.PoolTimeout` after 3 s, and a statement without an answer with `psycopg.OperationalError` after 8 s.
    The pool reconnects by itself.

    Args:
        conninfo: The database.
        size: The number of connections, at most.
    """
    return ConnectionPool(
        conninfo,
        connection_class=ImpatientConnection,
        kwargs=connection_options(conninfo),
        min_size=1,
        max_size=size,
        timeout=POOL_SECONDS,
        reconnect_timeout=RECONNECT_SECONDS,
        configure=_configure,
        check=_check,
        open=True,
    )


def connection_options(conninfo: str) -> dict[str, Any]:
    """Return options with which a connection to a lost host fails within seconds; the URL's own take precedence."""
    options = {
        "application_name": "pact-dispatch",
        "connect_timeout": 3,
        "keepalives_idle": 5,
        "keepalives_interval": 2,
        "keepalives_count": 3,
        "tcp_user_timeout": 8000,
    }
    given = conninfo_to_dict(conninfo)
    return {name: value for name, value in options.items() if name not in given}


class ImpatientConnection(psycopg.Connection[Any]):
    """A connection that is closed when the server leaves it without an answer."""

    answer_seconds = ANSWER_SECONDS

    def wait(self, gen: PQGen[RV], interval: float = 0.1, timeout: float | None = None) -> RV:
        """Wait for an answer, for `answer_seconds` at most.

        Raises:
            psycopg.OperationalError: There was none.
        """
        if timeout is not None:
            return super().wait(gen, interval, timeout)
        try:
            return super().wait(limited(gen, time.monotonic() + self.answer_seconds), interval)
        except NoAnswer:
            self.pgconn.finish()
            raise


def _configure(connection: psycopg.Connection[Any]) -> None:
    # Not as an option of the connection, which poolers such as PgBouncer refuse.
    # After a few times, PostgreSQL may plan a prepared statement without its values: a list that is filtered by a value
    # that hardly any row has is then read from its beginning to its end.
    connection.execute(
        "SELECT set_config('statement_timeout', %(statement)s, false), "
        "set_config('lock_timeout', %(statement)s, false), "
        "set_config('plan_cache_mode', 'force_custom_plan', false), "
        "set_config('idle_in_transaction_session_timeout', %(idle)s, false)",
        {"statement": f"{STATEMENT_SECONDS * 1000:.0f}ms", "idle": f"{IDLE_SECONDS * 1000:.0f}ms"},
    )
    connection.commit()


def _check(connection: psycopg.Connection[Any]) -> None:
    if not isinstance(connection, ImpatientConnection):
        raise TypeError(connection)
    connection.answer_seconds = CHECK_SECONDS
    try:
        ConnectionPool.check_connection(connection)
    finally:
        connection.answer_seconds = ANSWER_SECONDS
