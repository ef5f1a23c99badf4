"""HTTP servers on loopback: what they all share, and one that keeps what it is sent and answers as it is told."""

from __future__ import annotations

import json
import random
import socket
import ssl
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import TracebackType


CLOSED_PORTS = range(10000, 14000)
"""Below those that systems hand out, and below those of `verifier.provider.port`."""
CLAIMED_BY = 4000
"""How far above a port that is given to a test the one is that stands for it."""


class LoopbackServer:
    """An HTTP server on a port of loopback, up for the length of a `with` block; `serve` answers each request.

    Args:
        port: where to listen; 0 takes a free one.
        tls: makes it speak TLS.
    """

    protocol_version = "HTTP/1.0"

    def __init__(self, *, port: int = 0, tls: ssl.SSLContext | None = None) -> None:
        self.port = port
        self._tls = tls
        self._server: ThreadingHTTPServer | None = None
        self._kept: socket.socket | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        self._let_port_go()

    @property
    def url(self) -> str:
        """Where it is."""
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    def serve(self, handler: BaseHTTPRequestHandler, body: bytes) -> None:
        """Answer a request, whose body was read."""
        raise NotImplementedError

    def start(self) -> None:
        """Listen; after a `stop` where it was before."""
        self._let_port_go()
        self._server = _Server(("127.0.0.1", self.port), _handler(self))
        self.port = self._server.server_port
        if self._tls is not None:
            self._server.socket = self._tls.wrap_socket(self._server.socket, server_side=True)
        threading.Thread(target=self._server.serve_forever, args=[0.01], daemon=True).start()

    def stop(self) -> None:
        """Be away: connections are refused, and the port is given to nobody else."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None
            self._kept = socket.socket()
            self._kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._kept.bind(("127.0.0.1", self.port))

    def _let_port_go(self) -> None:
        if self._kept is not None:
            self._kept.close()
            self._kept = None


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is no news."""


def _handler(server: LoopbackServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = server.protocol_version
        timeout = 60.0

        def do_any(self) -> None:
            server.serve(self, self.rfile.read(int(self.headers.get("Content-Length") or 0)))

        do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_any  # noqa: N815 - the base class's names

        def log_message(self, *_: Any) -> None:
            pass

    return Handler


@dataclass(frozen=True)
class Received:
    """A request as it arrived; names of headers in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Reply:
    """An answer.

    Attributes:
        status: its HTTP status.
        body: bytes or text as they are; anything else becomes JSON.
        headers: beside `Content-Length`, and `Content-Type` where the body is JSON.
        cut: how many bytes of the body are sent before the connection is dropped.
        hang: never answer; the request ends when the server does.
        drop: close the connection without a word.
        after: answer once this is set.
    """

    status: int = 200
    body: Any = b""
    headers: dict[str, str] = field(default_factory=dict)
    cut: int | None = None
    hang: bool = False
    drop: bool = False
    after: threading.Event | None = None

    @property
    def content(self) -> bytes:
        if isinstance(self.body, bytes):
            return self.body
        return (self.body if isinstance(self.body, str) else json.dumps(self.body)).encode()


class Loopback(LoopbackServer):
    """The server, up for the length of a `with` block.

    Args:
        answer: a reply, or a list of them, given one after the other (the last one again and again), or a
            function of the request.
        certificate: a PEM file with a certificate and its key, for https.
        tls: or the context of https.
    """

    def __init__(
        self,
        answer: Reply | list[Reply] | Callable[[Received], Reply],
        *,
        certificate: Path | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        if certificate is not None:
            tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            tls.load_cert_chain(certificate)
        super().__init__(tls=tls)
        self.received: list[Received] = []
        self._answer = answer
        self._lock = threading.Lock()
        self._arrived = threading.Condition()
        self._closing = threading.Event()

    def stop(self) -> None:
        """Be away, and let go of the requests that hang."""
        self._closing.set()
        super().stop()

    def serve(self, handler: BaseHTTPRequestHandler, body: bytes) -> None:
        """Keep a request, and answer it."""
        headers = {name.lower(): value for name, value in handler.headers.items()}
        reply = self.take(Received(handler.command, handler.path, headers, body))
        if reply.hang:
            self._closing.wait(60)
        if reply.after is not None:
            assert reply.after.wait(60)
        if reply.hang or reply.drop:
            return
        content = reply.content
        answered = {"Content-Length": str(len(content)), **reply.headers}
        if not isinstance(reply.body, bytes | str):
            answered.setdefault("Content-Type", "application/json")
        handler.send_response(reply.status)
        for name, value in answered.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(content[: reply.cut])

    def wait_for_request(self, number: int = 1, timeout: float = 60) -> None:
        """Wait until so many requests have arrived."""
        with self._arrived:
            assert self._arrived.wait_for(lambda: len(self.received) >= number, timeout)

    def take(self, request: Received) -> Reply:
        with self._arrived:
            self.received.append(request)
            place = len(self.received) - 1
            self._arrived.notify_all()
        if isinstance(self._answer, Reply):
            return self._answer
        if isinstance(self._answer, list):
            return self._answer[min(place, len(self._answer) - 1)]
        with self._lock:
            return self._answer(request)


def closed_port() -> int:
    """Find a port that nobody listens on, and that nobody else is given while this process lives.

    It is none of those that systems hand out to whoever asks for any port: each of them could be somebody's in the next
    moment. Other processes of the tests, which look for one here too, are kept from it by a UDP port that is taken.
    """
    for port in random.sample(CLOSED_PORTS, len(CLOSED_PORTS)):
        claim = socket.socket(type=socket.SOCK_DGRAM)
        try:
            claim.bind(("127.0.0.1", port + CLAIMED_BY))
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", port))
        except OSError:
            claim.close()
            continue
        claim.detach()  # it stays open
        return port
    raise AssertionError("no port is free")
