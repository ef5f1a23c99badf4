"""What was sent for an interaction and what came, as the reports show it. No I/O."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from broker.text.differences import shortened

if TYPE_CHECKING:
    from verifier.verification import Exchange, HttpMessage

LONGEST_COMMAND = 1000
"""The most characters of a command that are shown; a longer one is cut, and a mark says so."""
_OF_EVERY_CLIENT = frozenset(
    {"accept-encoding", "connection", "content-length", "host", "transfer-encoding", "user-agent"}
)
"""Headers that curl has of its own, and that none of the interactions is about."""


def curl(exchange: Exchange, longest: int = LONGEST_COMMAND) -> str:
    """Return a command that sends the request again; what was a secret in it is stars.

    Args:
        exchange: The request, and what came.
        longest: The most characters of it.
    """
    request = exchange.request
    method, _, rest = request.start.partition(" ")
    target = rest.rpartition(" ")[0]
    host = next((value for name, value in request.headers if name.lower() == "host"), "localhost")
    words = ["curl", "-i"]
    if method != ("POST" if request.body else "GET"):
        words += ["-X", method]
    words.append(f"{exchange.scheme}://{host}{target}")
    for name, value in request.headers:
        if name.lower() not in _OF_EVERY_CLIENT and (name.lower(), value) != ("accept", "*/*"):
            words += ["-H", f"{name}: {value}"]
    if request.body:
        words += ["--data-raw", request.body]
    return shortened(shlex.join(words), longest)


def answer_in_a_line(exchange: Exchange) -> str:
    """Return the response on a line: its status, and what comes first of its body."""
    response = exchange.response
    if response is None:
        return "nothing"
    status = response.start.partition(" ")[2] or "what is no HTTP"
    body = " ".join(response.body.split())
    return shortened(f"{status}  {body}".rstrip())


def written(message: HttpMessage) -> str:
    """Return a request or response as it would stand in a letter: first line, headers, body."""
    lines = [message.start, *(f"{name}: {value}" for name, value in message.headers)]
    return "\n".join([*lines, *(["", message.body] if message.body else [])])
