"""Whether the rows of a receiver may be put into a database."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from app.database.connections import OLDEST_MAJOR
from app.database.database_url import DatabaseUnusable, described
from app.database.transfer.contents import connected, other_users, read_contents
from app.process.environment import DATABASE_URL

if TYPE_CHECKING:
    from psycopg import Connection


def check_target(conninfo: str, *, replaces: bool, name: str = DATABASE_URL) -> None:
    """Check a database before anything is done to it.

    Args:
        conninfo: The database.
        replaces: Whether what it has may be replaced.
        name: The variable or option that its URL comes from.

    Raises:
        DatabaseUnusable: It can't be reached, is too old, is used, or has runs that are not to be replaced.
    """
    with connected(conninfo, name) as connection:
        major = connection.info.server_version // 10000
        if major < OLDEST_MAJOR:
            raise DatabaseUnusable(
                f"{described(conninfo)} is PostgreSQL {major}: pact-dispatch needs {OLDEST_MAJOR} or later"
            )
        users = other_users(connection, conninfo)
        if users:
            raise DatabaseUnusable(
                f"a receiver uses {described(conninfo)} (it has {users} connections): stop its processes first"
            )
        check_empty(connection, conninfo, replaces=replaces)


def check_empty(connection: Connection[Any], conninfo: str, *, replaces: bool) -> None:
    """Check that a database has nothing that is not to be replaced.

    Args:
        connection: A connection to the database.
        conninfo: The database.
        replaces: Whether what it has may be replaced.

    Raises:
        DatabaseUnusable: It has runs or deliveries that are not to be replaced.
    """
    contents = read_contents(connection)
    if not contents.is_empty and not replaces:
        raise DatabaseUnusable(
            f"{described(conninfo)} has runs ({contents.runs}) or deliveries ({contents.deliveries}), so nothing "
            "was done: --replace puts these in their place, which are lost then (write a dump of them first)"
        )
