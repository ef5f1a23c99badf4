"""A server on loopback between the core and the provider, for what must be known or changed on the way.

What is asked for and answered is kept for the interactions that don't pass.
"""

from __future__ import annotations

import http.client
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from broker.http.kept_connection import KeptConnections
from broker.http.limits import Limits
from broker.http.no_reply import NoReply, NotTrusted
from broker.http.tls import ORDINARY
from broker.traces.context import HEADER
from verifier.engine.loopback_server import LoopbackServer
from verifier.engine.recorded_exchange import (
    INTERACTION_HEADER,
    MOST_KEPT,
    RecordedExchange,
    by_interaction,
)
from verifier.engine.relay_limit import relayed_seconds

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterable
    from typing import BinaryIO

    from broker.http.limits import Reply
    from broker.http.tls import Tls
    from broker.traces.context import TraceContext

LONGEST_ANSWER = 64 * 1024 * 1024
"""The most bytes that are read of an answer."""
LONGEST_LINE = 65536
OF_THE_CONNECTION = frozenset(
    {"connection", "content-length", "host", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"}
)
"""Headers that each side of the relay has of its own."""


@dataclass(frozen=True)
class Request:
    """A request of the core.

    Attributes:
        method: The HTTP method.
        target: The path and the query.
        headers: The headers, without those of the connection.
        body: The body; empty if there is none.
        marker: The index of the interaction that it is of, if it says so.
    """

    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    marker: str | None = None


class ProviderRelay(ABC):
    """Passes the core's requests on; it makes one after the other.

    Args:
        timeout: The time that a request may take with all of its answer, in seconds.
        tls: How TLS connections to the provider are made.
        context: What they are made with, if that is there already.
    """

    def __init__(self, *, timeout: float, tls: Tls = ORDINARY, context: ssl.SSLContext | None = None) -> None:
        self.connections = KeptConnections(
            Limits(relayed_seconds(timeout), LONGEST_ANSWER, stated=timeout), tls, context
        )
        self._server = LoopbackServer("provider-relay", self._response)
        self.port = self._server.port

    def close(self) -> None:
        """Stop serving."""
        self._server.close()

    def _response(self, stream: BinaryIO) -> bytes | None:
        """Read a request, and return the response; None if there is none, as the core finds then."""
        method, target, _ = stream.readline(LONGEST_LINE).decode("latin-1").split(" ", 2)
        headers = http.client.parse_headers(stream)
        body = stream.read(int(headers.get("Content-Length") or 0))
        marker = headers[INTERACTION_HEADER]
        del headers[INTERACTION_HEADER]
        kept = _joined(_without_the_connections(headers.items()))
        try:
            reply = self.answer(Request(method, target, kept, body, marker))
        except NoReply:
            return None
        return _response(reply, has_body=method != "HEAD")

    @abstractmethod
    def answer(self, request: Request) -> Reply:
        """Return the answer for the core.

        Raises:
            NoReply: There is none.
        """


class OriginRelay(ProviderRelay):
    """Passes requests on to where the provider is, and keeps what was sent and what came.

    Args:
        origin: The provider's scheme, host and port.
        timeout: The time that a request may take with all of its answer, in seconds.
        tls: How TLS connections to the provider are made.
        context: What they are made with, if that is there already.

        trace: The trace that the provider is told of, in a header that is not recorded; None for none.

    Attributes:
        origin: As above.
        is_not_trusted: Whether no TLS connection could be made, and nothing was sent.
        taken: All exchanges that the last call of `take` was about.
    """

    def __init__(
        self,
        origin: str,
        *,
        timeout: float,
        tls: Tls,
        context: ssl.SSLContext | None = None,
        trace: TraceContext | None = None,
    ) -> None:
        self.origin = origin
        self.taken: list[RecordedExchange] = []
        self._trace = trace
        self.is_not_trusted = False
        self._has_answered = False
        self._exchanges: list[RecordedExchange] = []
        super().__init__(timeout=timeout, tls=tls, context=context)

    def answer(self, request: Request) -> Reply:
        """Pass a request on, and keep it with its answer."""
        sent = self.for_the_provider(request)
        exchange = recorded(sent, self.origin + sent.target, int(request.marker) if request.marker else None)
        self._exchanges.append(exchange)
        try:
            reply = self.connections.send(
                sent.method, self.origin + sent.target, sent.body, traced(sent.headers, exchange, self._trace)
            )
        except NotTrusted:
            self.is_not_trusted = not self._has_answered
            raise
        self._has_answered = True
        keep_answer(exchange, reply)
        return self.for_the_core(reply)

    def take(self) -> dict[int, RecordedExchange]:
        """Return the exchange of each interaction since the last call, by its index."""
        self.taken, self._exchanges = self._exchanges, []
        return by_interaction(self.taken)

    def for_the_provider(self, request: Request) -> Request:
        """Return a request as the provider is to get it."""
        return request

    @abstractmethod
    def for_the_core(self, reply: Reply) -> Reply:
        """Return an answer as the core is to get it."""


def traced(headers: dict[str, str], exchange: RecordedExchange, trace: TraceContext | None) -> dict[str, str]:
    """Return the headers of a request with the span that it belongs to, unless the pact has it say another one."""
    if trace is None or HEADER in {name.lower() for name in headers}:
        return headers
    return {**headers, HEADER: exchange.traceparent(trace)}


def recorded(request: Request, url: str, index: int | None = None) -> RecordedExchange:
    """Return a request to a URL as it is sent, what comes first of it, without an answer so far."""
    parts = urlsplit(url)
    lines = [
        f"{request.method} {request.target} HTTP/1.1",
        f"host: {parts.netloc}",
        *(f"{name}: {value}" for name, value in request.headers.items()),
        *([f"content-length: {len(request.body)}"] if request.body else []),
    ]
    return RecordedExchange(
        index, bytearray(_head(lines) + request.body[:MOST_KEPT]), origin=f"{parts.scheme}://{parts.netloc}"
    )


def keep_answer(exchange: RecordedExchange, reply: Reply) -> None:
    """Keep what comes first of the answer."""
    exchange.ended = time.time_ns()
    exchange.answer += _head(_reply_lines(reply)) + reply.content[:MOST_KEPT]


def _without_the_connections(headers: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    return [(name, value) for name, value in headers if name.lower() not in OF_THE_CONNECTION]


def _joined(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return headers by name, several of one name as one, which means the same."""
    found: dict[str, str] = {}
    for name, value in headers:
        found[name] = f"{found[name]}, {value}" if name in found else value
    return found


def _response(reply: Reply, *, has_body: bool) -> bytes:
    lines = [*_reply_lines(reply), "Connection: close"]
    if has_body:
        lines.append(f"Content-Length: {len(reply.content)}")
    return _head(lines) + reply.content


def _reply_lines(reply: Reply) -> list[str]:
    headers = reply.header_lines or reply.headers.items()
    lines = [f"{name}: {value}" for name, value in _without_the_connections(headers)]
    return [f"HTTP/1.1 {reply.status} {reply.reason or '.'}", *lines]


def _head(lines: list[str]) -> bytes:
    return "\r\n".join([*lines, "", ""]).encode("latin-1", errors="replace")
