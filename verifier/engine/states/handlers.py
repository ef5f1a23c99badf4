"""Provider states, carried out: by the user's URL, or by the user's Python."""

from __future__ import annotations

import http.client
import inspect
import json
import os
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import SplitResult, urljoin, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

MAX_REASON = 2000
MAX_REDIRECTS = 5
HEADERS = {"Content-Type": "application/json", "Accept": "*/*", "User-Agent": "pact-dispatch"}

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
    """State changes by URL, as the Pact verifiers send them: `{"state", "action", "params"}` posted as JSON.

    It is asked before every interaction, so it is the standard library's client, with a connection that is kept.

    Args:
        url: where to post them.
        timeout: seconds for one answer.
    """

    def __init__(self, url: str, *, timeout: float) -> None:
        self._url = url
        self._shown = url.partition("?")[0]  # a query may hold a token
        # a little less than the core's own patience, so that the reason is known when it gives up
        self._timeout = timeout * 0.95
        self._accepts = False
        self._connections: dict[tuple[str, str], http.client.HTTPConnection] = {}

    def __call__(self, change: dict[str, Any], body: bytes) -> bytes:
        """Post the change to the URL."""
        what = (
            f"{change.get('action', 'setup')} of state {json.dumps(change.get('state', ''))} at {self._shown}"
        )
        try:
            status, answer = self._post(body)
        except (OSError, http.client.HTTPException) as error:
            reason = f"{what}: {error or type(error).__name__}"
            raise StateChangeFailed(StateFailure(answered=False, reason=reason)) from error
        if 200 <= status < 300:
            self._accepts = True
            return answer
        said = answer.decode(errors="replace").strip()[:MAX_REASON]
        if said.startswith("<"):
            said = "(a web page)"
        reason = f"{what} was answered with {status}" + (f": {said}" if said else "")
        answered = status >= 400 and status not in NOT_THE_HANDLER
        if status == 404 and not self._accepts:
            # nothing there has ever taken a state: it is the URL that isn't found, and not the state
            answered = False
            reason += ". Is --provider-states-setup-url right?"
        raise StateChangeFailed(StateFailure(answered=answered, reason=reason))

    def _post(self, body: bytes) -> tuple[int, bytes]:
        """Post to the URL, and to where it redirects with the same method.

        Raises:
            OSError: it could not be reached, or did not answer in time.
            http.client.HTTPException: the answer is no HTTP, or broke off.
        """
        url = self._url
        for _ in range(MAX_REDIRECTS + 1):
            parts = urlsplit(url)
            response, answer = self._post_once(parts, body)
            location = response.headers.get("Location")
            if response.status not in {307, 308} or location is None:
                return response.status, answer
            url = urljoin(url, location)
        raise http.client.HTTPException(f"more than {MAX_REDIRECTS} redirects")

    def _post_once(self, parts: SplitResult, body: bytes) -> tuple[http.client.HTTPResponse, bytes]:
        place = (parts.scheme, parts.netloc)
        kept = self._connections.pop(place, None)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        for connection in (kept, self._connect(parts)):
            if connection is None:
                continue
            try:
                connection.request("POST", target, body, HEADERS)
                response = connection.getresponse()
            except (http.client.RemoteDisconnected, ConnectionError):
                connection.close()
                if connection is not kept:
                    raise
                continue  # it was closed while it was idle: once more, on a new one
            answer = response.read()
            if not response.will_close:
                self._connections[place] = connection
            return response, answer
        raise AssertionError("the new connection answered or raised")

    def _connect(self, parts: SplitResult) -> http.client.HTTPConnection:
        """Make a connection; nothing is sent yet."""
        host, port = parts.hostname or "", parts.port
        if parts.scheme != "https":
            return http.client.HTTPConnection(host, port, timeout=self._timeout)
        context = ssl.create_default_context(cafile=os.environ.get("REQUESTS_CA_BUNDLE") or None)
        return http.client.HTTPSConnection(host, port, timeout=self._timeout, context=context)


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
