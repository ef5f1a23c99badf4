"""A provider that keeps what it was asked for."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator


@dataclass(frozen=True)
class Asked:
    """A request."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class LoggingProvider:
    """A provider on loopback.

    Attributes:
        url: Its URL.
        asked: The requests, in their order.
    """

    url: str
    asked: list[Asked]

    def targets(self) -> list[str]:
        """Take the targets of the requests since the last call, but for health checks."""
        found = [one.target for one in self.asked if one.target != "/health"]
        self.asked.clear()
        return found


@contextmanager
def logging_provider(tls: ssl.SSLContext | None = None, host: str = "127.0.0.1") -> Iterator[LoggingProvider]:
    """Serve: `/broken...` answers with 500, anything else with 200 and its target as JSON."""
    asked: list[Asked] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            asked.append(Asked(self.command, self.path, headers, body))
            content = json.dumps({"target": self.path}).encode()
            self.send_response(500 if self.path.startswith("/broken") else 200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_POST = do_GET  # noqa: N815 - the name is http.server's

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        def handle_error(self, *_: object) -> None:  # a client that does not trust the certificate
            pass

    with Server((host, 0), Handler) as server:
        if tls is not None:
            server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        scheme = "http" if tls is None else "https"
        try:
            yield LoggingProvider(f"{scheme}://{host}:{server.server_port}", asked)
        finally:
            server.shutdown()
            thread.join()
