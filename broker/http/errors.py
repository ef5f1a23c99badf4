"""Exceptions of requests to a broker."""

from __future__ import annotations


class BrokerError(Exception):
    """A request to a broker failed; the message says how, and what to do."""

    transient = False
    """Whether the same request may work later."""


class BrokerUnreachable(BrokerError):
    """There was no answer, or one that may be another one later (429, 5xx).

    Attributes:
        retry_after: The seconds that the broker asks to wait, if it does.
    """

    transient = True

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class BrokerRefused(BrokerError):
    """The broker refused the request.

    Attributes:
        status: The HTTP status of the answer.
    """

    def __init__(self, message: str, *, status: int) -> None:
        super().__init__(message)
        self.status = status


class NotFound(BrokerRefused):
    """The broker answered that it doesn't have it (404)."""


class UnexpectedAnswer(BrokerError):
    """The answer is not what a Pact Broker sends: a page, a redirect elsewhere, too large, no JSON."""


class OffOrigin(BrokerError):
    """A URL that is not on the broker's own origin; nothing was sent to it."""
