"""Provider states, on their way from the core to the user's handler.

The core sends each state change to this relay, on loopback, and the relay calls the handler. It does three things that
the core can't do: distinguish a handler that refused a state from one that could not be reached; say why a state change
failed; and not repeat it for two minutes (the core repeats a state change that is answered with 5xx seven times and
doubles the pause each time, 127 s in all as measured, so the relay answers 4xx instead).
"""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from broker.traces.context import new_span_id
from verifier.engine.loopback_server import LoopbackServer
from verifier.engine.states.change import StateChange, StateChangeFailed, StateFailure, StatesOfOne

if TYPE_CHECKING:
    from typing import BinaryIO

    from broker.traces.context import TraceContext
    from verifier.engine.states.handlers import StateHandler

REFUSED = 400
"""The status that the core is answered with if a state change failed."""
MAX_LINE = 65536


@dataclass(frozen=True)
class RelayedChange:
    """A state change that the core asked for, why it failed, if it did, and when it began and ended.

    The times are in nanoseconds since 1970; `span_id` is the id of its span.
    """

    action: str
    state: str
    failure: StateFailure | None
    seconds: float = field(default=0.0, compare=False)
    began: int = field(default=0, compare=False)
    ended: int = field(default=0, compare=False)
    span_id: str = field(default="", compare=False)


def _read_body(request: BinaryIO) -> bytes:
    """Return the body of one of the core's requests, a POST with a `Content-Length`.

    The core is the only client, with a request for every interaction, and the standard library's HTTP server takes
    twice as long.
    """
    length = 0
    while (line := request.readline(MAX_LINE).strip()) != b"":
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    return request.read(length)


class StateRelay:
    """Carries out the state changes of one verifier, which it takes on loopback.

    A verifier asks for one change after another, in the order of its interactions, and the relay keeps that order, so
    that the interaction which a failure belongs to is known.

    Args:
        handler: What carries them out.
        trace: The trace that a handler by URL is told of, in a header; None for none.
    """

    def __init__(self, handler: StateHandler, trace: TraceContext | None = None) -> None:
        self._handler = handler
        self._trace = trace
        self._changes: list[RelayedChange] = []
        self._server: LoopbackServer | None = None

    @property
    def url(self) -> str:
        """Where the core sends changes: to a server that is started when it is first needed."""
        if self._server is None:
            self._server = LoopbackServer("state-relay", lambda request: self.answer(_read_body(request)))
        return f"http://127.0.0.1:{self._server.port}/"

    def close(self) -> None:
        """Stop serving."""
        if self._server is not None:
            self._server.close()

    def answer(self, body: bytes, *, is_last: bool = True) -> bytes:
        """Carry out a change that the core sent, and return the HTTP response.

        Args:
            body: The body of the core's request.
            is_last: Whether the connection is closed then.
        """
        change = StateChange.from_json(body)
        span_id, began = new_span_id(), time.time_ns()
        if self._trace is not None:
            change = replace(change, traceparent=self._trace._replace(span_id=span_id).traceparent)
        failure, status, values, started = None, 200, b"", time.perf_counter()
        try:
            values = self._handler(change)
        except StateChangeFailed as error:
            failure, status = error.failure, REFUSED
        except Exception as error:  # noqa: BLE001 - without an answer the core would say nothing about the cause
            failure, status = StateFailure(answered=False, reason=f"{change}: {error!r}"), REFUSED
        seconds = time.perf_counter() - started
        self._changes.append(
            RelayedChange(change.action, change.state, failure, seconds, began, time.time_ns(), span_id)
        )
        head = f"HTTP/1.1 {status} .\r\nContent-Type: application/json\r\n"
        head += "Connection: close\r\n" if is_last else ""
        return f"{head}Content-Length: {len(values)}\r\n\r\n".encode() + values

    def take(self) -> list[RelayedChange]:
        """Return all changes since the last call, in their order."""
        changes, self._changes = self._changes, []
        return changes


def by_interaction(changes: list[RelayedChange], interactions: list[tuple[str, ...]]) -> list[StatesOfOne]:
    """Find the state changes of each interaction of a shard.

    For each interaction the core asks for the setup of each of its states (of the state "" if it has none), whether one
    failed or not, and then perhaps for teardowns.

    Args:
        changes: What the core asked for, in its order.
        interactions: The names of the states of each interaction, in the order of the shard.

    Returns:
        What became of the states of each interaction; nothing from a change on that doesn't fit its interaction.
    """
    found: list[StatesOfOne] = []
    left = deque(changes)
    for states in interactions:
        own = [left.popleft() for _ in states or ("",) if left and left[0].action == "setup"]
        if [change.state for change in own] != list(states or ("",)):
            break
        while left and left[0].action == "teardown":
            own.append(left.popleft())
        failed = [change.failure for change in own if change.failure is not None]
        first = min(failed, key=lambda failure: failure.answered, default=None)
        found.append(StatesOfOne(first, sum(change.seconds for change in own), tuple(own)))
    return found + [StatesOfOne()] * (len(interactions) - len(found))
