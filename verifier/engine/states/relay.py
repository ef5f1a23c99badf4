"""Provider states, on their way from the core to the provider's handler.

The core asks this relay, on loopback, for each state change; the relay asks the user's URL, or calls the
user's Python handlers, and remembers what went wrong. That is for three things the core can't do: tell a
handler that refused a state from one that couldn't be reached, say why a state change failed, and
not wait two minutes over it (the core repeats a state change that answers 5xx seven times, doubling the
wait from 1 s: 127 s measured; the relay passes a 5xx on as a 4xx, which it doesn't repeat).
"""

from __future__ import annotations

import json
import threading
from collections import deque
from dataclasses import dataclass
from socketserver import StreamRequestHandler, TCPServer
from typing import TYPE_CHECKING

from verifier.engine.states.handlers import StateChangeFailed

if TYPE_CHECKING:
    from io import BufferedIOBase

    from verifier.engine.states.handlers import StateFailure, StateHandler

REFUSED = 400
"""What the core is answered when a state change failed."""
POLL_SECONDS = 0.02
"""How soon the relay notices that it is to stop."""
MAX_LINE = 65536


@dataclass(frozen=True)
class StateChange:
    """A state change that the core asked for, and how it went."""

    action: str
    state: str
    failure: StateFailure | None


def _body(request: BufferedIOBase) -> bytes:
    """Read the body of a request of the core's, a POST with a length; the rest of it says nothing.

    It is the only client, and asks with every interaction: the standard library's server takes twice as long.
    """
    length = 0
    while (line := request.readline(MAX_LINE).strip()) != b"":
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    return request.read(length)


class StateRelay:
    """A server on loopback that the core sends the state changes of one verifier to.

    A verifier asks for one change after another, in the order of its interactions, and the relay keeps that
    order: so each failure is known to belong to the interaction that it stopped.
    """

    def __init__(self, handler: StateHandler) -> None:
        self._changes: list[StateChange] = []
        relay = self

        class Handler(StreamRequestHandler):
            def handle(self) -> None:
                body = _body(self.rfile)
                change = json.loads(body)
                failure = None
                status, answer = 200, b""
                try:
                    answer = handler(change, body)
                except StateChangeFailed as error:
                    status, failure = REFUSED, error.failure
                relay.remember(StateChange(change.get("action", "setup"), change.get("state", ""), failure))
                head = f"HTTP/1.1 {status} .\r\nContent-Type: application/json\r\nConnection: close\r\n"
                self.wfile.write(f"{head}Content-Length: {len(answer)}\r\n\r\n".encode() + answer)

        self._server = TCPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/"
        threading.Thread(
            target=self._server.serve_forever, args=(POLL_SECONDS,), daemon=True, name="state-relay"
        ).start()

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()

    def remember(self, change: StateChange) -> None:
        """Keep a change until it is taken."""
        self._changes.append(change)

    def take(self) -> list[StateChange]:
        """Take all changes since the last time, in their order."""
        changes, self._changes = self._changes, []
        return changes


def failures(changes: list[StateChange], interactions: list[tuple[str, ...]]) -> list[StateFailure | None]:
    """Find the failure of each interaction of a shard, if it had one.

    For each interaction the core asks for the setup of each of its states (of the state "" where it has none),
    whether one failed or not, and then perhaps for teardowns.

    Args:
        changes: what the core asked for, in its order.
        interactions: the names of the states of each interaction, in the order of the shard.

    Returns:
        For each interaction the first failure in which the handler wasn't reached, else the first at all; None for
        those without one, and for all from where the changes no longer fit the interactions.
    """
    found: list[StateFailure | None] = []
    left = deque(changes)
    for states in interactions:
        own = [left.popleft() for _ in states or ("",) if left and left[0].action == "setup"]
        if [change.state for change in own] != list(states or ("",)):
            break
        while left and left[0].action == "teardown":
            own.append(left.popleft())
        failed = [change.failure for change in own if change.failure is not None]
        found.append(min(failed, key=lambda failure: failure.answered, default=None))
    return found + [None] * (len(interactions) - len(found))
