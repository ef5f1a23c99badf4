"""PyGithub's connections, with limits on the time and the size of an answer: PyGithub itself has neither.

Redirects are followed here, on GitHub's own origin alone: PyGithub follows only some, loses their query, and compares
no more than the host. It also asks again after an answer of 202, without end.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

from github.Requester import HTTPRequestsConnectionClass, HTTPSRequestsConnectionClass, Requester

from app.github.documents import NotGitHub
from broker.http.limited_request import LimitedSession
from broker.http.limits import MAX_REDIRECTS, Limits
from broker.http.no_reply import TooSlow
from broker.http.origin import Origin
from broker.http.reason import no_whole_answer
from broker.http.shown_url import shown_url

if TYPE_CHECKING:
    from collections.abc import Iterator

    from broker.http.limits import Reply

SEE_OTHER = 303
"""A redirect to something else than what was asked for, which GitHub doesn't use."""
MAX_BYTES = 16 * 1024 * 1024
"""The largest answer that is read, unpacked: a hundred runs of workflows take about 2 MB."""

API_VERSION = "2022-11-28"
"""The version of GitHub's API that these requests and the answers to them are written for."""


class RedirectedElsewhere(Exception):
    """The answer is a redirect that is not followed; the message says where it leads."""


@dataclass
class OneExchange:
    """The requests that one question takes.

    Attributes:
        begun: When the first was sent, by the monotonic clock.
        redirected_to: The URL that the last one was redirected to; None if it was not.
    """

    begun: float
    redirected_to: str | None = None


_current: ContextVar[OneExchange | None] = ContextVar("current", default=None)


@contextmanager
def one_exchange() -> Iterator[OneExchange]:
    """Count the time of all requests that are sent in the `with` block together."""
    exchange = OneExchange(time.monotonic())
    token = _current.set(exchange)
    try:
        yield exchange
    finally:
        _current.reset(token)


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
            RedirectedElsewhere: It leads to another origin, or to no end.
        """
        exchange = _current.get() or OneExchange(time.monotonic())
        url = f"{self.protocol}://{self.host}:{self.port}{self.url}"
        github = Origin.of(f"{self.protocol}://{self.host}:{self.port}")
        for _ in range(MAX_REDIRECTS + 1):
            reply = self._send(url, exchange)
            if reply.status == SEE_OTHER or reply.redirects_to is None:
                return _Answer(reply)
            try:
                url = urljoin(url, reply.redirects_to)
            except ValueError as error:
                raise NotGitHub(f"its Location can't be read: {error}") from None
            if not github.contains(url):
                raise RedirectedElsewhere(f"the answer redirects to another server, {shown_url(url)}")
            exchange.redirected_to = url
        raise RedirectedElsewhere(f"the answer redirects more than {MAX_REDIRECTS} times")

    def _send(self, url: str, exchange: OneExchange) -> Reply:
        left = exchange.begun + self.timeout - time.monotonic()
        if left <= 0:
            raise TooSlow(no_whole_answer(self.timeout))
        with LimitedSession() as session:
            reply = session.send(
                self.verb,
                url,
                limits=Limits(left, MAX_BYTES, stated=self.timeout),
                headers={**self.headers, "X-GitHub-Api-Version": API_VERSION},
                body=self.input,
            )
        if not reply.is_whole:
            raise NotGitHub(f"it is larger than {MAX_BYTES // 2**20} MB")
        return reply


class LimitedHttp(_Limited, HTTPRequestsConnectionClass):
    """A connection without TLS, to a test's server or through a proxy of one's own."""


class LimitedHttps(_Limited, HTTPSRequestsConnectionClass):
    """A connection with TLS."""


Requester.injectConnectionClasses(LimitedHttp, LimitedHttps)
