"""Sockets that end when their time is over.

A socket's own timeout begins anew with each byte, so an answer that drips would never run into it.
"""

from __future__ import annotations

import math
import socket
import ssl
import threading
import time
from concurrent.futures import Future
from contextlib import suppress
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

_SHORTEST = 0.001
"""A timeout of 0 would mean a socket that never waits."""


class Deadline:
    """The time by which an exchange must be over.

    All sockets of one client share it, and it is set anew for each exchange: a client sends one request at a time.
    """

    def __init__(self, seconds: float = math.inf) -> None:
        self.set(seconds)

    def set(self, seconds: float) -> None:
        """Begin an exchange that may take so many seconds."""
        self._at = time.monotonic() + seconds

    @property
    def is_over(self) -> bool:
        """Whether the time is over."""
        return time.monotonic() >= self._at

    def left(self) -> float:
        """Return the seconds that are left.

        Raises:
            TimeoutError: There are none.
        """
        left = self._at - time.monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        return left

    def cut(self, seconds: float | None) -> float | None:
        """Return a timeout of a socket, or the time that is left if that is shorter."""
        left = max(self._at - time.monotonic(), _SHORTEST)
        return seconds if left == math.inf else left if seconds is None else min(seconds, left)


class TimedSocket(socket.socket):
    """A socket that raises `TimeoutError` from its deadline on, whatever it is still sent.

    Args:
        made: The socket that it takes over.
        deadline: The deadline.
        timeout: The timeout of each of its operations.
    """

    def __init__(self, made: socket.socket, deadline: Deadline, timeout: float | None) -> None:
        super().__init__(fileno=made.detach())
        self._deadline = deadline
        self.settimeout(timeout)

    def settimeout(self, value: float | None) -> None:
        """Set the timeout of each operation, which is never longer than the time that is left."""
        super().settimeout(self._deadline.cut(value))

    def recv(self, *arguments: Any) -> bytes:
        """Receive, as long as there is time."""
        _shorten(self, self._deadline)
        return super().recv(*arguments)

    def recv_into(self, *arguments: Any) -> int:
        """Receive, as long as there is time."""
        _shorten(self, self._deadline)
        return super().recv_into(*arguments)


def timed_tls(context: ssl.SSLContext, deadline: Deadline) -> ssl.SSLContext:
    """Make the sockets of a TLS context keep to a deadline as `TimedSocket` does, and return the context.

    The handshake keeps to it because the timeout of the socket below holds for all of it.
    """

    class TimedTls(ssl.SSLSocket):
        def settimeout(self, value: float | None) -> None:
            super().settimeout(deadline.cut(value))

        def recv(self, *arguments: Any) -> bytes:
            _shorten(self, deadline)
            return super().recv(*arguments)

        def recv_into(self, *arguments: Any) -> int:
            _shorten(self, deadline)
            return super().recv_into(*arguments)

    context.sslsocket_class = TimedTls
    return context


def _shorten(one: socket.socket, deadline: Deadline) -> None:
    """Shorten a socket's timeout to the time that is left.

    Raises:
        TimeoutError: No time is left.
    """
    left, own = deadline.left(), one.gettimeout()
    if own is None or own > left:
        one.settimeout(left)


def connect_in_time(connect: Callable[[], socket.socket], host: str, deadline: Deadline) -> socket.socket:
    """Connect, and give up when the time is over.

    A host may have many addresses, each with a timeout of its own, and the look-up of a name has no timeout at all. So
    both are done by a thread, which is left alone when it takes too long.

    Args:
        connect: Looks the name up and connects.
        host: The name, or an address.
        deadline: When to give up.

    Raises:
        TimeoutError: The time was over.
    """
    with suppress(ValueError):
        ip_address(host.strip("[]"))
        return connect()
    connected: Future[socket.socket] = Future()

    def run() -> None:
        try:
            connected.set_result(connect())
        except BaseException as error:  # noqa: BLE001 - raised in the thread that waits
            connected.set_exception(error)

    threading.Thread(target=run, daemon=True, name="connect").start()
    try:
        return connected.result(None if (left := deadline.left()) == math.inf else left)
    except TimeoutError:
        connected.add_done_callback(_close)
        raise


def _close(connected: Future[socket.socket]) -> None:
    if connected.exception() is None:
        connected.result().close()
