"""The URL of a database: what is wrong with it, and what it names, without its password."""

from __future__ import annotations

import psycopg
from psycopg.conninfo import conninfo_to_dict

SCHEMES = ("postgresql", "postgres", "postgresql+psycopg")


class DatabaseUnusable(Exception):
    """The database can't be started, connected to or used; the message says why, and what to do."""


def check_url(url: str) -> str:
    """Return a URL in the form that psycopg takes.

    Raises:
        DatabaseUnusable: It can't be used. The message doesn't repeat it: parts of a password may be anywhere in it.
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
    """Return a description of a database, without its password."""
    given = conninfo_to_dict(conninfo)
    names = {"host": "host", "hostaddr": "address", "port": "port", "dbname": "database", "user": "user"}
    parts = [f"{name} {given[key]}" for key, name in names.items() if given.get(key)]
    return f"the database ({', '.join(parts) or 'where PostgreSQL is by default'})"


def unreachable(conninfo: str, error: psycopg.Error) -> str:
    """Return a message: that a database can't be connected to, why, and what to do."""
    reason = one_line(error)
    if "authentication failed" in reason or "no password supplied" in reason:
        advice = "check the user and the password in DATABASE_URL"
    elif "does not exist" in reason:
        advice = "make it (CREATE ROLE, CREATE DATABASE), or check the names in DATABASE_URL"
    else:
        advice = "check that it runs, that it can be reached from here, and DATABASE_URL"
    return f"{described(conninfo)} can't be connected to: {reason}; {advice}"


def one_line(error: psycopg.Error) -> str:
    """Return the message of an error in one line."""
    return " ".join(str(error).split()) or type(error).__name__
