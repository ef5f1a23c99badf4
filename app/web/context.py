"""What the routes share: the receiver, its database, and the check of the API's tokens."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

import psycopg
from flask import current_app, g, request

from app.database.failures import may_pass
from app.intake.credentials import BadCredentials, NoCredentials
from app.intake.refusal_log import RefusalLog
from app.intake.sessions import Sessions
from app.intake.tokens import READ_ONLY
from app.intake.wrong_credentials import WrongCredentials
from app.records.run_links import RunLinks
from app.records.signing_keys import dashboard_key
from app.web.connection import LIVE_PAGES, Connection, network_of
from app.web.live_hub import LiveHub
from app.web.problem import HttpProblem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from psycopg import Connection as Database
    from psycopg_pool import ConnectionPool

    from app.config.settings import Settings
    from app.intake.credentials import Tokens

READING = frozenset({"GET", "HEAD", "OPTIONS"})
"""The methods that change nothing."""


@dataclass(frozen=True)
class Receiver:
    """The receiver that a web process serves, with one configuration; a reload puts another one in its place.

    Attributes:
        settings: The configuration.
        pool: The pool of connections to the database.
        tokens: The tokens of those who may dispatch.
        api_tokens: The tokens of those who may use `/api`.
        webhook_secret: The key of GitHub's signatures.
        live_pages: How many open pages are told of changes, at most.
        database: Which database it is, in words without its password; "" if only its connections are known.
    """

    settings: Settings
    pool: ConnectionPool[Any]
    tokens: Tokens
    api_tokens: Tokens
    webhook_secret: str | None = field(default=None, repr=False)
    live_pages: int = LIVE_PAGES
    database: str = ""

    def with_configuration(self, settings: Settings, webhook_secret: str | None) -> Receiver:
        """Return this receiver with another configuration; the pages that are open are those of both."""
        other = replace(self, settings=settings, webhook_secret=webhook_secret)
        vars(other).update(
            {name: getattr(self, name) for name in ("refusal_log", "wrong_credentials", "live")}
        )
        return other

    def close(self) -> None:
        """End what goes on by itself, store what was counted, and give the connections back; nothing is served then."""
        self.live.close()
        self.refusal_log.close()
        self.pool.close()

    @cached_property
    def refusal_log(self) -> RefusalLog:
        """The log of the requests that this process refuses."""
        return RefusalLog(self.pool)

    @cached_property
    def wrong_credentials(self) -> WrongCredentials:
        """The wrong credentials that came to this process lately."""
        return WrongCredentials()

    @cached_property
    def live(self) -> LiveHub:
        """The open pages of this process."""
        conninfo = self.pool.conninfo
        return LiveHub(conninfo if isinstance(conninfo, str) else conninfo(), most=self.live_pages)

    @cached_property
    def run_links(self) -> RunLinks:
        """The links to runs, which may be shared.

        Raises:
            psycopg.Error: The database, which has their key, is away.
        """
        with self.pool.connection() as connection:
            return RunLinks(self.settings.server, dashboard_key(connection))

    @cached_property
    def sessions(self) -> Sessions:
        """The sessions of the dashboard.

        Raises:
            psycopg.Error: The database, which has their key, is away.
        """
        with self.pool.connection() as connection:
            return Sessions(dashboard_key(connection), self.api_tokens)


def receiver() -> Receiver:
    """Return the receiver that the request came to, with the configuration that it had when it first was asked for."""
    if "receiver" not in g:
        g.receiver = current_app.extensions["receiver"]
    found: Receiver = g.receiver
    return found


@contextmanager
def checking_credentials() -> Iterator[None]:
    """Check the credentials of the request in the `with` block, as early as they can be checked.

    If they are right, the server keeps the connection whatever strangers do; if they are wrong, and it isn't the first
    time for their address, the answer waits.

    Raises:
        BadCredentials: The block has raised it.
    """
    connection = _connection()
    try:
        yield
    except BadCredentials:
        seconds = receiver().wrong_credentials.seconds_to_wait(network_of(request.remote_addr or ""))
        if connection is not None:
            connection.hold(seconds)
        raise
    prove_sender()


def prove_sender() -> None:
    """Note that the sender of the request is known: the server keeps the connection, whatever strangers do."""
    connection = _connection()
    if connection is not None:
        connection.prove()


def stream() -> None:
    """Note that the answer to the request has no end."""
    connection = _connection()
    if connection is not None:
        connection.stream()


def _connection() -> Connection | None:
    """Return the connection of the request; None where a test serves the application."""
    connection = request.environ.get("gunicorn.socket")
    return connection if isinstance(connection, Connection) else None


def link(path: str) -> str:
    """Return the path at which people reach a path of the receiver, which a proxy may serve under another one."""
    return urlsplit(receiver().settings.server.public_url or "").path.rstrip("/") + path


def here() -> str:
    """Return the link to the page of the request, with its parameters; names in its path may have any character."""
    query = quote(request.query_string, safe="%!$&'()*+,/:;=?@[]~")
    return link(quote(request.path, safe="/~")) + (f"?{query}" if query else "")


def sessions() -> Sessions:
    """Return the sessions of the dashboard.

    Raises:
        HttpProblem: The database is away.
    """
    with _database_needed():
        return receiver().sessions


def run_links() -> RunLinks:
    """Return the links to runs, which may be shared.

    Raises:
        HttpProblem: The database is away.
    """
    with _database_needed():
        return receiver().run_links


def authorization() -> str | None:
    """Return the value of the header `Authorization`, with the password of basic auth as the token."""
    password = _basic_password()
    return request.headers.get("Authorization") if password is None else f"Bearer {password}"


def api_authorization() -> str | None:
    """Return the same for the API, where basic auth is good for reading alone.

    A browser sends that password along by itself, whichever page asks for the request.
    """
    return None if request.method not in READING and is_basic() else authorization()


def is_basic() -> bool:
    """Return whether the request has a password of basic auth, which is good for reading alone."""
    return _basic_password() is not None


def _basic_password() -> str | None:
    try:
        given = request.authorization
    except ValueError:  # Werkzeug reads the header, and lets through what Python says of one that isn't ASCII
        return None
    return given.password if given is not None and given.type == "basic" else None


def check_api_token() -> None:
    """Raise unless the request has one of the API's tokens; the token's name is put into `g.sender`.

    Raises:
        HttpProblem: There is no token, or a wrong one, or one that may only read.
    """
    try:
        with checking_credentials():
            token = receiver().api_tokens.token_of(api_authorization())
    except NoCredentials:
        message = (
            "Authorization: Bearer TOKEN is needed, with one of PACT_DISPATCH_API_TOKENS (for reading, it may be the "
            "password of basic auth)"
        )
        raise HttpProblem.unauthorized(message, wrong=False) from None
    except BadCredentials:
        message = "Bad credentials: the token is none of PACT_DISPATCH_API_TOKENS"
        raise HttpProblem.unauthorized(message, wrong=True) from None
    if token.read_only and request.method not in READING:
        raise HttpProblem(
            403, f"the token {token.name} is {READ_ONLY}: it may look things up, and change none"
        )
    g.sender = token.name


@contextmanager
def database() -> Iterator[Database[Any]]:
    """Open a connection for one transaction.

    Raises:
        HttpProblem: The database is away, or too busy.
        psycopg.Error: A statement is wrong.
    """
    with _database_needed(), receiver().pool.connection() as connection:
        yield connection


@contextmanager
def _database_needed() -> Iterator[None]:
    try:
        yield
    except psycopg.Error as error:
        if may_pass(error):
            raise HttpProblem.database_away() from error
        raise
