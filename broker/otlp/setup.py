"""Whether this process has traces, by its environment, and their beginning and end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from broker.traces import propagation, spans
from broker.traces.context import parse_traceparent
from broker.traces.mistakes import mistake_of_endpoint, mistakes_in
from broker.traces.spans import NO_SPAN, Span
from broker.traces.variables import OTLP_OVER_HTTP, is_wanted, propagates, protocol_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from broker.otlp.exporter import Exporter
    from broker.text.redaction import Redaction
    from broker.traces.context import TraceContext
    from broker.traces.spans import AnySpan

END_SECONDS = 3.0
"""How long the end of a process waits for spans to be sent."""

_exporter: Exporter | None = None


def begin_traces(
    environment: Mapping[str, str],
    *,
    part: str,
    redaction: Redaction | None = None,
    notice: Callable[[str], None],
) -> bool:
    """Have the spans of this process sent to a collector, if the environment names one.

    Args:
        environment: The environment of this process.
        part: Which part of pact-dispatch it is.
        redaction: What hides secrets in what spans say.
        notice: Called with a sentence where traces are wanted and there are none.

    Returns:
        Whether there are traces.
    """
    global _exporter  # noqa: PLW0603 - a process has one
    if not is_wanted(environment):
        return False
    if (protocol := protocol_of(environment)) != OTLP_OVER_HTTP:
        notice(f"no traces: OTEL_EXPORTER_OTLP_PROTOCOL is {protocol!r}, and only {OTLP_OVER_HTTP} is sent")
        return False
    if (mistake := mistake_of_endpoint(environment)) is not None:
        notice(f"no traces: {mistake}")
        return False
    try:
        from broker.otlp.exporter import Exporter  # noqa: PLC0415 - an extra
    except ModuleNotFoundError as error:
        notice(f"no traces: that needs {error.name}. Install pact-dispatch with the extra 'otel'")
        return False
    try:
        _exporter = Exporter(environment, part=part, redaction=redaction, notice=notice)
    except Exception as error:  # noqa: BLE001 - traces break nothing
        notice(f"no traces: OpenTelemetry can't use its OTEL_... variables ({type(error).__name__})")
        return False
    for text in mistakes_in(environment):
        notice(text)
    propagation.set_on(on=propagates(environment))
    spans.send_to(_exporter)
    return True


def hide_in_traces(redaction: Redaction) -> None:
    """Hide other secrets from now on in what spans say: those of a configuration that was reloaded."""
    if _exporter is not None:
        _exporter.redaction = redaction


def end_traces(seconds: float = END_SECONDS) -> None:
    """Send the spans that wait, for a limited time; there are no more then."""
    global _exporter
    exporter, _exporter = _exporter, None
    spans.send_to(None)
    if exporter is not None:
        exporter.close(seconds)


def first_span(
    name: str,
    kind: str = spans.INTERNAL,
    *,
    parent: str | None = None,
    start: int | None = None,
    **attributes: Any,
) -> AnySpan:
    """Return a span that nothing of this process is above.

    Args:
        name: What is done.
        kind: The kind of span.
        parent: The `traceparent` of what asked for it; a new trace begins if there is none that can be read.
        start: When it began; now unless given.
        attributes: What is known of it, by names with `__` in the place of dots.
    """
    if _exporter is None:
        return NO_SPAN
    above = parse_traceparent(parent) if propagation.is_on() else None
    context = _exporter.begin(name, above)
    return Span(name, kind, context, above and above.span_id, spans.named(attributes), start=start)


def new_context(name: str) -> TraceContext | None:
    """Return the place of the first span of a new trace, which is made later; None if there are no traces."""
    return None if _exporter is None else _exporter.begin(name)
