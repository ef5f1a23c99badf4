"""What can go wrong with a broker."""

from __future__ import annotations


class BrokerError(Exception):
    """Something that was asked of a broker did not work; the message says what, and what to do."""

    transient = False
    """Whether the same request may work later."""


class BrokerUnreachable(BrokerError):
    """No answer, or one that promises to be another one later (429, 5xx).

    Attributes:
        retry_after: How many seconds the broker asks to wait, if it does.
    """

    transient = True

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class BrokerRefused(BrokerError):
    """The broker answered, and said no.

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
