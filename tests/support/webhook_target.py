"""What webhooks are sent to: a listener on loopback that keeps what it gets, and answers as its path says."""

from __future__ import annotations

import json
import re
import threading
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.support.loopback import LoopbackServer

if TYPE_CHECKING:
    import ssl
    from http.server import BaseHTTPRequestHandler

TIME_LIMIT = 60.0


@dataclass(frozen=True)
class Received:
    """A request."""

    method: str
    path: str
    headers: dict[str, str]
    body: str

    @property
    def line(self) -> str:
        """The request line."""
        return f"{self.method} {self.path} HTTP/1.1"


class Target(LoopbackServer):
    """The listener.

    ``/status/N`` answers N, ``/redirect`` 302, ``/echo`` with headers and body of the request, ``/slow`` nothing
    until the end of the test, ``/cut`` half an answer; anything else answers ``status``.
    """

    protocol_version = "HTTP/1.1"

    def __init__(self, port: int = 0, *, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(port=port, tls=tls)
        self.received: list[Received] = []
        self.status = 200
        self._heard = threading.Condition()
        self._over = threading.Event()

    def stop(self) -> None:
        """Be away; what waits is answered."""
        self.answer_the_slow()
        super().stop()

    def serve(self, handler: BaseHTTPRequestHandler, body: bytes) -> None:
        """Keep a request, and answer it."""
        headers = {name.lower(): value for name, value in handler.headers.items()}
        self.keep(Received(handler.command, handler.path, headers, body.decode()))
        if handler.path.startswith("/slow"):
            self._over.wait(TIME_LIMIT)
        wanted = re.match(r"/status/(\d+)", handler.path)
        status = int(wanted[1]) if wanted else 302 if handler.path == "/redirect" else self.status
        text = repr((headers, body.decode())) if handler.path == "/echo" else json.dumps({"answered": status})
        handler.send_response_only(status, "X")
        handler.send_header("Content-Type", "application/json")
        handler.send_header("X-Target", "listener")
        if status == 302:
            handler.send_header("Location", f"http://{handler.headers['Host']}/elsewhere")
        content = b"" if status == 204 else text.encode()
        handler.send_header("Content-Length", str(len(content)))
        handler.send_header("Connection", "close")
        handler.end_headers()
        with suppress(ConnectionError):  # who asked may have gone
            handler.wfile.write(content[: len(content) // 2] if handler.path == "/cut" else content)

    def keep(self, received: Received) -> None:
        """Keep a request, and tell who waits for it."""
        with self._heard:
            self.received.append(received)
            self._heard.notify_all()

    def answer_the_slow(self) -> None:
        """Answer what was sent to ``/slow``, from now on at once."""
        self._over.set()

    def wait_for(self, count: int) -> list[Received]:
        """Return all requests when there are that many."""
        with self._heard:
            assert self._heard.wait_for(lambda: len(self.received) >= count, TIME_LIMIT), self.received
            return list(self.received)
