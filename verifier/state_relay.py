"""Provider states, on their way from the core to the provider's handler.

The core asks this relay, on loopback, for each state change; the relay asks the user's URL, or calls the
user's Python handlers, and remembers what went wrong. That is for three things the core can't do: tell a
handler that refused a state from one that couldn't be reached, say why a state change failed, and
not wait two minutes over it (the core repeats a state change that answers 5xx seven times, doubling the
wait from 1 s: 127 s measured; the relay passes a 5xx on as a 4xx, which it doesn't repeat).
"""

from __future__ import annotations

import inspect
import json
import os
import threading
from collections import deque
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer
from socketserver import TCPServer
from typing import TYPE_CHECKING, Any, Protocol

from broker.reason import innermost

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

MAX_REASON = 2000
POLL_SECONDS = 0.02
"""How soon the relay notices that it is to stop."""
REFUSED = 400
"""What the core is answered when a state change failed."""

NOT_THE_HANDLER = frozenset({401, 403, 405, 501, 502, 503, 504})
"""What is answered in a handler's place: by a gateway, a sign-in, or by something else at a wrong URL."""


@dataclass(frozen=True)
class StateFailure:
    """A state change that failed.

    Attributes:
        answered: whether the handler was reached, so that the failure is its word.
        reason: what happened, for people.
    """

    answered: bool
    reason: str


class StateChangeFailed(Exception):
    """A state change that did not work, as a handler reports it."""

    def __init__(self, failure: StateFailure) -> None:
        super().__init__(failure.reason)
        self.failure = failure


class StateHandler(Protocol):
    """What carries out a state change."""

    def __call__(self, change: dict[str, Any], body: bytes) -> bytes:
        """Carry out the change.

        Args:
            change: `state`, `action` (setup or teardown) and `params`.
            body: the same as the core sent it.

        Returns:
            JSON with values for the pact's generators, or nothing.

        Raises:
            StateChangeFailed: it did not work.
        """


class UrlHandler:
    """State changes by URL, as the Pact verifiers send them: `{"state", "action", "params"}` posted as JSON."""

    def __init__(self, url: str, *, timeout: float) -> None:
        # only here: the engine's child starts with every run, and most runs can do without
        import urllib3  # noqa: PLC0415
        import urllib3.exceptions  # noqa: PLC0415

        self._url = url
        self._shown = url.partition("?")[0]  # a query may hold a token
        self._errors = urllib3.exceptions
        bundle = os.environ.get("REQUESTS_CA_BUNDLE")
        authorities: dict[str, Any] = {"ca_certs": bundle} if bundle else {}
        self._pool = urllib3.PoolManager(
            # a little less than the core's own patience, so that the reason is known when it gives up
            timeout=urllib3.Timeout(total=timeout * 0.95),
            retries=urllib3.Retry(total=5, connect=0, read=False, other=0, redirect=5, status=0),
            **authorities,
        )

    def __call__(self, change: dict[str, Any], body: bytes) -> bytes:
        """Post the change to the URL."""
        what = (
            f"{change.get('action', 'setup')} of state {json.dumps(change.get('state', ''))} at {self._shown}"
        )
        headers = {"Content-Type": "application/json", "Accept": "*/*", "User-Agent": "pact-dispatch"}
        try:
            try:
                response = self._pool.request("POST", self._url, body=body, headers=headers)
            except self._errors.ProtocolError:
                # perhaps the handler closed a connection while it was idle; setting a state up twice does no harm
                response = self._pool.request("POST", self._url, body=body, headers=headers)
        except self._errors.HTTPError as error:
            reason = f"{what}: {innermost(error)}"
            raise StateChangeFailed(StateFailure(answered=False, reason=reason)) from error
        if 200 <= response.status < 300:
            return response.data
        said = response.data.decode(errors="replace").strip()[:MAX_REASON]
        reason = f"{what} was answered with {response.status}" + (f": {said}" if said else "")
        raise StateChangeFailed(StateFailure(answered=response.status not in NOT_THE_HANDLER, reason=reason))


