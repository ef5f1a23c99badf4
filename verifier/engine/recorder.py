"""What passes between the core and a provider on plain HTTP, kept for the interactions that fail.

The core tells what was different, and neither what it sent nor what came. So it asks this recorder, on loopback, which
passes the bytes on as they are, but for two lines in the head of a request: the host, where that is the recorder, and a
header that says which interaction the request is of, which the provider doesn't get.
"""

from __future__ import annotations

import queue
import re
import socket
import struct
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

INTERACTION_HEADER = "pact-dispatch-interaction"
"""The header that the core is told to send, with the index of the interaction."""
MOST_KEPT = 128 * 1024
"""The most bytes that are kept of a request, and of an answer."""
LARGEST_HEAD = 256 * 1024
CONNECT_SECONDS = 30.0
AT_ONCE = 65536
_MARKER = re.compile(rb"\r\n%s: *(\d+)(?=\r\n)" % INTERACTION_HEADER.encode(), re.IGNORECASE)
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
        head_is_sent: Whether that was passed on.
    """

    index: int | None
    request: bytearray = field(default_factory=bytearray)
    answer: bytearray = field(default_factory=bytearray)
    head: bytearray = field(default_factory=bytearray)
    head_is_sent: bool = False


class Recorder:
    """Passes on what the core sends to a provider, until it is closed.

    Args:
        host: The provider's host.
        port: Its port.
        authority: The host as the provider is to get it, with its port unless that is the scheme's own.
    """

    def __init__(self, host: str, port: int, authority: str) -> None:
        self._provider = (host, port)
        self.authority = authority
        self._exchanges: list[RecordedExchange] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        own = rb"\r\nhost: *127\.0\.0\.1:%d(?=\r\n)" % self.port
        host_line = b"\r\nhost: " + authority.encode("latin-1", errors="replace")
        self._with_authority = partial(re.compile(own, re.IGNORECASE).sub, lambda _: host_line)
        self._threads = _Threads()
        self._threads.run(self._accept)

    def close(self) -> None:
        """Take no more connections; those that are open end with the core's or the provider's side."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._threads.close()

    def take(self) -> dict[int, RecordedExchange]:
        """Return the first exchange of each interaction since the last call, by its index."""
        exchanges, self._exchanges = self._exchanges, []
        found: dict[int, RecordedExchange] = {}
        for one in exchanges:
            # the core asks again where a connection that it had kept is closed
            if one.index is not None and (one.index not in found or not found[one.index].answer):
                found[one.index] = one
        return found

    def _accept(self) -> None:
        while True:
            try:
                core, _ = self._listener.accept()
            except OSError:
                return
            connection = _Connection(core, self._with_authority, self._add, self._threads)
            self._threads.run(partial(connection.run, self._provider))

    def _add(self, exchange: RecordedExchange) -> None:
        self._exchanges.append(exchange)


class _Threads:
    """Threads that do one piece of work after another: to start one takes as long as to pass a request on."""

    def __init__(self) -> None:
        self._work: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._idle = 0
        self._closed = False

    def run(self, work: Callable[[], None]) -> None:
        """Have a thread do something."""
        with self._lock:
            is_there = self._idle > 0
            self._idle -= is_there
        self._work.put(work)
        if not is_there:
            threading.Thread(target=self._serve, daemon=True, name="recorder").start()

    def close(self) -> None:
        """End the threads, each when it has done its work."""
        with self._lock:
            self._closed = True
            for _ in range(self._idle):
                self._work.put(None)

    def _serve(self) -> None:
        while (work := self._work.get()) is not None:
            work()
            with self._lock:
                if self._closed:
                    return
                self._idle += 1


class _Connection:
    """A connection of the core, and the one to the provider that belongs to it.

    Each direction has a thread, as either side may wait for the other to read.
    """

    def __init__(
        self,
        core: socket.socket,
        with_authority: Callable[[bytes], bytes],
        add: Callable[[RecordedExchange], None],
        threads: _Threads,
    ) -> None:
        self._core = core
        self._threads = threads
        self._answers_ended = threading.Lock()
        self._with_authority = with_authority
        self._add = add
        self._exchange: RecordedExchange | None = None
        self._was_reset = False

    def run(self, provider: tuple[str, int]) -> None:
        """Connect to the provider, and pass on until both sides have ended."""
        try:
            self._provider = _connected(provider)
        except OSError:
            _close(self._core, reset=True)
            return
        self._provider.settimeout(None)
        for one in (self._core, self._provider):
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._answers_ended.acquire()
        self._threads.run(self._pass_answers_to_the_end)
        self._pass_requests()
        self._answers_ended.acquire()
        _close(self._provider, reset=False)
        _close(self._core, reset=self._was_reset)

    def _pass_answers_to_the_end(self) -> None:
        try:
            self._pass_answers()
        finally:
            self._answers_ended.release()

    def _pass_requests(self) -> None:
        while data := _received(self._core):
            try:
                self._provider.sendall(self._request(data))
            except OSError:  # an answer may still come
                return
        _shut(self._provider, socket.SHUT_RDWR)

    def _pass_answers(self) -> None:
        while data := _received(self._provider):
            if self._exchange is not None:
                _keep(self._exchange.answer, data)
            try:
                self._core.sendall(data)
            except OSError:
                return
        if data is None:  # the core must not take what came for the whole of an answer
            self._was_reset = True
            _shut(self._core, socket.SHUT_RD)
        else:
            _shut(self._core, socket.SHUT_WR)

    def _request(self, data: bytes) -> bytes:
        """Keep a part of a request, and return what is to be sent of it now."""
        exchange = self._exchange
        if exchange is not None and not exchange.answer:
            if exchange.head_is_sent:
                _keep(exchange.request, data)
                return data
        else:
            exchange = self._exchange = RecordedExchange(None)
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
        _keep(exchange.request, head + rest)
        self._add(exchange)
        return head + rest


def _connected(provider: tuple[str, int]) -> socket.socket:
    host, port = provider
    # for a name as text Python would encode it as an international one, each time
    name: Any = host.encode() if host.isascii() else host
    return socket.create_connection((name, port), timeout=CONNECT_SECONDS)


def _received(one: socket.socket) -> bytes | None:
    """Return what comes next; nothing at the end, and None if the connection was reset."""
    try:
        return one.recv(AT_ONCE)
    except OSError:
        return None


def _shut(one: socket.socket, how: int) -> None:
    with suppress(OSError):
        one.shutdown(how)


def _keep(kept: bytearray, data: bytes) -> None:
    if (room := MOST_KEPT - len(kept)) > 0:
        kept += data[:room]


def _close(one: socket.socket, *, reset: bool) -> None:
    with suppress(OSError):
        if reset:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        one.close()
