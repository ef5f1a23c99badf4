"""One job: the chosen interactions of a pact, verified by pact-python in shards, on one or more threads."""

from __future__ import annotations

import os
import threading
import time
from contextlib import nullcontext
from enum import Enum, auto
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

from broker.http.redirects import REDIRECTS
from broker.text.cut import shortened
from broker.traces.context import parse_traceparent
from verifier.engine.core import CoreVerifier, log_to
from verifier.engine.core_results import FAILED_REQUEST, REQUEST_NOT_SENT, interaction_result, not_loaded
from verifier.engine.custom_headers import without_headers
from verifier.engine.memory import limited_memory
from verifier.engine.one_processor import on_one_processor
from verifier.engine.protocol import (
    CORE_LOG,
    Begun,
    Job,
    Note,
    Results,
    Spans,
)
from verifier.engine.recorded_exchange import all_by_interaction, marked
from verifier.engine.redirects import expecting_shifted, expects_redirect, unshifted
from verifier.engine.relay_limit import was_too_slow
from verifier.engine.relays import Relays, state_handler
from verifier.engine.trust_store import SmallTrustStore
from verifier.pact import HTTP
from verifier.transport import MESSAGE
from verifier.verification import Outcome

if TYPE_CHECKING:
    import ssl
    from pathlib import Path

    from verifier.engine.exchanges import Relay
    from verifier.engine.interaction_spans import InteractionSpans
    from verifier.engine.message_relay import Asked, MessageRelay
    from verifier.engine.protocol import Event
    from verifier.engine.provider_relay import OriginRelay
    from verifier.engine.recorded_exchange import RecordedExchange
    from verifier.engine.recorder import Recorder
    from verifier.pact import Interaction
    from verifier.verification import InteractionResult

LARGEST_SHARD = 25
"""The core's cost is quadratic in the number of interactions of one document; up to 25 it is close to linear."""
SHARD_SECONDS = 0.3
"""How long a shard should take; results are sent after each shard."""
UNKNOWN_PACE = float("inf")
"""The seconds for one interaction before one was verified, so that the first shard has one."""
MOST_EXCHANGES = 50
"""Of how many interactions a result says what was sent and what came."""
QUICK_SECONDS = 1.0
"""A request that failed faster than this may have failed because of TLS, and is tried with the full trust store.

So may one that the provider has redirected, however long that took, unless the time limit ended it.
"""
REDIRECTS_TO_TLS = (
    "the provider redirects to https, so the system's certificate authorities were used (slower)"
)


class EventSink(Protocol):
    """Where what a job finds is sent."""

    def send(self, event: Event) -> None:
        """Send a message; safe from any thread."""

    def end_out_of_memory(self) -> None:
        """Say that this process has used more memory than it may, and end it."""