class PythonHandler:
    """State changes by Python: a dict of functions by state name, or one function for all.

    As with pact-python's `state_handler`, arguments go by their names (`state`, `action`, `parameters`) as far
    as the function has them, and the others in that order; a state without a name (an interaction without
    states) is passed to a dict only if it has the key "".
    """

    def __init__(self, handlers: Mapping[str, Callable[..., Any]] | Callable[..., Any]) -> None:
        self._handlers = handlers

    def __call__(self, change: dict[str, Any], body: bytes) -> bytes:  # noqa: ARG002 - the interface's
        """Call the function for the state."""
        state, action = str(change.get("state", "")), str(change.get("action", "setup"))
        arguments: dict[str, Any] = {"action": action, "parameters": change.get("params") or {}}
        if callable(self._handlers):
            handler = self._handlers
            arguments = {"state": state, **arguments}
        elif state in self._handlers:
            handler = self._handlers[state]
        elif state == "":
            return b""
        else:
            known = ", ".join(json.dumps(name) for name in self._handlers) or "none"
            raise StateChangeFailed(
                StateFailure(
                    answered=True, reason=f"no handler for state {json.dumps(state)}; there are: {known}"
                )
            )
        try:
            values = _call(handler, arguments)
            return json.dumps(values).encode() if isinstance(values, dict) else b""
        except OSError as error:  # what the handler needs (a database) can't be reached
            reason = f"{action} of state {json.dumps(state)} raised {type(error).__name__}: {error}"
            raise StateChangeFailed(StateFailure(answered=False, reason=reason[:MAX_REASON])) from error
        except (Exception, SystemExit) as error:  # the user's code may raise anything; it is reported
            reason = f"{action} of state {json.dumps(state)} raised {type(error).__name__}: {error}"
            raise StateChangeFailed(StateFailure(answered=True, reason=reason[:MAX_REASON])) from error


def _call(function: Callable[..., Any], arguments: dict[str, Any]) -> Any:
    parameters = list(inspect.signature(function).parameters.values())
    if any(parameter.kind == parameter.VAR_KEYWORD for parameter in parameters):
        return function(**arguments)
    by_name = {**arguments, "params": arguments["parameters"]}
    named = {p.name: by_name[p.name] for p in parameters if p.name in by_name}
    places = [p.name for p in parameters if p.name not in named and p.default is p.empty]
    taken = {"parameters" if name == "params" else name for name in named}
    left = {name: value for name, value in arguments.items() if name not in taken}
    if len(places) < len(left):
        left.pop("action", None)  # what a handler that only sets up does without
    return function(**named, **dict(zip(places, left.values(), strict=False)))


@dataclass(frozen=True)
class StateChange:
    """A state change that the core asked for, and how it went."""

    action: str
    state: str
    failure: StateFailure | None


class _Server(HTTPServer):
    def server_bind(self) -> None:
        # HTTPServer's own asks the resolver for this machine's name, which can take seconds
        TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])


class StateRelay:
    """A server on loopback that the core sends the state changes of one verifier to.

    A verifier asks for one change after another, in the order of its interactions, and the relay keeps that
    order: so each failure is known to belong to the interaction that it stopped.
    """

    def __init__(self, handler: StateHandler) -> None:
        self._changes: list[StateChange] = []
        relay = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                change = json.loads(body)
                failure = None
                status, answer = 200, b""
                try:
                    answer = handler(change, body)
                except StateChangeFailed as error:
                    status, failure = REFUSED, error.failure
                relay.remember(StateChange(change.get("action", "setup"), change.get("state", ""), failure))
                # one write, and no headers that the core doesn't read: this is asked for with every interaction
                head = f"HTTP/1.0 {status} .\r\nContent-Type: application/json\r\nContent-Length: {len(answer)}\r\n\r\n"
                self.wfile.write(head.encode() + answer)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
                pass

        self._server = _Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/"
        threading.Thread(
            target=self._server.serve_forever, args=(POLL_SECONDS,), daemon=True, name="state-relay"
        ).start()

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()

    def remember(self, change: StateChange) -> None:
        """Keep a change until it is asked for."""
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
