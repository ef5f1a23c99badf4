"""What passes between the core and a provider on plain HTTP, kept for the interactions that don't pass.

The core tells what was different, and neither what it sent nor what came. So it asks this recorder, on loopback, which
passes the bytes on as they are, but for two lines in the head of a request: the host, where that is the recorder, and a
header that says which interaction the request is of, which the provider doesn't get.
"""

from __future__ import annotations

import re
import select
import socket
import struct
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

INTERACTION_HEADER = "pact-dispatch-interaction"
"""The header that the core is told to send, with the index of the interaction."""
MOST_KEPT = 128 * 1024
"""The most bytes that are kept of a request, and of an answer."""
LARGEST_HEAD = 256 * 1024
CONNECT_SECONDS = 30.0
AT_ONCE = 65536
_MARKER = re.compile(rb"\r\n%s: *(\d+)(?=\r\n)" % INTERACTION_HEADER.encode(), re.IGNORECASE)
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)(?=\r\n)", re.IGNORECASE)
_RESET = struct.pack("ii", 1, 0)
"""With this as SO_LINGER, closing a connection resets it."""


def marked(document: dict[str, Any], index: int) -> dict[str, Any]:
    """Return the document of an interaction whose request says which one it is of."""
    request = document.get("request")
    if not isinstance(request, dict):
        return document
    headers = request.get("headers")
    if headers is not None and not isinstance(headers, dict):
        return document
    return {
        **document,
        "request": {**request, "headers": {**(headers or {}), INTERACTION_HEADER: str(index)}},
    }


@dataclass
class RecordedExchange:
    """A request and its answer, as bytes; of each, what comes first.

    Attributes:
        index: The interaction's index; None if the request didn't say.
        request: The request as the provider got it.
        answer: The answer.
        head: The head of the request so far, until the whole of it is there.
        body_left: How many bytes of the request's body are still to come, by its head.
        head_is_sent: Whether that was passed on.
    """

    index: int | None
    request: bytearray = field(default_factory=bytearray)
    answer: bytearray = field(default_factory=bytearray)
    head: bytearray = field(default_factory=bytearray)
    body_left: int = 0
    head_is_sent: bool = False


def by_interaction(exchanges: Iterable[RecordedExchange]) -> dict[int, RecordedExchange]:
    """Return the first exchange of each interaction that was answered, else the first one, by its index."""
    found: dict[int, RecordedExchange] = {}
    for one in exchanges:
        # the core asks again where a connection that it had kept is closed
        if one.index is not None and (one.index not in found or not found[one.index].answer):
            found[one.index] = one
    return found