class JobRun:
    """The execution of one job.

    Args:
        job: The job.
        folder: A folder for its files.
        events: Where the results go.
        pace: How many seconds an interaction took in the job before; unknown if there was none.

    Attributes:
        pace: How many seconds an interaction took in the last shard.
    """

    def __init__(self, job: Job, folder: Path, events: EventSink, *, pace: float = UNKNOWN_PACE) -> None:
        self.pace = pace
        self._job = job
        self._events = events
        self._folder = folder
        self._left = [job.pact.interactions[index] for index in reversed(job.indexes)]
        self._lock = threading.Lock()
        self._store = SmallTrustStore(folder) if job.small_trust_store else None
        self._states = state_handler(job)
        self._header_names = frozenset(name.lower() for name, _ in job.headers)
        self._messages_url = _messages_url(job)
        self._message_relays: list[MessageRelay] = []
        self._undecided: list[tuple[InteractionResult, Asked]] = []
        """Results that depend on whether the provider answers any request for a message."""
        self._exchanges = 0
        self._core_does_tls = False
        self._errors: list[BaseException] = []
        self._spans: InteractionSpans | None = None
        if (trace := parse_traceparent(job.trace)) is not None:
            from verifier.engine.interaction_spans import InteractionSpans  # noqa: PLC0415 - few jobs are traced

            self._spans = InteractionSpans(job, trace)

    def run(self) -> None:
        """Verify all interactions, and send the results of each shard."""
        _bypass_proxy(urlsplit(self._job.base_url or "").hostname)
        if self._job.log_level is not None:
            log_to(self._folder / CORE_LOG, self._job.log_level)
        # before the store is used, since they have the system's authorities
        contexts = [self._tls_context() for _ in range(self._job.jobs)]
        if self._store is not None:
            self._store.use()
        threads = [
            threading.Thread(target=self._work, args=(str(number), context), name=f"verify-{number}")
            for number, context in enumerate(contexts)
        ]
        memory_bytes = self._job.memory_limit * 2**20
        with limited_memory(memory_bytes, self._job.jobs, self._events.end_out_of_memory):
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        if self._store is not None:
            self._store.leave()
        if self._errors:
            raise self._errors[0]
        if self._undecided:
            from verifier.engine.message_relay import judged  # noqa: PLC0415 - see `verifier.engine.relays`

            has_answered = any(relay.has_answered for relay in self._message_relays)
            decided = [judged(result, asked, has_answered=has_answered) for result, asked in self._undecided]
            self._events.send(Results(tuple(decided)))

    def _work(self, worker: str, context: ssl.SSLContext | None) -> None:
        with Relays(self._job, self._states, self._messages_url, context) as relays:
            if relays.messages is not None:
                self._message_relays.append(relays.messages)
            try:
                while shard := self._next_shard():
                    self._events.send(Begun(tuple(interaction.index for interaction in shard)))
                    started = time.perf_counter()
                    with on_one_processor() if self._job.takes_turns else nullcontext():
                        results = self._explained(self._verify(worker, shard, relays), relays)
                    with self._lock:
                        self.pace = (time.perf_counter() - started) / len(shard)
                    if self._job.ends_at_first and self._is_over(results):
                        with (
                            self._lock
                        ):  # before it is known: what is told of as the end begins no other interaction
                            self._left.clear()
                    self._events.send(Results(tuple(results)))
            except BaseException as error:  # `run` raises it again in the thread that waits
                self._errors.append(error)
                raise

    def _tls_context(self) -> ssl.SSLContext | None:
        """Return what a relay to the provider makes TLS connections with; None if there will be none."""
        if not self._job.has_tls_relay:
            return None
        from verifier.engine.tls_relay import context_of_relay  # noqa: PLC0415 - see `verifier.engine.relays`

        return context_of_relay(self._job.tls)

    def _is_over(self, results: list[InteractionResult]) -> bool:
        """Return whether an interaction did not pass, of these or of those that had to wait for another's answer."""
        return any(result.prevents_pass for result in results) or (
            bool(self._undecided) and any(relay.has_answered for relay in self._message_relays)
        )

    def _explained(self, results: list[InteractionResult], relays: Relays) -> list[InteractionResult]:
        """Return results that say why a request had no answer."""
        if not any(map(_has_no_answer, results)):
            return results
        from verifier.engine.no_answer import FailedRequests  # noqa: PLC0415 - few runs need it

        failed = FailedRequests(self._job.request_timeout, tls=self._job.tls, context=relays.context)
        return [failed.explained(result, relays.states_seconds.get(result.index, 0.0)) for result in results]

    def _next_shard(self) -> list[Interaction]:
        with self._lock:
            fair = -(-len(self._left) // self._job.jobs)
            largest = 1 if self._job.singly or self._job.ends_at_first else LARGEST_SHARD
            size = max(1, min(largest, fair, int(SHARD_SECONDS / self.pace)))
            shard: list[Interaction] = []
            while self._left and len(shard) < size:
                if shard and self._way(self._left[-1]) != self._way(shard[0]):
                    break
                shard.append(self._left.pop())
            return shard

    def _way(self, interaction: Interaction) -> _Way:
        if self._is_relayed(interaction):
            return _Way.BY_MESSAGE_RELAY
        if interaction.kind == HTTP and self._job.base_url and expects_redirect(interaction):
            return _Way.BY_REDIRECT_RELAY
        if interaction.kind == HTTP and self._job.can_record:
            return _Way.BY_RECORDER
        if interaction.kind == HTTP and self._job.has_tls_relay and not self._core_does_tls:
            return _Way.BY_TLS_RELAY
        return _Way.DIRECT

    def _for_the_core(self, way: _Way, interaction: Interaction) -> dict[str, Any]:
        """Return the document of an interaction that the core is given."""
        document = interaction.document
        if way in _RECORDED:
            document = marked(document, interaction.index)
        if way == _Way.BY_REDIRECT_RELAY:
            document = expecting_shifted(document)
        return without_headers(document, self._header_names) if self._header_names else document

    def _is_relayed(self, interaction: Interaction) -> bool:
        """Return whether it is a message that the core asks for by HTTP."""
        transport = interaction.document.get("transport") or MESSAGE
        return self._messages_url is not None and interaction.kind != HTTP and transport == MESSAGE

    def _verify(self, worker: str, shard: list[Interaction], relays: Relays) -> list[InteractionResult]:
        results = self._verify_once(worker, shard, relays)
        if self._relay_is_no_use(shard, relays):
            self._core_does_tls = True
            if self._store is not None:
                self._store.leave()
                self._store = None
            results = self._verify_once(worker, shard, relays)
        store = self._store
        suspects = [result for result in results if self._may_be_tls(result, relays)]
        suspects.sort(key=_was_redirected, reverse=True)
        if store is None or not suspects:
            return results
        # A provider on plain HTTP that redirects to https fails with the small trust store. One interaction tells.
        store.leave()
        [retried] = self._verify_once(worker, [self._job.pact.interactions[suspects[0].index]], relays)
        if _was_not_sent(retried):
            if self._store is not None:
                store.use()
            return results
        if self._store is not None:
            self._store = None
            self._events.send(Note(REDIRECTS_TO_TLS))
        return self._verify_once(worker, shard, relays)

    def _may_be_tls(self, result: InteractionResult, relays: Relays) -> bool:
        """Return whether TLS may be the cause of a request that failed."""
        if not _was_not_sent(result):
            return False
        took = result.duration or 0.0
        if took < QUICK_SECONDS:
            return True
        took -= relays.states_seconds.get(result.index, 0.0)
        return _was_redirected(result) and not was_too_slow(took, self._job.request_timeout)

    def _relay_is_no_use(self, shard: list[Interaction], relays: Relays) -> bool:
        """Return whether the core may trust a provider that the relay does not: each has its way to the system's store.

        Nothing was sent then.
        """
        return (
            self._way(shard[0]) == _Way.BY_TLS_RELAY
            and not self._job.needs_tls_relay
            and relays.tls.is_not_trusted
        )

    def _verify_once(self, worker: str, shard: list[Interaction], relays: Relays) -> list[InteractionResult]:
        source = self._folder / f"shard-{worker}.json"
        way = self._way(shard[0])
        document = self._job.pact.shard(tuple(shard), partial(self._for_the_core, way))
        source.write_text(document, encoding="utf-8")
        began = time.time_ns()
        with CoreVerifier() as verifier:
            self._configure(verifier, relays, way)
            found = verifier.verify(source)
        ended = time.time_ns()
        entries = {entry.get("interactionId"): entry for entry in found.get("interactionResults", ())}
        failures, changes = relays.failures(shard), relays.changes
        results = [
            interaction_result(interaction, entries[str(interaction.index)], failure)
            if str(interaction.index) in entries
            else self._alone(worker, interaction, relays)
            if len(shard) > 1
            else not_loaded(interaction, _why_not_loaded(found, source))
            for interaction, failure in zip(shard, failures, strict=True)
        ]
        exchanges: dict[int, list[RecordedExchange]] = {}
        try:
            return self._with_exchanges(shard, results, relays, way, exchanges)
        finally:
            if self._spans is not None:
                spans = self._spans.of_shard(results, changes, exchanges, began=began, ended=ended)
                self._events.send(Spans(tuple(spans)))

    def _with_exchanges(
        self,
        shard: list[Interaction],
        results: list[InteractionResult],
        relays: Relays,
        way: _Way,
        exchanges: dict[int, list[RecordedExchange]],
    ) -> list[InteractionResult]:
        """Return results with what was sent and what came, and note all that was, by the interaction's index."""
        if way == _Way.BY_MESSAGE_RELAY and relays.messages is not None:
            return self._judge_messages(shard, results, relays.messages, exchanges)
        if way == _Way.BY_REDIRECT_RELAY:
            results = [unshifted(result) for result in results]
        if way in _RECORDED:
            relay = self._relay(way, relays)
            recorded = relay.take()
            exchanges |= all_by_interaction(relay.taken)
            return [self._recorded(result, recorded.get(result.index), relay) for result in results]
        return results

    def _relay(self, way: _Way, relays: Relays) -> Recorder | OriginRelay:
        """Return what the core asks on one of the ways on which exchanges are recorded."""
        if way == _Way.BY_RECORDER:
            return relays.recorder
        return relays.tls if way == _Way.BY_TLS_RELAY else relays.redirects

    def _recorded(
        self, result: InteractionResult, exchange: RecordedExchange | None, relay: Relay
    ) -> InteractionResult:
        """Return a result that, if it did not pass, has what was sent and what came, for the first of them."""
        if result.outcome == Outcome.PASSED:
            return result
        from verifier.engine.exchanges import with_exchange  # noqa: PLC0415 - for what fails alone

        shown = with_exchange(result, exchange if self._exchanges < MOST_EXCHANGES else None, relay)
        self._exchanges += shown.exchange is not None
        return shown

    def _judge_messages(
        self,
        shard: list[Interaction],
        results: list[InteractionResult],
        relay: MessageRelay,
        exchanges: dict[int, list[RecordedExchange]],
    ) -> list[InteractionResult]:
        """Return the results that are certain now, in view of how the provider answered, and keep the others."""
        from verifier.engine.message_relay import (  # noqa: PLC0415 - see `verifier.engine.relays`
            answers_of,
            depends_on_others,
            judged,
        )

        certain = []
        for result, asked in zip(results, answers_of(relay.take(), shard), strict=True):
            exchange = None if asked is None else asked.exchange
            if exchange is not None:
                exchanges[result.index] = [exchange]
            if asked is not None and depends_on_others(asked):
                self._undecided.append((self._recorded(result, exchange, relay), asked))
            else:
                sure = judged(result, asked, has_answered=relay.has_answered)
                certain.append(self._recorded(sure, exchange, relay))
        return certain

    def _alone(self, worker: str, interaction: Interaction, relays: Relays) -> InteractionResult:
        """Verify an interaction of a shard that has no results, for another one that the core can't load."""
        [result] = self._verify_once(worker, [interaction], relays)
        return result

    def _configure(self, verifier: CoreVerifier, relays: Relays, way: _Way) -> None:
        job = self._job
        parts = urlsplit(job.base_url or "")
        host = (parts.hostname if way == _Way.DIRECT else None) or "127.0.0.1"
        others = list(job.transports) if way == _Way.DIRECT else []
        scheme: str | None = parts.scheme
        port, path = parts.port, parts.path.rstrip("/") or "/"
        if way == _Way.BY_MESSAGE_RELAY and relays.messages is not None:
            scheme, port, path = None, relays.messages.port, "/"
        elif way in _RECORDED:
            scheme, port = "http", self._relay(way, relays).port
        elif not job.base_url:
            first = others.pop(0)  # which is that of the only kind of interactions that there is
            scheme, port, path = None, first.port, first.path or ""
        verifier.set_provider(
            job.pact.provider, scheme=scheme, host=f"[{host}]" if ":" in host else host, port=port, path=path
        )
        for transport in others:
            verifier.add_transport(transport.protocol, port=transport.port, path=transport.path)
        for name, value in job.headers:
            verifier.add_custom_header(name, value)
        states_url = relays.states_url(by_recorder=way == _Way.BY_RECORDER)
        if states_url is not None:
            verifier.set_states_url(states_url, teardown=job.states_teardown)
        verifier.set_requests(timeout=job.request_timeout, checks_certificates=job.tls.checks)


class _Way(Enum):
    """How the core reaches the provider."""

    DIRECT = auto()
    BY_MESSAGE_RELAY = auto()
    BY_REDIRECT_RELAY = auto()
    BY_RECORDER = auto()
    BY_TLS_RELAY = auto()


_RECORDED = frozenset({_Way.BY_REDIRECT_RELAY, _Way.BY_RECORDER, _Way.BY_TLS_RELAY})
"""The ways on which the request of an interaction is marked, and recorded with its answer."""


def _messages_url(job: Job) -> str | None:
    """Return the URL at which the provider takes requests for messages; None if it takes none."""
    host = urlsplit(job.base_url or "").hostname or "127.0.0.1"
    host = f"[{host}]" if ":" in host else host
    for transport in job.transports:
        if transport.protocol == MESSAGE and transport.port is not None:
            return f"http://{host}:{transport.port}/{(transport.path or '').lstrip('/')}"
    return None


def _why_not_loaded(found: dict[str, Any], source: Path) -> str:
    """Return the core's own words for why it has no entry for an interaction, without the file, which is ours."""
    texts = [str(error.get("mismatch", {}).get("message", "")) for error in found.get("errors", ())]
    why = "; ".join(text.replace(f" '{source}'", "") for text in texts if text)
    return (
        shortened(why) or "a part of it is not of the kind that it must be, a status that is no number, say"
    )


def _has_no_answer(result: InteractionResult) -> bool:
    return result.outcome == Outcome.ERROR and bool(FAILED_REQUEST.search(result.reason or ""))


def _was_not_sent(result: InteractionResult) -> bool:
    return result.outcome == Outcome.ERROR and REQUEST_NOT_SENT in (result.reason or "")


def _was_redirected(result: InteractionResult) -> bool:
    """Return whether the provider is known to have answered with a redirect, which the core then followed."""
    answer = None if result.exchange is None else result.exchange.response
    return answer is not None and answer.start.split(" ")[1:2] in [[str(status)] for status in REDIRECTS]


def _bypass_proxy(host: str | None) -> None:
    """Keep the core's requests to the provider from going through a proxy.

    The core uses `HTTP_PROXY` for loopback addresses too, and would take the proxy's refusal for the provider's answer.
    """
    for name in ("NO_PROXY", "no_proxy"):
        hosts = (os.environ.get(name), host, "127.0.0.1", "localhost", "::1")
        os.environ[name] = ",".join(filter(None, hosts))
