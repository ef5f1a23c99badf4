"""The URL of a database: what is wrong with it, and what it names, without its password."""

from __future__ import annotations

import re

import psycopg
from psycopg.conninfo import conninfo_to_dict, timeout_from_conninfo

from app.process.environment import DATABASE_URL

SCHEMES = ("postgresql", "postgres", "postgresql+psycopg")
SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
_INVALID = re.compile(r"invalid (?:integer|\"?\w+\"?) value|invalid port number|could not match \d+ ")
"""What libpq says of a parameter that it can't use, once it is to connect."""


class DatabaseUnusable(Exception):
    """The database can't be started, connected to or used; the message says why, and what to do."""


class UrlUnusable(DatabaseUnusable):
    """The URL itself is wrong, whatever runs where."""


def check_url(url: str, name: str = DATABASE_URL) -> str:
    """Return a URL in the form that psycopg takes.

    Args:
        url: The URL.
        name: The variable or option that it comes from.

    Raises:
        UrlUnusable: It can't be used. The message doesn't repeat it: parts of a password may be anywhere in it.
    """
    scheme, separator, rest = url.strip().partition("://")
    if not separator or scheme.lower() not in SCHEMES:
        raise UrlUnusable(f"{name} is not of the form postgresql://USER:PASSWORD@HOST:PORT/DATABASE")
    authority = rest.split("/")[0].split("?")[0].split("#")[0]
    url = f"postgresql://{rest}"
    given = {}
    try:
        given = conninfo_to_dict(url)
        ports = [port for port in str(given.get("port") or "").split(",") if port]
        readable = (
            authority.count("@") == rest.count("@") <= 1
            and url.isprintable()
            and all(port.isdecimal() for port in ports)
        )
    except psycopg.ProgrammingError:
        readable = False
    if not readable:
        raise UrlUnusable(
            f"{name} can't be read: it is postgresql://USER:PASSWORD@HOST:PORT/DATABASE, and in the user's name "
            "and the password @ is written as %40, : as %3A, / as %2F, ? as %3F, # as %23, % as %25"
        ) from None
    if not all(0 < int(port) < 2**16 for port in ports):
        raise UrlUnusable(f"{name}: the port is to be a number from 1 to 65535")
    if given.get("sslmode", SSL_MODES[0]) not in SSL_MODES:
        raise UrlUnusable(f"{name}: sslmode is one of {', '.join(SSL_MODES)}")
    try:
        timeout_from_conninfo(given)
    except psycopg.ProgrammingError:
        raise UrlUnusable(f"{name}: connect_timeout is a number of seconds") from None
    return url


def described(conninfo: str) -> str:
    """Return a description of a database, without its password."""
    given = conninfo_to_dict(conninfo)
    names = {"host": "host", "hostaddr": "address", "port": "port", "dbname": "database", "user": "user"}
    parts = [f"{name} {given[key]}" for key, name in names.items() if given.get(key)]
    return f"the database ({', '.join(parts) or 'where PostgreSQL is by default'})"


def unreachable(conninfo: str, error: psycopg.Error, name: str = DATABASE_URL) -> DatabaseUnusable:
    """Return the exception for a database that can't be connected to, with why, and what to do.

    Args:
        conninfo: The database.
        error: What psycopg said.
        name: The variable or option that its URL comes from.
    """
    reason = one_line(error)
    if found := _INVALID.search(reason):
        return UrlUnusable(f"{name}: {reason[found.start() :]}")
    if "authentication failed" in reason or "no password supplied" in reason:
        advice = f"check the user and the password in {name}"
    elif "does not exist" in reason:
        advice = f"make it (CREATE ROLE, CREATE DATABASE), or check the names in {name}"
    else:
        advice = f"check that it runs, that it can be reached from here, and {name}"
    return DatabaseUnusable(f"{described(conninfo)} can't be connected to: {reason}; {advice}")


def one_line(error: psycopg.Error) -> str:
    """Return the message of an error in one line."""
    return " ".join(str(error).split()) or type(error).__name__
