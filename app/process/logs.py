"""Structured logs on standard error: for people on a terminal, in JSON elsewhere."""

from __future__ import annotations

import logging
import sys
import traceback
from typing import Any, TextIO

import structlog
from structlog.tracebacks import ExceptionDictTransformer

from broker.text.harmless import json_text, one_line
from broker.text.log_lines import indented
from broker.traces.spans import current

OWN_LOGGERS = ("notifications", "relay", "reload", "serve", "statuses", "web", "worker")
"""The names of the receiver's own loggers."""


def configure(level: str = "info") -> None:
    """Set up the logs of this process, those of the libraries among them.

    Args:
        level: The level, in lower case. With `debug`, libraries say no more than what the queue does: what others have
            at that level may hold secrets.
    """
    number = logging.getLevelNamesMapping()[level.upper()]
    for_people = sys.stderr.isatty()
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        _with_trace,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
    )
    # without the local variables of each frame, which structlog and rich show: there may be secrets among them
    renderer: list[structlog.typing.Processor] = (
        [_on_one_line, structlog.dev.ConsoleRenderer(exception_formatter=_write_traceback)]
        if for_people
        else [
            structlog.processors.ExceptionRenderer(ExceptionDictTransformer(show_locals=False)),
            structlog.processors.JSONRenderer(_json_line),
        ]
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderer],
        )
    )
    handler.setLevel(number)  # a library may have set its logger to a lower one
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(max(number, logging.INFO))
    for name in OWN_LOGGERS:
        logging.getLogger(name).setLevel(number)
    # its lines about each job repeat those of the worker
    logging.getLogger("procrastinate").setLevel(logging.INFO if number <= logging.DEBUG else logging.WARNING)
    logging.getLogger("psycopg.pool").setLevel(logging.ERROR)
    # it warns of each malformed header of an answer, with a traceback and the whole URL
    logging.getLogger("urllib3").setLevel(logging.ERROR)


def _with_trace(_: Any, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Return an event with the ids of the trace and the span that it happened in, if there is one."""
    if (context := current()) is not None:
        event["trace_id"], event["span_id"] = context.trace_id, context.span_id
    return event


def _json_line(event: Any, **options: Any) -> str:
    """Return an event as JSON that can be read as it is: what isn't ASCII stands there, but for control characters."""
    return json_text(event, sys.stderr, **options)


def _on_one_line(_: Any, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Return an event whose texts, wherever they come from, neither control a terminal nor begin another line."""
    return {one_line(name): value if name == "exc_info" else _inert(value) for name, value in event.items()}


def _inert(value: Any) -> Any:
    if isinstance(value, str):
        return one_line(value)
    return value if isinstance(value, int | float | bool | None) else one_line(repr(value))


def _write_traceback(stream: TextIO, exception: structlog.typing.ExcInfo) -> None:
    stream.write("\n" + indented("".join(traceback.format_exception(*exception))))
