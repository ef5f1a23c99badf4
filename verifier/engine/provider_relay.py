"""A server on loopback between the core and the provider, for what must be known or changed on the way."""

from __future__ import annotations

import http.client
import threading
from abc import ABC, abstractmethod
from dataclasses import dataclass
from socketserver import StreamRequestHandler, TCPServer
from typing import TYPE_CHECKING

from broker.http.kept_connection import KeptConnections
from broker.http.limits import Limits
from broker.http.no_reply import NoReply
from broker.http.tls import ORDINARY
from verifier.engine.relay_limit import relayed_seconds

if TYPE_CHECKING:
    from collections.abc import Iterable

    from broker.http.limits import Reply
    from broker.http.tls import Tls

POLL_SECONDS = 0.02
"""How often a relay checks whether it is to stop."""
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
    """

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


class ProviderRelay(ABC):
    """Passes the core's requests on; it makes one after the other.

    Args:
        timeout: The time that a request may take with all of its answer, in seconds.
        tls: How TLS connections to the provider are made.
    """

    def __init__(self, *, timeout: float, tls: Tls = ORDINARY) -> None:
        self.connections = KeptConnections(Limits(relayed_seconds(timeout), LONGEST_ANSWER), tls)
        relay = self

        class Handler(StreamRequestHandler):
            def handle(self) -> None:
                method, target, _ = self.rfile.readline(LONGEST_LINE).decode("latin-1").split(" ", 2)
                headers = http.client.parse_headers(self.rfile)
                body = self.rfile.read(int(headers.get("Content-Length") or 0))
                request = Request(method, target, _joined(_without_the_connections(headers.items())), body)
                try:
                    reply = relay.answer(request)
                except NoReply:  # the core finds that there is no answer
                    return
                self.wfile.write(_response(reply, has_body=method != "HEAD"))

        self._server = TCPServer(("127.0.0.1", 0), Handler)
        self.port: int = self._server.server_address[1]
        threading.Thread(
            target=self._server.serve_forever, args=(POLL_SECONDS,), daemon=True, name="provider-relay"
        ).start()

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()

    @abstractmethod
    def answer(self, request: Request) -> Reply:
        """Return the answer for the core.

        Raises:
            NoReply: There is none.
        """


def _without_the_connections(headers: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    return [(name, value) for name, value in headers if name.lower() not in OF_THE_CONNECTION]


def _joined(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return headers by name, several of one name as one, which means the same."""
    found: dict[str, str] = {}
    for name, value in headers:
        found[name] = f"{found[name]}, {value}" if name in found else value
    return found


def _response(reply: Reply, *, has_body: bool) -> bytes:
    lines = [f"HTTP/1.1 {reply.status} {reply.reason or '.'}"]
    headers = reply.header_lines or reply.headers.items()
    lines += [f"{name}: {value}" for name, value in _without_the_connections(headers)]
    if has_body:
        lines.append(f"Content-Length: {len(reply.content)}")
    head = "\r\n".join([*lines, "Connection: close", "", ""]).encode("latin-1", errors="replace")
    return head + reply.content
