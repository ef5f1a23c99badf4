"""The receiver's database: the PostgreSQL of DATABASE_URL, or an embedded one in the data directory."""

from __future__ import annotations

import time
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg_pool import ConnectionPool

from app.database import schema
from app.database.embedded import server as embedded_postgres
from app.database.psycopg_internals import NoAnswer, limited

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from psycopg.abc import RV, PQGen

SCHEMES = ("postgresql", "postgres", "postgresql+psycopg")
OLDEST_MAJOR = 13
"""Procrastinate's oldest PostgreSQL."""
_AWAY_STATES = ("08", "53", "57P")
"""How the SQLSTATE of an error begins that says that the server can't serve anybody now.

08: a connection failed. 53: too many connections, no memory, no disk space. 57P01 to 57P05: it is stopping, starting,
or has ended this connection. 57014, a statement that took too long or was cancelled, is not one of them.
"""
POOL_SECONDS = 3.0
"""How long a request waits for a connection: a database that is away is a 503 at once."""
STATEMENT_SECONDS = 5.0
"""How long the server may work on a statement; `SET LOCAL statement_timeout` gives one more, up to `ANSWER_SECONDS`."""
ANSWER_SECONDS = 8.0
"""How long to wait for its answer: a server that is frozen keeps no time."""
CHECK_SECONDS = 1.5
RECONNECT_SECONDS = 4.0
"""The pool tries for so long, ever more slowly, and then anew at the next request."""


class DatabaseUnusable(Exception):
    """The database can't be started, reached or used; the message says which, and what to do."""


@contextmanager
def database(url: str | None, data_dir: Path) -> Iterator[str]:
    """Have a database.

    Args:
        url: of a PostgreSQL, as in DATABASE_URL; it isn't connected to yet. None for an embedded one.
        data_dir: the embedded one is in its folder `postgres`, as long as anybody uses it.

    Yields:
        A URL for psycopg. It may hold a password.

    Raises:
        DatabaseUnusable: the URL isn't one, or the embedded one can't be started.
    """
    with ExitStack() as stack:
        if url is None:
            try:
                conninfo = stack.enter_context(embedded_postgres.running(data_dir / "postgres"))
            except embedded_postgres.PostgresUnusable as error:
                raise DatabaseUnusable(str(error)) from error
        else:
            conninfo = check_url(url)
        yield conninfo


def migrate(conninfo: str, *, wait: float = 0) -> None:
    """Make the tables, or bring those of an older version up to date. May be run by any number of processes at once.

    Args:
        conninfo: the database.
        wait: seconds to go on trying while it can't be connected to.

    Raises:
        DatabaseUnusable: it can't be connected to, is too old or too new, or refuses.
    """
    end = time.monotonic() + wait
    while True:
        try:
            connection = psycopg.connect(conninfo, autocommit=True, **connection_options(conninfo))
            break
        except psycopg.OperationalError as error:
            if time.monotonic() >= end:
                raise DatabaseUnusable(_away(conninfo, error)) from error
            time.sleep(min(0.5, wait / 10))
    with connection:
        if connection.info.server_version < OLDEST_MAJOR * 10000:
            raise DatabaseUnusable(
                f"{described(conninfo)} is PostgreSQL {connection.info.server_version // 10000}: "
                f"pact-dispatch needs {OLDEST_MAJOR} or later"
            )
        try:
            schema.migrate(connection)
        except schema.SchemaUnusable as error:
            raise DatabaseUnusable(f"{described(conninfo)} {error}") from error
        except psycopg.Error as error:
            raise DatabaseUnusable(
                f"the tables of {described(conninfo)} could not be brought up to date: {_one_line(error)}"
            ) from error


def open_pool(conninfo: str, *, size: int) -> ConnectionPool[psycopg.Connection[Any]]:
    """Open a pool of connections, in the process that uses it: it does not survive a fork.

    It does not wait for the database. While that is away or hangs, a connection is refused with
    `psycopg_pool.PoolTimeout` after 3 s, and a statement that gets no answer fails with `psycopg.OperationalError`
    after 8 s. When it is back, so are the connections.

    Args:
        conninfo: the database.
        size: how many connections at most.
    """
    return ConnectionPool(
        conninfo,
        connection_class=ImpatientConnection,
        kwargs=connection_options(conninfo),
        min_size=1,
        max_size=size,
        timeout=POOL_SECONDS,
        reconnect_timeout=RECONNECT_SECONDS,
        configure=_limit_statements,
        check=_check,
        open=True,
    )


def is_away(error: BaseException) -> bool:
    """Return whether an error means that the database is away, and not that a statement is wrong or too slow.

    The server can't be reached, does not answer, ended the connection or takes no more of them, or the pool had no
    connection in time.
    """
    if not isinstance(error, psycopg.OperationalError):  # those of the pool are among them
        return False
    return error.sqlstate is None or error.sqlstate.startswith(_AWAY_STATES)


def connection_options(conninfo: str) -> dict[str, Any]:
    """Give the options that have a connection to a host that is gone fail within seconds; the URL's own go first."""
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


def _limit_statements(connection: psycopg.Connection[Any]) -> None:
    # Not as an option of the connection: poolers such as PgBouncer refuse that.
    limit = f"{STATEMENT_SECONDS:.0f}s"
    connection.execute(
        "SELECT set_config('statement_timeout', %s, false), set_config('lock_timeout', %s, false)",
        (limit, limit),
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


def check_url(url: str) -> str:
    """Give a URL in the form that psycopg knows.

    Raises:
        DatabaseUnusable: it isn't one. The URL is not repeated: parts of a password may be anywhere in it.
    """
    scheme, separator, rest = url.strip().partition("://")
    if not separator or scheme.lower() not in SCHEMES:
        raise DatabaseUnusable(
            "DATABASE_URL is not of the form postgresql://USER:PASSWORD@HOST:PORT/DATABASE"
        )
    authority = rest.split("/")[0].split("?")[0].split("#")[0]
    url = f"postgresql://{rest}"
    try:
        ports = str(conninfo_to_dict(url).get("port") or "")
        readable = (
            authority.count("@") == rest.count("@") <= 1
            and url.isprintable()
            and all(port.isdecimal() for port in ports.split(",") if port)
        )
    except psycopg.ProgrammingError:
        readable = False
    if not readable:
        raise DatabaseUnusable(
            "DATABASE_URL can't be read: it is postgresql://USER:PASSWORD@HOST:PORT/DATABASE, and in the user's name "
            "and the password @ is written as %40, : as %3A, / as %2F, ? as %3F, # as %23, % as %25"
        ) from None
    return url


def described(conninfo: str) -> str:
    """Name a database, without its password."""
    given = conninfo_to_dict(conninfo)
    names = {"host": "host", "hostaddr": "address", "port": "port", "dbname": "database", "user": "user"}
    parts = [f"{name} {given[key]}" for key, name in names.items() if given.get(key)]
    return f"the database ({', '.join(parts) or 'where PostgreSQL is by default'})"


def _away(conninfo: str, error: psycopg.Error) -> str:
    reason = _one_line(error)
    if "authentication failed" in reason or "no password supplied" in reason:
        advice = "check the user and the password in DATABASE_URL"
    elif "does not exist" in reason:
        advice = "make it (CREATE ROLE, CREATE DATABASE), or check the names in DATABASE_URL"
    else:
        advice = "check that it runs, that it can be reached from here, and DATABASE_URL"
    return f"{described(conninfo)} can't be connected to: {reason}; {advice}"


def _one_line(error: psycopg.Error) -> str:
    return " ".join(str(error).split()) or type(error).__name__
