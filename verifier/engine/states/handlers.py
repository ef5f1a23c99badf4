"""Provider state handlers: the user's URL, or the user's Python functions."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlencode

from broker.http.kept_connection import KeptConnections
from broker.http.limits import Limits
from broker.http.no_reply import NoReply
from broker.http.reason import brief
from broker.http.tls import ORDINARY
from broker.text.cut import shortened
from broker.traces.context import HEADER
from verifier.engine.relay_limit import relayed_seconds
from verifier.engine.states.change import StateChangeFailed
from verifier.engine.states.python_call import arguments_for, is_still_to_be_run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from broker.http.tls import Tls

from verifier.engine.states.change import StateChange

MAX_ANSWER = 10 * 1024 * 1024
"""The most bytes that are read of a handler's answer."""
HEADERS = {"Content-Type": "application/json", "Accept": "*/*", "User-Agent": "pact-dispatch"}

NOT_THE_HANDLER = frozenset({401, 403, 405, 501, 502, 503, 504})
"""Statuses that a gateway answers, a sign-in, or another resource at a wrong URL, but not a handler."""

_COMPACT: dict[str, Any] = {"ensure_ascii": False, "separators": (",", ":"), "sort_keys": True}


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

    There is a request before every interaction, so the connection is kept.

    Args:
        url: The URL to post them to.
        timeout: The time that one request may take with all of its answer, in seconds.
        headers: More headers, for that host alone.
        as_query: Whether the change is sent as the query of the URL, and no body.
        tls: How TLS connections are made.
    """

    def __init__(
        self,
        url: str,
        *,
        timeout: float,
        headers: Iterable[tuple[str, str]] = (),
        as_query: bool = False,
        tls: Tls = ORDINARY,
    ) -> None:
        self._url = url
        self._own_headers = dict(headers)
        replaced = {"content-type"} if as_query else set()
        replaced |= {name.lower() for name in self._own_headers}
        self._headers = {name: value for name, value in HEADERS.items() if name.lower() not in replaced}
        self._as_query = as_query
        self._shown = url.partition("?")[0]  # a query may hold a token
        self._connections = KeptConnections(Limits(relayed_seconds(timeout), MAX_ANSWER, stated=timeout), tls)
        self._seconds = timeout
        self._accepts = False

    def __call__(self, change: StateChange) -> bytes:
        """Post the change to the URL."""
        what = f"{change} at {self._shown}"
        try:
            url, body = (with_query(self._url, change), b"") if self._as_query else (self._url, change.body)
            headers = self._headers
            if change.traceparent is not None:
                headers = {**headers, HEADER: change.traceparent}
            reply = self._connections.post(url, body, headers, self._own_headers)
        except NoReply as error:
            from verifier.engine.no_answer import why_no_reply  # noqa: PLC0415 - few runs need it

            why = why_no_reply(error, seconds=self._seconds, option="--provider-states-setup-url")
            raise StateChangeFailed(f"{what}: {why}", answered=False) from error
        status, answer = reply.status, reply.content
        if 200 <= status < 300:
            self._accepts = True
            return answer if _is_json(reply.headers.get("Content-Type", "")) else b""
        text = shortened(answer.decode(errors="replace").strip())
        if text.startswith("<"):
            text = "(a web page)"
        reason = f"{what} was answered with {status}"
        if reply.redirects_to is not None:
            location = brief(reply.redirects_to.partition("?")[0])
            reason += (
                f", a redirect to {location} that is followed without the state, and so it isn't followed: give the "
                "URL that takes states"
            )
        if status in {401, 403} and not self._own_headers:
            reason += " (if it wants credentials, give them by --provider-states-header)"
        answered = 400 <= status < 600 and status not in NOT_THE_HANDLER
        if status == 404 and not self._accepts:
            # Nothing there has ever accepted a state, so it is the URL that is not found, and not the state.
            answered = False
            reason += " (is --provider-states-setup-url right?)"
        raise StateChangeFailed(reason + (f": {text}" if text else ""), answered=answered)

    def let_go(self) -> None:
        """Close the connection that is kept, for a server that takes no other one meanwhile."""
        self._connections.close()


def with_query(url: str, change: StateChange) -> str:
    """Return the URL of a state change with all of it in the query, as the core makes it with `state_change_as_query`.

    The parameters stand beside the state and the action, sorted by name, and win against these. One that is no text is
    written as JSON.
    """
    values = {"state": change.state, "action": change.action, **change.params}
    pairs = [
        (name, value if isinstance(value, str) else json.dumps(value, **_COMPACT))
        for name, value in sorted(values.items())
    ]
    return f"{url}{'&' if '?' in url else '?'}{urlencode(pairs)}"


def _is_json(content_type: str) -> bool:
    media_type = content_type.partition(";")[0].strip().lower()
    return media_type == "application/json" or media_type.endswith("+json")


class PythonHandler:
    """State changes by Python: a dict of functions by state name, or one function for all.

    Arguments are `action` and `parameters`, and for one function `state`, the first; see `python_call`. An interaction
    without states has the state "", which is passed to a dict only if it has the key "".
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
            state, *known = (json.dumps(name, ensure_ascii=False) for name in (change.state, *self._handlers))
            raise StateChangeFailed(
                f"no handler for state {state}; there are: {', '.join(known) or 'none'}", answered=True
            )
        try:
            positional, named = arguments_for(handler, arguments)
        except (TypeError, ValueError) as error:
            raise StateChangeFailed(
                f"{change}: the handler can't be called: {error}", answered=False
            ) from error
        try:
            values = handler(*positional, **named)
            if not is_still_to_be_run(values):
                return json.dumps(values).encode() if isinstance(values, dict) else b""
        except (Exception, SystemExit) as error:  # the user's code may raise anything
            reason = shortened(f"{change} raised {type(error).__name__}: {error}")
            # OSError: something that the handler needs (a database) can't be reached
            raise StateChangeFailed(reason, answered=not isinstance(error, OSError)) from error
        kind = type(values).__name__.lstrip("_")
        raise StateChangeFailed(
            f"{change} returned a {kind}, which nobody runs: nothing was set up", answered=False
        )
