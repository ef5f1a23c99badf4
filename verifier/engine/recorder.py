"""What passes between the core and a provider on plain HTTP, kept for the interactions that don't pass.

The core tells what was different, and neither what it sent nor what came. So it asks this recorder, on loopback, which
passes the bytes on as they are, but for two lines in the head of a request: the host, where that is the recorder, and a
header that says which interaction the request is of, which the provider doesn't get.

State changes can be asked for here as well, at a path that nobody else knows. The core makes one connection for them
and the request of their interaction then, and not two: that is a seventh of an interaction's time less.
"""

from __future__ import annotations

import os
import re
import select
import socket
import struct
import threading
import time
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from broker.traces.context import HEADER
from verifier.engine.recorded_exchange import (
    MARKER,
    RecordedExchange,
    by_interaction,
    has_traceparent,
    keep,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from broker.traces.context import TraceContext
    from verifier.engine.states.relay import StateRelay

LARGEST_HEAD = 256 * 1024
AT_ONCE = 65536
LET_GO_MS = 100
"""How long nothing happens before connections that are only kept are let go of."""
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)(?=\r\n)", re.IGNORECASE)
_RESET = struct.pack("ii", 1, 0)
"""With this as SO_LINGER, closing a connection resets it."""


class Recorder:
    """Passes on what the core sends to a provider, until it is closed.

    One thread serves all connections, and waits for none: either side may write before it reads. For a connection to
    the provider and for a state change it does wait, as the core does, which makes one request after the other.

    Args:
        host: The provider's host.
        port: Its port.
        authority: The host as the provider is to get it, with its port unless that is the scheme's own.
        connect_seconds: How long a connection to the provider may take.
        states: What carries out the state changes that are asked for here, if any are.
        let_go: Closes connections that are kept for state changes, if any are: the provider may be what they lead to,
            and may have one connection at a time, so that it doesn't take a request before they are closed.
        trace: The trace that the provider is told of in each request, in a header that is not recorded; None for none.

    Attributes:
        taken: All exchanges that the last call of `take` was about.
    """

    def __init__(
        self,
        host: str,
        port: int,
        authority: str,
        *,
        connect_seconds: float,
        states: StateRelay | None = None,
        let_go: Callable[[], None] | None = None,
        trace: TraceContext | None = None,
    ) -> None:
        self.taken: list[RecordedExchange] = []
        self._trace = trace
        # for a name as text Python would encode it as an international one, each time
        self._provider: tuple[Any, int] = (host.encode() if host.isascii() else host, port)
        self.authority = authority
        self._connect_seconds = connect_seconds
        self._states = states
        self._let_go = let_go
        self._states_path = f"/{os.urandom(16).hex()}"
        self._states_line = b"POST %s HTTP" % self._states_path.encode()
        self._is_idle = threading.Lock()
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
        """Stop passing on, and close all connections, once a state change that is being carried out is."""
        self._waker.close()
        with self._is_idle:
            pass

    def take(self) -> dict[int, RecordedExchange]:
        """Return the first exchange of each interaction since the last call, by its index."""
        self.taken, self._exchanges = self._exchanges, []
        return by_interaction(self.taken)

    @property
    def origin(self) -> str:
        """The provider's scheme, host and port."""
        return f"http://{self.authority}"

    @property
    def states_url(self) -> str:
        """Where state changes are asked for."""
        return f"http://127.0.0.1:{self.port}{self._states_path}"

    def _serve(self) -> None:
        listener, woken = self._listener.fileno(), self._woken.fileno()
        idle_ms = None if self._let_go is None else LET_GO_MS
        while True:
            events = self._poll.poll(idle_ms)
            if not events and self._let_go is not None:
                self._let_go()
            for descriptor, event in events:
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
        side = _Side(core, is_core=True)
        self._add(side)
        if self._states is None:  # the provider is what the core asks first
            self._connect(side)

    def _connect(self, side: _Side) -> _Side | None:
        """Return the side of the provider that belongs to one of the core; None if it can't be reached."""
        if side.other is None:
            try:
                provider = socket.create_connection(self._provider, timeout=self._connect_seconds)
            except OSError:
                self._drop(side, reset=True)
                return None
            side.other = _Side(provider, is_core=False)
            side.other.other = side
            self._add(side.other)
        return side.other

    def _add(self, side: _Side) -> None:
        side.socket.setblocking(False)
        with suppress(OSError):  # macOS refuses it on a connection that the other end has reset
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
            self._pass_on(side, data)
        elif data and side.other is not None:
            if side.other.exchange is not None:
                keep(side.other.exchange.answer, data)
                side.other.exchange.ended = time.time_ns()
            self._send(side.other, data)
        elif data is None:  # the core must not take what came for the whole of an answer
            self._drop(side, reset=not side.is_core)
        else:
            self._remove(side)
            if side.other is not None:
                side.other.ends = True
                self._flush(side.other)

    def _send(self, side: _Side, data: bytes) -> None:
        """Send as much as a side takes now, and the rest when it takes more; meanwhile the other side has to wait."""
        side.waiting += data
        self._flush(side)
        if side.waiting and not side.is_held_up:
            side.is_held_up = True
            self._watch_both(side)

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
            self._watch_both(side)
        if side.ends and side.is_core:
            with suppress(OSError):
                side.socket.shutdown(socket.SHUT_WR)
        elif side.ends:
            self._remove(side)

    def _watch_both(self, side: _Side) -> None:
        """Wait for room where something waits to be sent, and for data where the other side takes it."""
        for one in filter(None, (side, side.other)):
            if one.socket.fileno() not in self._sides:
                continue
            takes = one.other is None or not one.other.is_held_up
            events = (select.POLLIN if takes else 0) | (select.POLLOUT if one.is_held_up else 0)
            if events:
                self._poll.register(one.socket, events)
            else:  # the end of a connection would be told again and again
                with suppress(KeyError):
                    self._poll.unregister(one.socket)

    def _drop(self, side: _Side, *, reset: bool) -> None:
        """Close both sides of a connection."""
        for one in filter(None, (side, side.other)):
            self._remove(one, reset=reset and one.is_core)

    def _remove(self, side: _Side, *, reset: bool = False) -> None:
        if self._sides.pop(side.socket.fileno(), None) is None:
            return
        with suppress(KeyError):  # it waits for the other one
            self._poll.unregister(side.socket)
        with suppress(OSError):
            if reset:
                side.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            side.socket.close()

    def _pass_on(self, side: _Side, data: bytes) -> None:
        """Keep a part of a request, and send the provider what can be sent of it now."""
        exchange = side.exchange
        if (
            exchange is not None
            and (exchange.body_left > 0 or not exchange.answer)
            and side.other is not None
        ):
            exchange.body_left -= len(data)
            keep(exchange.request, data)
            self._send(side.other, data)
            return
        side.head += data
        end = side.head.find(b"\r\n\r\n")
        if end < 0 and len(side.head) < LARGEST_HEAD:
            return
        if self._states is not None and side.head.startswith(self._states_line):
            self._change_state(side, end + 4, self._states)
            return
        end = end + 2 if end >= 0 else len(side.head)
        head, rest = bytes(side.head[:end]), bytes(side.head[end:])
        side.head.clear()
        marker = MARKER.search(head)
        side.exchange = exchange = RecordedExchange(int(marker[1]) if marker else None, origin=self.origin)
        head = self._with_authority(MARKER.sub(b"", head))
        if length := _LENGTH.search(head):
            exchange.body_left = int(length[1]) - len(rest)
        keep(exchange.request, head + rest)
        self._exchanges.append(exchange)
        if self._trace is not None and not has_traceparent(head):
            head += f"{HEADER}: {exchange.traceparent(self._trace)}\r\n".encode()
        if provider := self._connect(side):
            self._send(provider, head + rest)

    def _change_state(self, side: _Side, end: int, states: StateRelay) -> None:
        """Carry out a state change, once all of the request for it is there.

        Args:
            side: That of the core.
            end: Where the head ends.
            states: What carries it out.
        """
        length = _LENGTH.search(side.head, 0, end)
        body = bytes(side.head[end:])
        if length and len(body) < int(length[1]):
            return
        side.head.clear()
        # It is the first thing of an interaction: those before have ended. A server that has one connection at a time
        # must not wait for the end of theirs.
        for other in list(self._sides.values()):
            if not other.is_core and other.other not in {side, None}:
                self._drop(other, reset=False)
        with self._is_idle:
            answer = states.answer(body, is_last=False)
        self._send(side, answer)


class _Side:
    """One of the two connections that belong together.

    Attributes:
        socket: Its socket.
        is_core: Whether it is that of the core.
        other: The other one; None where there is none to the provider so far.
        waiting: What it is to be sent and doesn't take yet.
        is_held_up: Whether there is such, so that the other one is not read from.
        ends: Whether nothing comes after that.
        head: What came of a request whose head isn't there yet, of the core's.
        exchange: The last exchange, of the core's.
    """

    __slots__ = ("ends", "exchange", "head", "is_core", "is_held_up", "other", "socket", "waiting")

    def __init__(self, one: socket.socket, *, is_core: bool) -> None:
        self.socket = one
        self.is_core = is_core
        self.other: _Side | None = None
        self.waiting = bytearray()
        self.is_held_up = self.ends = False
        self.head = bytearray()
        self.exchange: RecordedExchange | None = None