class Recorder:
    """Passes on what the core sends to a provider, until it is closed.

    One thread serves all connections, and waits for none: either side may write before it reads.

    Args:
        host: The provider's host.
        port: Its port.
        authority: The host as the provider is to get it, with its port unless that is the scheme's own.
    """

    def __init__(self, host: str, port: int, authority: str) -> None:
        # for a name as text Python would encode it as an international one, each time
        self._provider: tuple[Any, int] = (host.encode() if host.isascii() else host, port)
        self.authority = authority
        self._exchanges: list[RecordedExchange] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        own = rb"\r\nhost: *127\.0\.0\.1:%d(?=\r\n)" % self.port
        host_line = b"\r\nhost: " + authority.encode("latin-1", errors="replace")
        self._with_authority = partial(re.compile(own, re.IGNORECASE).sub, lambda _: host_line)
        self._waker, self._woken = socket.socketpair()
        self._sides: dict[int, _Side] = {}
        self._poll = select.poll()
        self._poll.register(self._listener, select.POLLIN)
        self._poll.register(self._woken, select.POLLIN)
        threading.Thread(target=self._serve, daemon=True, name="recorder").start()

    def close(self) -> None:
        """Stop passing on, and close all connections."""
        self._waker.close()

    def take(self) -> dict[int, RecordedExchange]:
        """Return the first exchange of each interaction since the last call, by its index."""
        exchanges, self._exchanges = self._exchanges, []
        return by_interaction(exchanges)

    @property
    def origin(self) -> str:
        """The provider's scheme, host and port."""
        return f"http://{self.authority}"

    def _serve(self) -> None:
        listener, woken = self._listener.fileno(), self._woken.fileno()
        while True:
            for descriptor, event in self._poll.poll():
                if descriptor == listener:
                    self._accept()
                elif descriptor == woken:
                    for one in (self._listener, self._woken, *(side.socket for side in self._sides.values())):
                        one.close()
                    return
                elif side := self._sides.get(descriptor):
                    if event & select.POLLOUT:
                        self._flush(side)
                    if event & ~select.POLLOUT and side.socket.fileno() == descriptor:
                        self._read(side)

    def _accept(self) -> None:
        try:
            core, _ = self._listener.accept()
        except OSError:
            return
        try:
            provider = socket.create_connection(self._provider, timeout=CONNECT_SECONDS)
        except OSError:
            _close(core, reset=True)
            return
        one, other = _Side(core, is_core=True), _Side(provider, is_core=False)
        one.other, other.other = other, one
        for side in (one, other):
            side.socket.setblocking(False)
            side.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._sides[side.socket.fileno()] = side
            self._poll.register(side.socket, select.POLLIN)

    def _read(self, side: _Side) -> None:
        data: bytes | None
        try:
            data = side.socket.recv(AT_ONCE)
        except BlockingIOError:
            return
        except OSError:
            data = None
        if data and side.is_core:
            self._send(side.other, self._request(side, data))
        elif data:
            if side.other.exchange is not None:
                _keep(side.other.exchange.answer, data)
            self._send(side.other, data)
        elif data is None:  # the core must not take what came for the whole of an answer
            self._drop(side, reset=not side.is_core)
        else:
            self._remove(side)
            side.other.ends = True
            self._flush(side.other)

    def _send(self, side: _Side, data: bytes) -> None:
        """Send as much as a side takes now, and the rest when it takes more; meanwhile the other side has to wait."""
        side.waiting += data
        self._flush(side)
        if side.waiting and not side.is_held_up:
            side.is_held_up = True
            self._watch(side)
            self._watch(side.other)

    def _flush(self, side: _Side) -> None:
        try:
            while side.waiting:
                del side.waiting[: side.socket.send(side.waiting)]
        except BlockingIOError:
            return
        except OSError:
            side.waiting.clear()
            if side.is_core:
                self._drop(side, reset=False)
                return
            # the provider takes no more of the request, and may answer all the same
        if side.is_held_up:
            side.is_held_up = False
            self._watch(side)
            self._watch(side.other)
        if side.ends and side.is_core:
            with suppress(OSError):
                side.socket.shutdown(socket.SHUT_WR)
        elif side.ends:
            self._remove(side)

    def _watch(self, side: _Side) -> None:
        """Wait for room where something waits to be sent, and for data where the other side takes it."""
        if side.socket.fileno() not in self._sides:
            return
        events = (0 if side.other.is_held_up else select.POLLIN) | (select.POLLOUT if side.is_held_up else 0)
        if events:
            self._poll.register(side.socket, events)
        else:  # the end of a connection would be told again and again
            with suppress(KeyError):
                self._poll.unregister(side.socket)

    def _drop(self, side: _Side, *, reset: bool) -> None:
        """Close both sides of a connection."""
        for one in (side, side.other):
            self._remove(one, reset=reset and one.is_core)

    def _remove(self, side: _Side, *, reset: bool = False) -> None:
        if self._sides.pop(side.socket.fileno(), None) is None:
            return
        with suppress(KeyError):  # it waits for the other one
            self._poll.unregister(side.socket)
        _close(side.socket, reset=reset)

    def _request(self, side: _Side, data: bytes) -> bytes:
        """Keep a part of a request, and return what is to be sent of it now."""
        exchange = side.exchange
        if exchange is not None and exchange.head_is_sent:
            if exchange.body_left > 0 or not exchange.answer:
                exchange.body_left -= len(data)
                _keep(exchange.request, data)
                return data
            exchange = None
        if exchange is None:
            exchange = side.exchange = RecordedExchange(None)
        exchange.head += data
        end = exchange.head.find(b"\r\n\r\n")
        if end < 0 and len(exchange.head) < LARGEST_HEAD:
            return b""
        end = end + 2 if end >= 0 else len(exchange.head)
        head, rest = bytes(exchange.head[:end]), bytes(exchange.head[end:])
        if marker := _MARKER.search(head):
            exchange.index = int(marker[1])
        head = self._with_authority(_MARKER.sub(b"", head))
        exchange.head_is_sent = True
        if length := _LENGTH.search(head):
            exchange.body_left = int(length[1]) - len(rest)
        _keep(exchange.request, head + rest)
        self._exchanges.append(exchange)
        return head + rest


class _Side:
    """One of the two connections that belong together.

    Attributes:
        socket: Its socket.
        is_core: Whether it is that of the core.
        other: The other one.
        waiting: What it is to be sent and doesn't take yet.
        is_held_up: Whether there is such, so that the other one is not read from.
        ends: Whether nothing comes after that.
        exchange: The last exchange, of the core's.
    """

    __slots__ = ("ends", "exchange", "is_core", "is_held_up", "other", "socket", "waiting")
    other: _Side

    def __init__(self, one: socket.socket, *, is_core: bool) -> None:
        self.socket = one
        self.is_core = is_core
        self.waiting = bytearray()
        self.is_held_up = self.ends = False
        self.exchange: RecordedExchange | None = None


def _keep(kept: bytearray, data: bytes) -> None:
    if (room := MOST_KEPT - len(kept)) > 0:
        kept += data[:room]


def _close(one: socket.socket, *, reset: bool) -> None:
    with suppress(OSError):
        if reset:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        one.close()
