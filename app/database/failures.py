"""What an error of the database means: that it is away, that another try may work, or that a value can't be stored."""

from __future__ import annotations

import psycopg

_AWAY_STATES = ("08", "53", "57P", "25006", "25P03", "58030")
"""How the SQLSTATE of an error begins that says that the server can't serve anybody now.

08: a connection failed. 53: too many connections, no memory, no disk space. 57P01 to 57P05: it is stopping, starting,
or has ended this connection. 25006: it only reads, since another server has taken over. 25P03: it has ended this
connection, since its process was frozen in a transaction. 58030: its disk fails. 57014, a statement that took too long
or was cancelled, is not one of them.
"""
_PASSING_STATES = ("40", "55P03", "57014")
"""How those begin that say that others were in the way.

40: a conflict or a deadlock. 55P03: a lock. 57014: the statement took too long.
"""
_VALUE_STATES = ("22", "54")
"""How those begin that say that a value can't be stored.

22: its form, its encoding or its range. 54: a limit of PostgreSQL, such as the size of an index row, of a field or of
nested JSON. psycopg has those of class 54 among its `OperationalError`s, beside a database that is away.
"""


def is_away(error: BaseException) -> bool:
    """Return whether an error means that the database is away, and not that a statement is wrong or too slow.

    The server can't be reached, does not answer, ended the connection, takes no more of them, only reads, or the pool
    had no connection in time.
    """
    if not isinstance(error, psycopg.Error):  # those of the pool are among them
        return False
    if error.sqlstate is None:
        return isinstance(error, psycopg.OperationalError)
    return error.sqlstate.startswith(_AWAY_STATES)


def may_pass(error: BaseException) -> bool:
    """Return whether the same statement may work later: the database is away, or others were in its way."""
    return is_away(error) or (
        isinstance(error, psycopg.Error) and (error.sqlstate or "").startswith(_PASSING_STATES)
    )


def is_unstorable(error: BaseException) -> bool:
    """Return whether an error means that a value can't be stored, however often that is tried."""
    if isinstance(
        error, UnicodeEncodeError | psycopg.DataError
    ):  # what psycopg itself can't send has no SQLSTATE
        return True
    return isinstance(error, psycopg.Error) and (error.sqlstate or "").startswith(_VALUE_STATES)
