"""The spans of interactions, of their provider state changes and of the requests to the provider.

They are made here, where the times are known, and go to the parent with the results: nothing of what sends them to a
collector, nor its credentials, is in this process.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from broker.text.cut import beginning
from broker.traces.context import new_span_id
from broker.traces.requests import STATUS, name_of, request_attributes
from broker.traces.spans import CLIENT, INTERNAL, FinishedSpan
from verifier.verification import Outcome

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from broker.traces.context import TraceContext
    from verifier.engine.protocol import Job
    from verifier.engine.recorded_exchange import RecordedExchange
    from verifier.engine.states.relay import RelayedChange
    from verifier.verification import InteractionResult

LONGEST_TEXT = 1000
"""The most characters of a text in a span."""
NO_ANSWER = "no answer"
_START = re.compile(rb"([^ \r\n]{1,30}) ([^ \r\n]{1,8000})")
_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3})")


class InteractionSpans:
    """Makes the spans of one job.

    Args:
        job: The job.
        trace: The span that they are below.
    """

    def __init__(self, job: Job, trace: TraceContext) -> None:
        self._trace = trace
        self._states_url = _without_credentials((job.states_url or "").partition("?")[0])
        self._consumer, self._provider = job.pact.consumer, job.pact.provider

    def of_shard(
        self,
        results: Sequence[InteractionResult],
        changes: Sequence[Sequence[RelayedChange]],
        exchanges: Mapping[int, Sequence[RecordedExchange]],
        *,
        began: int,
        ended: int,
    ) -> list[FinishedSpan]:
        """Return the spans of interactions that were verified one after the other.

        Args:
            results: Their results.
            changes: The provider state changes of each.
            exchanges: The requests of each, by its index.
            began: When the first one began, in nanoseconds since 1970.
            ended: When the last one had ended.
        """
        spans: list[FinishedSpan] = []
        last = began
        for result, own_changes in zip(results, changes, strict=True):
            own_exchanges = exchanges.get(result.index, ())
            times = [(change.began, change.ended) for change in own_changes]
            times += [(one.began, one.ended or one.began) for one in own_exchanges]
            if times:
                start, end = min(times)[0], max(end for _, end in times)
            else:  # the core has asked by itself, and tells how long that took
                start, end = last, min(ended, last + int((result.duration or 0.0) * 1e9))
            last = end
            span_id = new_span_id()
            spans.append(self._span_of(result, span_id, start, end))
            spans += [self._span_of_change(change, span_id) for change in own_changes]
            spans += [self._span_of_request(one, span_id) for one in own_exchanges]
        return spans

    def _span_of(self, result: InteractionResult, span_id: str, start: int, end: int) -> FinishedSpan:
        error = None
        if result.outcome is not Outcome.PASSED:
            first = result.mismatches[0].description if result.mismatches else ""
            error = beginning(result.reason or first or str(result.outcome), LONGEST_TEXT)
        attributes = {
            "pact.consumer": self._consumer,
            "pact.provider": self._provider,
            "pact.interaction.description": result.description[:LONGEST_TEXT],
            "pact.interaction.kind": result.kind,
            "pact.outcome": str(result.outcome),
        }
        if error is not None:
            attributes["error.type"] = str(result.outcome)
        name = f"interaction {result.description[:LONGEST_TEXT]}"
        return self._span(name, INTERNAL, span_id, self._trace.span_id, start, end, attributes, error)

    def _span_of_change(self, change: RelayedChange, parent_id: str) -> FinishedSpan:
        attributes: dict[str, Any] = {
            "pact.state": change.state[:LONGEST_TEXT],
            "pact.state.action": change.action[:LONGEST_TEXT],
        }
        kind = INTERNAL
        if self._states_url:
            kind = CLIENT
            attributes |= request_attributes("POST", self._states_url, self._states_url[:LONGEST_TEXT])
        error = None
        if change.failure is not None:
            error = beginning(change.failure.reason, LONGEST_TEXT)
            attributes["error.type"] = "state change failed"
        name = f"{change.action[:LONGEST_TEXT]} of state"
        return self._span(
            name, kind, change.span_id, parent_id, change.began, change.ended, attributes, error
        )

    def _span_of_request(self, exchange: RecordedExchange, parent_id: str) -> FinishedSpan:
        start = _START.match(exchange.request)
        method, target = (start[1].decode(), start[2].decode("latin-1")) if start else ("", "")
        url = _without_credentials(exchange.origin) + target.partition("?")[0]
        attributes = request_attributes(method, url, url[:LONGEST_TEXT])
        error = None
        if status := _STATUS.match(exchange.answer):  # which one is right is for the pact to say
            attributes[STATUS] = int(status[1])
        else:
            error = attributes["error.type"] = NO_ANSWER
        end = exchange.ended or exchange.began
        return self._span(
            name_of(method), CLIENT, exchange.span_id, parent_id, exchange.began, end, attributes, error
        )

    def _span(
        self,
        name: str,
        kind: str,
        span_id: str,
        parent_id: str,
        start: int,
        end: int,
        attributes: dict[str, Any],
        error: str | None,
    ) -> FinishedSpan:
        known = {key: value for key, value in attributes.items() if value is not None}
        return FinishedSpan(name, kind, self._trace.trace_id, span_id, parent_id, start, end, known, error)


def _without_credentials(url: str) -> str:
    scheme, separator, rest = url.partition("://")
    authority, slash, path = rest.partition("/")
    return f"{scheme}{separator}{authority.rpartition('@')[2]}{slash}{path}"
