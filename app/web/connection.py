"""A client's connection with its deadlines, and the bound on those whose sender has not proved who it is.

Each request has one deadline for its head, one for its body and one for its answer, however the bytes are spread over
that time. Beyond the bound a new connection is accepted all the same, and an older one is given up for it: somebody
with a token is known by it a few milliseconds after the connection is accepted, and is never the oldest.
"""

from __future__ import annotations

import errno
import ipaddress
import socket
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import structlog
from gevent.event import Event
from gunicorn.http.errors import LimitRequestHeaders

from app.web.plain_answer import plain_answer

if TYPE_CHECKING:
    from gevent.socket import socket as GeventSocket  # noqa: N812 - a class, in spite of its name

KNOWN_CONNECTIONS = 500
"""The connections beside the anonymous ones that a process serves at once: of senders that are known, and those that
have been given up and have not ended yet."""
LIVE_PAGES = 1000
"""The open pages of the dashboard that a process tells of changes, at most."""
LIVE_SHARE = 0.4
"""The share of open pages in the connections beside the known ones, at most."""
HEAD_SECONDS = 5.0
"""The time for the whole head of a request, from the start of the connection or the end of the request before."""
BODY_SECONDS = 10.0
"""The time for the whole body of a request."""
ANSWER_SECONDS = 30.0
"""The time in which an answer must be read."""
MOST_HEAD_BYTES = 64 * 1024
"""The size of a request's head, at most; gunicorn has limits for a line and for the number of lines alone."""
MOST_AT_ONCE = 64 * 1024
"""The bytes that are read at once, at most, whatever length a request announces."""
LOG_SECONDS = 60.0
"""How often it is logged that connections are given up, at most."""
IPV6_NETWORK = 64
"""The bits of an IPv6 address that one customer of a provider can't choose."""

log = structlog.get_logger("web")


def shares(connections: int) -> tuple[int, int]:
    """Return how many of a process's connections may be anonymous, and how many may be those of open pages.

    Args:
        connections: All that it serves at once.
    """
    others = max(0, connections - KNOWN_CONNECTIONS)
    live = min(LIVE_PAGES, int(others * LIVE_SHARE))
    return others - live, live


