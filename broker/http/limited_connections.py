"""Connections that end when their time is over.

A socket's timeout begins anew with each byte, so a target that sends one now and then would never run into it.
"""

from __future__ import annotations

import socket
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Self

from requests.adapters import HTTPAdapter

if TYPE_CHECKING:
    from types import TracebackType

    from requests import PreparedRequest
    from urllib3.connectionpool import ConnectionPool


class LimitedAdapter(HTTPAdapter):
    """Sends requests; all its connections are cut off when so many seconds have passed since it was made.

    Who is reading from one then sees it end, and asks `is_over` why.
    """

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self._deadline = time.monotonic() + seconds
        self._lock = threading.Lock()
        self._sockets: list[socket.socket] = []
        self._timer = threading.Timer(seconds, self._cut_off)
        self._timer.daemon = True

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._timer.cancel()
        self.close()
        with self._lock:
            for one in self._sockets:
                one.close()
            self._sockets.clear()

    @property
    def is_over(self) -> bool:
        """Whether the time is over."""
        return time.monotonic() >= self._deadline

    def get_connection_with_tls_context(
        self, request: PreparedRequest, verify: Any, proxies: Any = None, cert: Any = None
    ) -> ConnectionPool:
        """Return the pool of connections to the request's host, or to a proxy, each of them watched."""
        pool: Any = super().get_connection_with_tls_context(request, verify, proxies, cert)
        plain, watch = pool.ConnectionCls, self._watch

        class Watched(plain):  # type: ignore[misc, valid-type] # which one, the scheme and the proxy tell
            def _new_conn(self) -> socket.socket:
                made: socket.socket = super()._new_conn()
                watch(made)
                return made

        pool.ConnectionCls = Watched
        watched: ConnectionPool = pool
        return watched

    def _watch(self, made: socket.socket) -> None:
        # Of its own, since TLS takes the socket over: what is shut down here is shut down there.
        with self._lock:
            self._sockets.append(made.dup())
        if self.is_over:
            self._cut_off()

    def _cut_off(self) -> None:
        with self._lock:
            for one in self._sockets:
                with suppress(OSError):  # it has ended by itself
                    one.shutdown(socket.SHUT_RDWR)
