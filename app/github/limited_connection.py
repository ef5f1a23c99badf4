"""PyGithub's connections, with limits on the time and the size of an answer: PyGithub itself has neither.

It also follows redirects on GitHub's host, and asks again after an answer of 202, without end.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from github.Requester import HTTPRequestsConnectionClass, HTTPSRequestsConnectionClass, Requester

from app.github.documents import NotGitHub
from broker.http.limited_request import LimitedSession
from broker.http.limits import Limits
from broker.http.no_reply import TooSlow

if TYPE_CHECKING:
    from collections.abc import Iterator

    from broker.http.limits import Reply

MAX_BYTES = 16 * 1024 * 1024
"""The largest answer that is read, unpacked: a hundred runs of workflows take about 2 MB."""

_begun: ContextVar[float | None] = ContextVar("begun", default=None)


@contextmanager
def one_exchange() -> Iterator[None]:
    """Count the time of all requests that are sent in the `with` block together."""
    token = _begun.set(time.monotonic())
    try:
        yield
    finally:
        _begun.reset(token)


class _Answer:
    """An answer, as PyGithub reads one."""

    def __init__(self, reply: Reply) -> None:
        self.status = reply.status
        self._reply = reply

    def getheaders(self) -> Any:
        return self._reply.headers.items()

    def read(self) -> str:
        return self._reply.content.decode(errors="replace")


class _Limited:
    """What both of PyGithub's kinds of connections are given; each sends one request."""

    verb: Any
    protocol: Any
    host: Any
    port: Any
    url: Any
    headers: Any
    input: Any
    timeout: Any

    def getresponse(self) -> Any:
        """Send the request, and read the answer.

        Raises:
            NoReply: There was none within the limits.
            NotGitHub: It is larger than any of GitHub's.
        """
        begun = _begun.get()
        left = self.timeout if begun is None else begun + self.timeout - time.monotonic()
        if left <= 0:
            raise TooSlow(f"no whole answer within {self.timeout:g} s")
        with LimitedSession() as session:
            reply = session.send(
                self.verb,
                f"{self.protocol}://{self.host}:{self.port}{self.url}",
                limits=Limits(left, MAX_BYTES),
                headers=self.headers,
                body=self.input,
            )
        if not reply.is_whole:
            raise NotGitHub(f"it is larger than {MAX_BYTES // 2**20} MB")
        return _Answer(reply)


class LimitedHttp(_Limited, HTTPRequestsConnectionClass):
    """A connection without TLS, to a test's server or through a proxy of one's own."""


class LimitedHttps(_Limited, HTTPSRequestsConnectionClass):
    """A connection with TLS."""


Requester.injectConnectionClasses(LimitedHttp, LimitedHttps)
