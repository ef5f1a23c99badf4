"""Spans sent to a collector, by OpenTelemetry's own SDK: the one module that uses its libraries.

They are an extra of their own (`otel`), so this is imported where traces are wanted alone, and where a web server has
forked and replaced the standard library's locks and threads. The SDK reads its configuration from the environment.
"""

from __future__ import annotations

import logging
import os
import re
import threading
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from opentelemetry import trace as otel
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import Decision
from opentelemetry.trace.status import Status, StatusCode

from broker.http.collector_session import CollectorSession
from broker.http.reason import why
from broker.http.shown_url import shown_url
from broker.text.cut import beginning
from broker.text.redaction import Redaction
from broker.traces.context import TraceContext, new_span_id, new_trace_id, parse_traceparent
from broker.traces.variables import (
    ENDPOINT,
    HEADERS,
    RESOURCE_ATTRIBUTES,
    SERVICE_NAME,
    TRACES_ENDPOINT,
    TRACES_HEADERS,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from opentelemetry.sdk.trace import ReadableSpan

    from broker.traces.spans import FinishedSpan

SERVICE = "pact-dispatch"
"""The name of the service, unless the environment gives another one."""
LONGEST_NAME = 200
LONGEST_VALUE = 1000
"""The most characters of a span's name, and of an attribute."""
MOST_ATTRIBUTES, MOST_LINKS = 40, 20
_CAUSE = re.compile(r"\(Caused by (.+)\)\)")
_NUMBER = re.compile(r"\[Errno (\d+)\]")
_KINDS = {
    "internal": otel.SpanKind.INTERNAL,
    "server": otel.SpanKind.SERVER,
    "client": otel.SpanKind.CLIENT,
    "consumer": otel.SpanKind.CONSUMER,
}


class Exporter:
    """Sends spans to the collector that the environment names, in a thread, a batch at a time.

    What the collector doesn't take in time is dropped: a queue that is full, an end that takes too long.

    Args:
        environment: The environment of this process.
        part: Which part of pact-dispatch this process is: `web`, `worker`, `verify`.
        redaction: What hides secrets in what spans say.
        notice: Called with a sentence when the collector stops or begins to take what it is sent.

    Raises:
        ValueError: The environment gives the SDK something that it can't use.
    """

    def __init__(
        self,
        environment: Mapping[str, str],
        *,
        part: str,
        redaction: Redaction | None = None,
        notice: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.redaction = redaction or Redaction([])
        endpoint = environment.get(TRACES_ENDPOINT) or environment.get(ENDPOINT) or ""
        said = _SaidByLibrary.listen()
        self._ids = _GivenIds()
        self._provider = TracerProvider(
            resource=_resource(environment, part), id_generator=self._ids, shutdown_on_exit=False
        )
        self._watched = _Watched(
            OTLPSpanExporter(session=CollectorSession()),
            shown_url(endpoint),
            _secrets(environment),
            said,
            notice,
        )
        self._provider.add_span_processor(BatchSpanProcessor(self._watched))
        self._tracer = self._provider.get_tracer(SERVICE, version("pact-dispatch"))

    def begin(self, name: str, parent: TraceContext | None = None) -> TraceContext:
        """Return the place of a span that nothing of this process is above; whether it is kept is decided here.

        Args:
            name: The span's name.
            parent: The span that it is below; None for a new trace.
        """
        trace_id = new_trace_id() if parent is None else parent.trace_id
        decision = self._provider.sampler.should_sample(
            _context(parent, is_remote=True), int(trace_id, 16), name
        ).decision
        return TraceContext(trace_id, new_span_id(), decision is Decision.RECORD_AND_SAMPLE)

    def add(self, spans: Sequence[FinishedSpan]) -> None:
        """Send spans that have ended, as far as the queue has room."""
        for span in spans:
            try:
                self._add(span)
            except Exception:
                logging.getLogger(__name__).debug("a span can't be sent", exc_info=True)

    def close(self, seconds: float) -> None:
        """Send what waits, for a limited time, and tell if that was too short."""
        closing = threading.Thread(target=self._provider.shutdown, daemon=True, name="traces-end")
        closing.start()
        closing.join(seconds)
        if closing.is_alive():
            self._watched.give_up(seconds)
            self._watched.shutdown()  # it would go on trying

    def _add(self, span: FinishedSpan) -> None:
        parent = None if span.parent_id is None else TraceContext(span.trace_id, span.parent_id)
        attributes = {
            name: self._shown(value) if isinstance(value, str) else value
            for name, value in list(span.attributes.items())[:MOST_ATTRIBUTES]
        }
        links = [parse_traceparent(link) for link in span.links[:MOST_LINKS]]
        self._ids.give(span)
        made = self._tracer.start_span(
            beginning(self.redaction.own(span.name), LONGEST_NAME),
            context=_context(parent),
            kind=_KINDS.get(span.kind, otel.SpanKind.INTERNAL),
            attributes=attributes,
            links=[otel.Link(_span_context(link)) for link in links if link is not None],
            start_time=span.start,
        )
        if span.error is not None:
            # what others have answered may be in it
            made.set_status(Status(StatusCode.ERROR, self.redaction.cut(span.error, LONGEST_VALUE)))
        made.end(max(span.start, span.end))

    def _shown(self, text: str) -> str:
        return beginning(self.redaction.own(text[: 2 * LONGEST_VALUE]), LONGEST_VALUE)


class _GivenIds(IdGenerator):
    """Gives a span the ids that it has: it was made elsewhere, and others are below it."""

    def __init__(self) -> None:
        self._given = threading.local()

    def give(self, span: FinishedSpan) -> None:
        self._given.trace_id, self._given.span_id = int(span.trace_id, 16), int(span.span_id, 16)

    def generate_trace_id(self) -> int:
        trace_id: int = self._given.trace_id
        return trace_id

    def generate_span_id(self) -> int:
        span_id: int = self._given.span_id
        return span_id


class _Watched(SpanExporter):
    """Sends spans, and tells once that they are not taken, and once that they are again.

    Args:
        exporter: What sends them.
        endpoint: Where to, as it may be shown.
        secrets: The credentials for that.
        said: What the library says.
        notice: Called with a sentence.
    """

    def __init__(
        self,
        exporter: SpanExporter,
        endpoint: str,
        secrets: Redaction,
        said: _SaidByLibrary,
        notice: Callable[[str], None],
    ) -> None:
        self._exporter = exporter
        self._endpoint = endpoint
        self._secrets = secrets
        self._said = said
        self._notice = notice
        self._is_away = False
        self._noting = threading.Lock()

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self._said.first = ""
        try:
            result = self._exporter.export(spans)
        except Exception as error:  # noqa: BLE001 - a collector may answer anything
            result, self._said.first = SpanExportResult.FAILURE, f"{type(error).__name__}: {error}"
        self._note(is_away=result is not SpanExportResult.SUCCESS, said=self._said.first)
        return result

    def give_up(self, seconds: float) -> None:
        """Tell that the process ends before what waits is sent."""
        self._note(is_away=True, said=self._said.first or f"it has not taken them in {seconds:g} s")

    def _note(self, *, is_away: bool, said: str) -> None:
        with self._noting:
            if is_away == self._is_away:
                return
            self._is_away = is_away
        reason = beginning(self._secrets.text(_cause(said)), LONGEST_VALUE)
        self._notice(
            f"traces can't be sent to {self._endpoint}, and are dropped: {reason}"
            if is_away
            else f"traces are sent to {self._endpoint} again"
        )

    def shutdown(self) -> None:
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        return self._exporter.force_flush(timeout_millis)


class _SaidByLibrary(logging.Handler):
    """Keeps the first thing that OpenTelemetry's libraries log of a failure, and nobody else gets any.

    They log each failure every few seconds, with the whole URL, and headers that they can't read as they are.
    """

    first = ""

    @classmethod
    def listen(cls) -> _SaidByLibrary:
        said = cls(logging.WARNING)
        logger = logging.getLogger("opentelemetry")
        logger.handlers, logger.propagate = [said], False
        return said

    def emit(self, record: logging.LogRecord) -> None:
        self.first = self.first or record.getMessage()


def _cause(said: str) -> str:
    """Return why it failed, without what the library says around it: the URL with its query."""
    if (of_system := _NUMBER.search(said)) is not None:
        return why(OSError(int(of_system[1]), ""))
    found = _CAUSE.search(said)
    return (found[1] if found else said) or "no reason was given"


def _resource(environment: Mapping[str, str], part: str) -> Resource:
    named: dict[str, Any] = {
        "service.version": version("pact-dispatch"),
        "process.pid": os.getpid(),
        "pact_dispatch.part": part,
    }
    in_attributes = "service.name=" in environment.get(RESOURCE_ATTRIBUTES, "").replace(" ", "")
    if not environment.get(SERVICE_NAME) and not in_attributes:
        named["service.name"] = SERVICE
    return Resource.create(named)


def _secrets(environment: Mapping[str, str]) -> Redaction:
    """Return what hides the credentials for the collector: the values of headers, as they are and decoded."""
    from urllib.parse import unquote  # noqa: PLC0415 - for this alone

    found: list[str] = []
    for name in (HEADERS, TRACES_HEADERS):
        whole = environment.get(name, "")
        values = [part.partition("=")[2].strip() for part in whole.split(",")]
        found += [whole, *values, *map(unquote, values)]
    from broker.text.secret_forms import in_url  # noqa: PLC0415 - likewise

    for name in (ENDPOINT, TRACES_ENDPOINT):
        found += in_url(environment.get(name, ""))
    return Redaction(found)


def _context(parent: TraceContext | None, *, is_remote: bool = False) -> Context:
    if parent is None:
        return Context()
    span = otel.NonRecordingSpan(_span_context(parent, is_remote=is_remote))
    return otel.set_span_in_context(span, Context())


def _span_context(context: TraceContext, *, is_remote: bool = False) -> otel.SpanContext:
    return otel.SpanContext(
        int(context.trace_id, 16),
        int(context.span_id, 16),
        is_remote=is_remote,
        trace_flags=otel.TraceFlags(int(context.is_sampled)),
    )
