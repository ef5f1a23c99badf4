"""A small HTTP server on loopback that keeps what it is sent and answers as it is told."""

from __future__ import annotations

import json
import ssl
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import TracebackType


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
    """

    status: int = 200
    body: Any = b""
    headers: dict[str, str] = field(default_factory=dict)
    cut: int | None = None
    hang: bool = False
    drop: bool = False

    @property
    def content(self) -> bytes:
        if isinstance(self.body, bytes):
            return self.body
        return (self.body if isinstance(self.body, str) else json.dumps(self.body)).encode()


class Loopback:
    """The server, up for the length of a `with` block.

    Args:
        answer: a reply, or a list of them, given one after the other (the last one again and again), or a
            function of the request.
        certificate: a PEM file with a certificate and its key, for https.
    """

    def __init__(
        self, answer: Reply | list[Reply] | Callable[[Received], Reply], *, certificate: Path | None = None
    ) -> None:
        self.received: list[Received] = []
        self._answer = answer
        self._lock = threading.Lock()
        self._arrived = threading.Condition()
        self._closing = threading.Event()
        loopback = self

        class Handler(BaseHTTPRequestHandler):
            def handle_any(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                headers = {name.lower(): value for name, value in self.headers.items()}
                self.give(loopback.take(Received(self.command, self.path, headers, body)))

            do_GET = do_POST = do_PUT = do_DELETE = handle_any  # noqa: N815 - the base class's names

            def give(self, reply: Reply) -> None:
                if reply.hang:
                    loopback.wait_for_close()
                if reply.hang or reply.drop:
                    return
                content = reply.content
                headers = {"Content-Length": str(len(content)), **reply.headers}
                if not isinstance(reply.body, bytes | str):
                    headers.setdefault("Content-Type", "application/json")
                self.send_response(reply.status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content[: reply.cut])

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
                pass

        class Server(ThreadingHTTPServer):
            def handle_error(self, request: Any, client_address: Any) -> None:
                """A client that hangs up is no news."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self.port = self._server.server_port
        self.url = f"http://127.0.0.1:{self.port}"
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
            self.url = f"https://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()

    def wait_for_close(self) -> None:
        self._closing.wait(60)

    def wait_for_request(self, number: int = 1, timeout: float = 20) -> None:
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
    """Find a port that nobody listens on."""
    with Loopback(Reply()) as gone:
        return gone.port
