"""Lines of a log: a record is one line, and a traceback is indented, so that no text from elsewhere looks like one."""

from __future__ import annotations

import logging
import traceback
from typing import TYPE_CHECKING

from broker.text.harmless import lines_of, one_line

if TYPE_CHECKING:
    from types import TracebackType
    from typing import TypeAlias

    Raised: TypeAlias = tuple[type[BaseException], BaseException, TracebackType | None]
    ExceptionInfo: TypeAlias = Raised | tuple[None, None, None]

INDENT = "    "


def indented(text: str) -> str:
    """Return several lines, such as a traceback, so that none of them can be taken for a line of a log."""
    return "\n".join(INDENT + line for line in lines_of(text))


class OneLineFormatter(logging.Formatter):
    """Formats a record as one line, and its traceback as indented ones."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's
        """Return the line."""
        first, *rest = record.message.split("\n")
        record.message = "\n".join([one_line(first), *(INDENT + one_line(line) for line in rest)])
        return super().formatMessage(record)

    def formatException(self, ei: ExceptionInfo) -> str:  # noqa: N802 - logging's
        """Return the traceback."""
        return indented("".join(traceback.format_exception(*ei)))


def format_safely(*loggers: logging.Logger) -> None:
    """Have the handlers of loggers format records as `OneLineFormatter` does, in their own format."""
    for logger in loggers:
        for handler in logger.handlers:
            own = handler.formatter
            style = own._style._fmt if own is not None else None  # noqa: SLF001 - logging has no other way
            handler.setFormatter(OneLineFormatter(style, own.datefmt if own is not None else None))