class Connection:
    """A client's connection: the socket that gunicorn reads requests from and writes answers to.

    Args:
        client: The socket.
        address: The address of the other end.
        anonymous: The connections whose sender has not proved who it is, of which this becomes one.
    """

    def __init__(self, client: GeventSocket, address: str, anonymous: AnonymousConnections) -> None:
        self.network = network_of(address)
        self._client = client
        self._anonymous = anonymous
        self._given_up = Event()
        self._has_asked = False
        self.expect_request()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def expect_request(self) -> None:
        """Begin to wait for the head of a request; its sender is not known yet."""
        self._in_head, self._received = True, 0
        self._read_until = time.monotonic() + HEAD_SECONDS
        self._write_until: float | None = None
        self._streams = False
        self._anonymous.add(self)

    def expect_body(self, request: Any) -> None:
        """Begin to wait for the body of gunicorn's request, whose head has arrived.

        The connection is closed after it unless its sender proves who it is.
        """
        self._request, self._closes = request, request.must_close
        request.must_close = True
        self._in_head, self._has_asked = False, True
        self._read_until = time.monotonic() + BODY_SECONDS

    def prove(self) -> None:
        """Note that the sender of the current request has proved who it is."""
        self._anonymous.remove(self)
        self._request.must_close = self._closes

    def stream(self) -> None:
        """Begin an answer that has no end: each part of it has a deadline of its own."""
        self._streams = True
        self._request.must_close = True

    def end(self) -> None:
        """Note that the connection is closed."""
        self._anonymous.remove(self)

    def hold(self, seconds: float) -> None:
        """Wait, unless the connection is given up."""
        self._given_up.wait(seconds)

    def give_up(self) -> None:
        """End the connection for others; what is done for its current request ends at the next read or write."""
        self._given_up.set()
        if self._received and self._write_until is None:
            self._say(503, "Service Unavailable", "Too many connections: try again", {"Retry-After": "5"})
        with suppress(OSError):
            self._client.shutdown(socket.SHUT_RDWR)

    def end_if_idle(self) -> None:
        """End the connection if it is kept for another request, of which nothing has arrived.

        A new one is not idle: its sender is about to ask. What has arrived and was not received yet still is.
        """
        if self._in_head and self._has_asked and not self._received:
            with suppress(OSError), self._client.dup() as same:  # gevent's own would raise in who receives
                same.shutdown(socket.SHUT_RD)

    def recv(self, size: int) -> bytes:
        """Return the next bytes of the request; none at the end, and after the deadline of a head.

        Raises:
            TimeoutError: The deadline of the body has passed.
            OSError: The connection is broken.
            LimitRequestHeaders: The head is too large.
        """
        try:
            self._client.settimeout(_left_until(self._read_until))
            data = self._client.recv(min(size, MOST_AT_ONCE))
        except TimeoutError:
            if not self._in_head:
                raise TimeoutError(f"not within {BODY_SECONDS:g} s") from None
            if self._received:
                message = f"The head of the request did not arrive within {HEAD_SECONDS:g} s"
                self._say(408, "Request Timeout", message)
            return b""
        self._received += len(data)
        if self._in_head and self._received > MOST_HEAD_BYTES + size:
            raise LimitRequestHeaders(f"the head has more than {MOST_HEAD_BYTES // 1024} KB")
        return data

    def sendall(self, data: bytes, flags: int = 0) -> None:
        """Send bytes of the answer.

        Raises:
            OSError: The connection is broken, or the answer was not read until its deadline.
        """
        if self._write_until is None or self._streams:
            self._write_until = time.monotonic() + ANSWER_SECONDS
        try:
            self._client.settimeout(_left_until(self._write_until))
            self._client.sendall(data, flags)
        except TimeoutError as error:
            raise BrokenPipeError(errno.EPIPE, f"not read within {ANSWER_SECONDS:g} s") from error

    def _say(self, status: int, reason: str, message: str, headers: dict[str, str] | None = None) -> None:
        """Send an answer if it can be sent at once."""
        with suppress(OSError):
            self._client.settimeout(0)
            self._client.send(plain_answer(status, reason, message, headers))


class AnonymousConnections:
    """The connections whose sender has not proved who it is, oldest first for each network that they come from.

    Args:
        most: The number of them at most. For one more, the oldest one of the network with the most is given up.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._networks: dict[str, dict[Connection, None]] = {}
        self._number = 0
        self._given_up = 0
        self._logged_at = -LOG_SECONDS

    def __len__(self) -> int:
        return self._number

    def add(self, connection: Connection) -> None:
        """Add a connection, as the newest one."""
        self.remove(connection)
        self._networks.setdefault(connection.network, {})[connection] = None
        self._number += 1
        while self._number > self._most:
            self._give_up_one()

    def remove(self, connection: Connection) -> None:
        """Remove a connection, if it is one of these."""
        network = self._networks.get(connection.network, {})
        if connection not in network:
            return
        del network[connection]
        self._number -= 1
        if not network:
            del self._networks[connection.network]

    def end_idle(self) -> None:
        """End those that are kept for another request."""
        for connections in list(self._networks.values()):
            for connection in list(connections):
                connection.end_if_idle()

    def _give_up_one(self) -> None:
        network = max(self._networks, key=lambda name: len(self._networks[name]))
        oldest = next(iter(self._networks[network]))
        self.remove(oldest)
        oldest.give_up()
        self._given_up += 1
        now = time.monotonic()
        if now - self._logged_at >= LOG_SECONDS:
            log.warning(
                "connections given up: too many whose sender has not proved who it is",
                given_up=self._given_up,
                most=self._most,
                most_from=network,
            )
            self._logged_at, self._given_up = now, 0


def network_of(address: str) -> str:
    """Return what stands for all addresses that one client can easily have: the address, or an IPv6 network."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((parsed, IPV6_NETWORK), strict=False))


def _left_until(end: float) -> float:
    """Return the seconds until a deadline, as a time limit of a socket.

    Raises:
        TimeoutError: It has passed.
    """
    left = end - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left
