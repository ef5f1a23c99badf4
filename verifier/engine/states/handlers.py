"""Provider state handlers: the user's URL, or the user's Python functions."""

from __future__ import annotations

import http.client
import inspect
import json
import os
import ssl
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import SplitResult, urljoin, urlsplit

from verifier.engine.states.change import StateChangeFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from verifier.engine.states.change import StateChange

MAX_REASON = 2000
MAX_ANSWER = 10 * 1024 * 1024
"""The most bytes that are read of a handler's answer."""
MAX_REDIRECTS = 5
HEADERS = {"Content-Type": "application/json", "Accept": "*/*", "User-Agent": "pact-dispatch"}

NOT_THE_HANDLER = frozenset({401, 403, 405, 501, 502, 503, 504})
"""Statuses that a gateway answers, a sign-in, or another resource at a wrong URL, but not a handler."""


class StateHandler(Protocol):
    """What carries out a state change."""

    def __call__(self, change: StateChange) -> bytes:
        """Carry out the change.

        Returns:
            JSON with values for the pact's generators, or nothing.

        Raises:
            StateChangeFailed: It did not work.
        """


class UrlHandler:
    """State changes by URL, as the Pact verifiers send them: `{"state", "action", "params"}` posted as JSON.

    There is a request before every interaction, so it uses the standard library's client and keeps the connection.

    Args:
        url: The URL to post them to.
        timeout: The timeout of one request, in seconds.
    """

    def __init__(self, url: str, *, timeout: float) -> None:
        self._url = url
        self._shown = url.partition("?")[0]  # a query may hold a token
        # A little less than the core's own timeout, so that the reason is known when the core gives up.
        self._timeout = timeout * 0.95
        self._accepts = False
        self._connections: dict[tuple[str, str], http.client.HTTPConnection] = {}

    def __call__(self, change: StateChange) -> bytes:
        """Post the change to the URL."""
        what = f"{change} at {self._shown}"
        try:
            status, answer = self._post(change.body)
        except (OSError, ValueError, http.client.HTTPException) as error:
            raise StateChangeFailed(f"{what}: {error or type(error).__name__}", answered=False) from error
        if 200 <= status < 300:
            self._accepts = True
            return answer
        text = answer.decode(errors="replace").strip()[:MAX_REASON]
        if text.startswith("<"):
            text = "(a web page)"
        reason = f"{what} was answered with {status}" + (f": {text}" if text else "")
        answered = status >= 400 and status not in NOT_THE_HANDLER
        if status == 404 and not self._accepts:
            # Nothing there has ever accepted a state, so it is the URL that is not found, and not the state.
            answered = False
            reason += ". Is --provider-states-setup-url right?"
        raise StateChangeFailed(reason, answered=answered)

    def _post(self, body: bytes) -> tuple[int, bytes]:
        """Post to the URL, and to where it redirects with the same method.

        Raises:
            OSError: It could not be reached, or did not answer in time.
            ValueError: It redirects to something that is no URL.
            http.client.HTTPException: The answer is not HTTP, is incomplete or too large.
        """
        url = self._url
        for _ in range(MAX_REDIRECTS + 1):
            response, answer = self._post_once(urlsplit(url), body)
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
            # with a length, `read()` alone notices that the answer broke off
            answer = (
                response.read() if 0 < (response.length or 0) <= MAX_ANSWER else response.read(MAX_ANSWER + 1)
            )
            if len(answer) > MAX_ANSWER:
                connection.close()
                raise http.client.HTTPException(f"the answer is larger than {MAX_ANSWER} bytes")
            if not response.will_close:
                self._connections[place] = connection
            return response, answer
        raise AssertionError("the new connection answered or raised")

    def _connect(self, parts: SplitResult) -> http.client.HTTPConnection:
        """Return a connection; nothing is sent yet."""
        host, port = parts.hostname or "", parts.port
        if parts.scheme != "https":
            return http.client.HTTPConnection(host, port, timeout=self._timeout)
        context = ssl.create_default_context(cafile=os.environ.get("REQUESTS_CA_BUNDLE") or None)
        return http.client.HTTPSConnection(host, port, timeout=self._timeout, context=context)


class PythonHandler:
    """State changes by Python: a dict of functions by state name, or one function for all.

    As with pact-python's `state_handler`, arguments are passed by their names (`state`, `action`, `parameters`) if the
    function has them, and the others in that order. An interaction without states has the state "", which is passed to
    a dict only if it has the key "".
    """

    def __init__(self, handlers: Mapping[str, Callable[..., Any]] | Callable[..., Any]) -> None:
        self._handlers = handlers

    def __call__(self, change: StateChange) -> bytes:
        """Call the function for the state."""
        arguments: dict[str, Any] = {"action": change.action, "parameters": change.params}
        if callable(self._handlers):
            handler = self._handlers
            arguments = {"state": change.state, **arguments}
        elif change.state in self._handlers:
            handler = self._handlers[change.state]
        elif change.state == "":
            return b""
        else:
            known = ", ".join(json.dumps(name) for name in self._handlers) or "none"
            raise StateChangeFailed(
                f"no handler for state {json.dumps(change.state)}; there are: {known}", answered=True
            )
        try:
            values = _call(handler, arguments)
            return json.dumps(values).encode() if isinstance(values, dict) else b""
        except (Exception, SystemExit) as error:  # the user's code may raise anything
            reason = f"{change} raised {type(error).__name__}: {error}"[:MAX_REASON]
            # OSError: something that the handler needs (a database) can't be reached
            raise StateChangeFailed(reason, answered=not isinstance(error, OSError)) from error


def _call(function: Callable[..., Any], arguments: dict[str, Any]) -> Any:
    parameters = list(inspect.signature(function).parameters.values())
    if any(parameter.kind == parameter.VAR_KEYWORD for parameter in parameters):
        return function(**arguments)
    by_name = {**arguments, "params": arguments["parameters"]}
    named = {p.name: by_name[p.name] for p in parameters if p.name in by_name}
    places = [p.name for p in parameters if p.name not in named and p.default is p.empty]
    used = {"parameters" if name == "params" else name for name in named}
    left = {name: value for name, value in arguments.items() if name not in used}
    if len(places) < len(left):
        left.pop("action", None)  # a handler that only sets up does without it
    return function(**named, **dict(zip(places, left.values(), strict=False)))
