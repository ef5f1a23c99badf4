"""The receiver's log, shown on a terminal that checks it."""

from __future__ import annotations

import io
import logging
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING
from unittest.mock import patch

import structlog

from app.process.logs import configure
from fuzz.outcomes import TRACEBACK
from fuzz.target import Violation

if TYPE_CHECKING:
    from collections.abc import Iterator

COLOURS = re.compile(r"\x1b\[[0-9;]*m")
CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]")


class Terminal(io.StringIO):
    """A terminal, on which the log is shown."""

    def isatty(self) -> bool:
        """Return that it is one."""
        return True

    def check(self) -> None:
        """Raise if what was logged since the last time is a traceback, or more than text and colours.

        Raises:
            Violation: It is.
        """
        text = self.getvalue()
        self.seek(0)
        self.truncate()
        if TRACEBACK in text:
            raise Violation("a traceback in the log", text)
        if found := CONTROL.search(COLOURS.sub("", text)):
            raise Violation("a control character in the log", f"{found[0]!r} in {text!r}")


@contextmanager
def shown_log() -> Iterator[Terminal]:
    """Show the log on a terminal, as `serve` does."""
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    with patch("sys.stderr", Terminal()) as terminal:
        configure()
    try:
        yield terminal
    finally:
        root.handlers = handlers
        root.setLevel(level)
        structlog.reset_defaults()
