"""How much of what the engine's core does is written down."""

from __future__ import annotations

from enum import StrEnum


class LogLevel(StrEnum):
    """A level of the core's log, from the fewest lines to the most."""

    ERROR = "error"
    WARN = "warn"
    INFO = "info"
    DEBUG = "debug"
    TRACE = "trace"
