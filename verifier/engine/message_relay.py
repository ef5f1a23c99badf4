"""Message interactions, on their way from the core to the provider.

The core asks for a message by HTTP, and does not look at the status of the answer: it compares the body of a 503
with the message, and takes a 500 with the right body for it. So the core asks this relay, on loopback, and the relay
asks the provider, and knows how it answered. As of pact-python 4.2, there is one request for each interaction, in
their order.
"""

from __future__ import annotations

import json
from collections import deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from broker.http.json_values import text_at
from broker.http.limits import Reply
from broker.http.no_reply import NoReply
from broker.text.cut import shortened
from verifier.engine.core_results import GATEWAY_STATUSES
from verifier.engine.provider_relay import ProviderRelay, keep_answer, recorded, traced
from verifier.verification import Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence

    from broker.traces.context import TraceContext
    from verifier.engine.provider_relay import Request
    from verifier.engine.recorded_exchange import RecordedExchange
    from verifier.pact import Interaction
    from verifier.verification import InteractionResult

REFUSED = Reply(400, b"", is_whole=True)
"""What the core is answered in the place of an answer that is no message; it would follow a redirect."""


@dataclass(frozen=True)
class Asked:
    """A message that the core asked for.

    Attributes:
        description: Which message.
        status: The status of the provider's answer; None if there was none.
        reason: What was wrong with the answer; None if it was a message.
        text: What stood in such an answer.
        exchange: The request for it, and the answer.
    """

    description: str
    status: int | None
    reason: str | None
    text: str = ""
    exchange: RecordedExchange | None = None


class MessageRelay(ProviderRelay):
    """Asks a provider for messages.

    Args:
        url: Where the provider takes requests for messages.
        timeout: The time that a request may take with all of its answer, in seconds.
        trace: The trace that the provider is told of, in a header that is not recorded; None for none.
    """

    def __init__(self, url: str, *, timeout: float, trace: TraceContext | None = None) -> None:
        self._url = url
        self._trace = trace
        parts = urlsplit(url)
        self.origin = f"{parts.scheme}://{parts.netloc}"
        self._path = parts.path
        self._seconds = timeout
        self._asked: list[Asked] = []
        self.has_answered = False
        super().__init__(timeout=timeout)

    def take(self) -> list[Asked]:
        """Return what was asked for since the last call, in its order."""
        asked, self._asked = self._asked, []
        return asked

    def answer(self, request: Request) -> Reply:
        """Ask the provider for the message."""
        description = _description(request.body)
        exchange = recorded(replace(request, target=self._path), self._url)
        try:
            headers = traced(request.headers, exchange, self._trace)
            reply = self.connections.post(self._url, request.body, headers)
        except NoReply as error:
            from verifier.engine.no_answer import why_no_reply  # noqa: PLC0415 - few runs need it

            why = why_no_reply(error, seconds=self._seconds, option="--transport")
            reason = f"asking for the message at {self._url}: {why}"
            self._asked.append(Asked(description, None, reason, exchange=exchange))
            raise
        keep_answer(exchange, reply)
        if not 200 <= reply.status < 300:
            text = shortened(reply.content.decode(errors="replace").strip())
            text = "" if text.startswith("<") else text
            reason = f"asking for the message at {self._url} was answered with {reply.status}"
            self._asked.append(Asked(description, reply.status, reason, text, exchange))
            return REFUSED
        self.has_answered = True
        self._asked.append(Asked(description, reply.status, None, exchange=exchange))
        return reply


def _description(body: bytes) -> str:
    try:
        return text_at(json.loads(body), "description") or ""
    except ValueError:
        return ""


def answers_of(asked: Sequence[Asked], interactions: Sequence[Interaction]) -> list[Asked | None]:
    """Find what was asked for each interaction; None for those whose message was not asked for.

    Args:
        asked: What was asked for, in its order.
        interactions: The interactions, in theirs; one whose states failed is not asked for.
    """
    found: list[Asked | None] = []
    left = deque(asked)
    for interaction in interactions:
        is_next = bool(left) and left[0].description == interaction.description
        found.append(left.popleft() if is_next else None)
    return found


def depends_on_others(asked: Asked | None) -> bool:
    """Return whether `judged` needs to know whether the provider has answered anything with a success."""
    return (
        asked is not None
        and asked.status is not None
        and asked.reason is not None
        and not _is_gateways(asked)
    )


def _is_gateways(asked: Asked) -> bool:
    return str(asked.status) in GATEWAY_STATUSES


def judged(result: InteractionResult, asked: Asked | None, *, has_answered: bool) -> InteractionResult:
    """Return a result in view of how the provider answered: only with a success it gave a message.

    Args:
        result: The core's result.
        asked: The answer; None if the message was not asked for.
        has_answered: Whether the provider has answered any request with a success. If not, it is the URL that may be
            wrong, and the answer says nothing about the message.
    """
    if asked is None or asked.reason is None:
        return result
    unknown = asked.status is None or _is_gateways(asked)
    reason = asked.reason
    if not unknown and not has_answered:
        unknown = True
        reason += " (nothing there has answered with a message: is --transport right?)"
    if asked.text:
        reason += f": {asked.text}"
    outcome = Outcome.ERROR if unknown else Outcome.FAILED
    return replace(
        result, outcome=outcome, mismatches=(), more_mismatches=0, reason=reason, retryable=unknown
    )
