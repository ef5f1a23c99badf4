"""What webhooks are sent to: a listener on loopback that keeps what it gets, and answers as its path says."""

from __future__ import annotations

import re
import threading
from contextlib import suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    import ssl
    from types import TracebackType

TIME_LIMIT = 30.0


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


class Target:
    """The listener.

    ``/status/N`` answers N, ``/redirect`` 302, ``/echo`` with headers and body of the request, ``/slow`` nothing
    until the end of the test, ``/cut`` half an answer; anything else answers ``status``.
    """

    def __init__(self, port: int = 0, *, tls: ssl.SSLContext | None = None) -> None:
        self.received: list[Received] = []
        self.status = 200
        self._heard = threading.Condition()
        self._over = threading.Event()
        target = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
                headers = {name.lower(): value for name, value in self.headers.items()}
                received = Received(self.command, self.path, headers, body)
                target.keep(received)
                if self.path.startswith("/slow"):
                    target.wait_for_end()
                wanted = re.match(r"/status/(\d+)", self.path)
                status = int(wanted[1]) if wanted else 302 if self.path == "/redirect" else target.status
                text = '{"answered": %d}' % status if self.path != "/echo" else repr((headers, body))  # noqa: UP031
                self.send_response_only(status, "X")
                self.send_header("Content-Type", "application/json")
                self.send_header("X-Target", "listener")
                if status == 302:
                    self.send_header("Location", f"http://{self.headers['Host']}/elsewhere")
                content = b"" if status == 204 else text.encode()
                self.send_header("Content-Length", str(len(content)))
                self.send_header("Connection", "close")
                self.end_headers()
                with suppress(ConnectionError):  # who asked may have gone
                    self.wfile.write(content[: len(content) // 2] if self.path == "/cut" else content)

            do_GET = do_PUT = do_POST = do_DELETE = answer  # noqa: N815

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self.port = self._server.server_port
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"
        if tls:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.answer_the_slow()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def keep(self, received: Received) -> None:
        """Keep a request, and tell who waits for it."""
        with self._heard:
            self.received.append(received)
            self._heard.notify_all()

    def answer_the_slow(self) -> None:
        """Answer what was sent to ``/slow``, from now on at once."""
        self._over.set()

    def wait_for_end(self) -> None:
        """Wait until the target is closed."""
        self._over.wait(TIME_LIMIT)

    def wait_for(self, count: int) -> list[Received]:
        """Return all requests when there are that many."""
        with self._heard:
            assert self._heard.wait_for(lambda: len(self.received) >= count, TIME_LIMIT), self.received
            return list(self.received)
