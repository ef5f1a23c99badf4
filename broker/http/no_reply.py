"""Why there is no whole answer to a request."""

from __future__ import annotations

from broker.http.reason import brief

IN_THE_MIDST = "the connection ended in the midst of the answer"


class NoReply(Exception):
    """No whole answer was received; the message says why, in brief: it may quote what the other end sent."""

    def __init__(self, why: str) -> None:
        super().__init__(brief(why))


class NotSent(NoReply):
    """The request can't be sent as it is: no URL, no such file of certificates."""


class Unreachable(NoReply):
    """There was no connection, or no answer that begins as HTTP does."""


class Refused(Unreachable):
    """The connection was refused: nothing listens there."""


class BrokeOff(Unreachable):
    """The connection ended in the midst of the answer."""


class TooSlow(Unreachable):
    """The time was over before the answer was there."""


class ProxyFailed(Unreachable):
    """A proxy did not do what it was asked for."""


class NotTrusted(NoReply):
    """There is no TLS connection whose other end is trusted."""


class Unreadable(NoReply):
    """The answer can't be read: its compression is broken, it says two lengths of itself."""
