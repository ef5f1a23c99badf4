"""A real HTTP server between `verify` and a real broker, that misbehaves as it is told to."""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import requests

from tests.support.loopback import LoopbackServer

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable
    from http.server import BaseHTTPRequestHandler

HOP_BY_HOP = {"connection", "transfer-encoding", "content-length", "content-encoding", "date", "server"}


@dataclass
class Fault:
    """What happens to requests of a method whose path has a pattern, `times` times.

    Attributes:
        status: what is answered instead of the broker; 0: the connection is cut.
        after: the broker gets the request all the same, before that.
    """

    method: str
    path: str
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: str = ""
    times: int = 1_000_000
    after: bool = False


@dataclass(frozen=True)
class Seen:
    """A request that arrived, and what it was answered (0: the connection was cut)."""

    method: str
    path: str
    headers: dict[str, str]
    answered: int


class FaultyBroker(LoopbackServer):
    """Passes requests on to a broker, but for its faults; remembers all of them.

    Args:
        upstream: the broker's URL; may be set later.
        prefix: a base path under which the broker is shown.
        rewrite: changes the body of an answer.
        context: makes it speak TLS.
    """

    def __init__(
        self,
        upstream: str = "",
        *faults: Fault,
        prefix: str = "",
        rewrite: Callable[[bytes], bytes] | None = None,
        context: ssl.SSLContext | None = None,
    ) -> None:
        super().__init__(tls=context)
        self.upstream = upstream
        self.faults = list(faults)
        self.seen: list[Seen] = []
        self.prefix = prefix
        self.rewrite = rewrite
        self._lock = threading.Lock()

    @property
    def url(self) -> str:
        """Where it is; certificates are for `localhost`."""
        url = super().url + self.prefix
        return url.replace("127.0.0.1", "localhost") if self._tls else url

    def count(self, method: str, path: str, answered: int | None = None) -> int:
        """Count the requests seen."""
        return sum(
            seen.method == method
            and re.search(path, seen.path) is not None
            and answered in {None, seen.answered}
            for seen in self.seen
        )

    def serve(self, handler: BaseHTTPRequestHandler, body: bytes) -> None:
        """Serve one request."""
        fault = self._fault(handler.command, handler.path)
        if fault is None:
            status, headers, content = self._forward(handler, body)
        else:
            if fault.after:
                self._forward(handler, body)
            status, headers, content = fault.status, fault.headers, fault.body.encode()
        self.seen.append(Seen(handler.command, handler.path, dict(handler.headers.items()), status))
        if status == 0:
            handler.close_connection = True
            return
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content)

    def _fault(self, method: str, path: str) -> Fault | None:
        with self._lock:
            for fault in self.faults:
                if fault.times > 0 and fault.method == method and re.search(fault.path, path):
                    fault.times -= 1
                    return fault
        return None

    def _forward(self, handler: BaseHTTPRequestHandler, body: bytes) -> tuple[int, dict[str, str], bytes]:
        headers = {
            n: v for n, v in handler.headers.items() if n.lower() not in HOP_BY_HOP | {"authorization"}
        }
        answer = requests.request(
            handler.command,
            self.upstream + handler.path.removeprefix(self.prefix),
            data=body,
            headers=headers,
            timeout=60,
            allow_redirects=False,
        )
        content = self.rewrite(answer.content) if self.rewrite else answer.content
        kept = {name: value for name, value in answer.headers.items() if name.lower() not in HOP_BY_HOP}
        if self.rewrite and "Location" in kept:
            kept["Location"] = self.rewrite(kept["Location"].encode()).decode()
        return answer.status_code, kept, content
