"""What routes share: the receiver they belong to, its database, and who may read and steer."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import psycopg
from flask import current_app, g, request

from app.intake.credentials import BadCredentials, NoCredentials
from app.intake.refusal_log import KeptRefusals
from app.web.problem import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from psycopg import Connection
    from psycopg_pool import ConnectionPool

    from app.config.settings import Settings
    from app.intake.credentials import Tokens


@dataclass(frozen=True)
class Receiver:
    """What the routes work with.

    Attributes:
        settings: the configuration.
        pool: connections to the database.
        tokens: who may dispatch.
        api_tokens: who may read and steer by `/api`.
        webhook_secret: the key of GitHub's signatures.
    """

    settings: Settings
    pool: ConnectionPool[Any]
    tokens: Tokens
    api_tokens: Tokens
    webhook_secret: str | None = field(default=None, repr=False)

    @cached_property
    def refusals(self) -> KeptRefusals:
        """Where refusals are kept."""
        return KeptRefusals(self.pool)


def receiver() -> Receiver:
    """Give the receiver that the request came to."""
    found: Receiver = current_app.extensions["receiver"]
    return found


def check_api_token() -> None:
    """Let only those in who have one of the API's tokens; the token's name is noted.

    Raises:
        Problem: there is none, or a wrong one.
    """
    try:
        g.sender = receiver().api_tokens.who(request.headers.get("Authorization"))
    except NoCredentials:
        message = "Authorization: Bearer TOKEN is needed, with one of PACT_DISPATCH_API_TOKENS"
        raise Problem.unauthorized(message, wrong=False) from None
    except BadCredentials:
        message = "Bad credentials: the token is none of PACT_DISPATCH_API_TOKENS"
        raise Problem.unauthorized(message, wrong=True) from None


@contextmanager
def database() -> Iterator[Connection[Any]]:
    """Take a connection, for one transaction.

    Raises:
        Problem: the database is away.
    """
    try:
        with receiver().pool.connection() as connection:
            yield connection
    except (psycopg.OperationalError, psycopg.InterfaceError) as error:
        raise Problem.database_away() from error
