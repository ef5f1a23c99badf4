"""The last place before a terminal: whatever is written passes through it, and no character of it controls anything."""

from __future__ import annotations

import re
import sys
from typing import Any, TextIO, cast

_UNSAFE = re.compile(
    "\x1b\\[[0-9;]*m"  # a colour, which stays
    "|[\x00-\x08\x0b-\x1f\x7f-\x9f]"  # control characters but tab and line feed
    "|[\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]"  # line ends, directions, invisible ones
    "|[\ud800-\udfff]"
)


class TerminalStream:
    """A text stream on which nothing but text, line ends and colours is written.

    It is the last line of defence: what comes from elsewhere has been made one line before (`one_line`), where that is
    known. But a message of a library, or a traceback, passes here alone.

    Args:
        stream: The stream that it writes to.
    """

    def __init__(self, stream: TextIO) -> None:
        self.raw = stream

    def write(self, text: str) -> int:
        """Write a text; what could control a terminal is written as Python writes it in source code."""
        self.raw.write(_UNSAFE.sub(_shown, text))
        return len(text)

    def writelines(self, lines: Any) -> None:
        """Write several texts."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.raw, name)


def guard_terminal() -> None:
    """Have all that this process writes to standard output and standard error pass through a `TerminalStream`."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None or isinstance(stream, TerminalStream):
            continue
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
        setattr(sys, name, cast("TextIO", TerminalStream(stream)))


def unguarded(stream: TextIO) -> TextIO:
    """Return the stream below, for a progress bar, which has to move the cursor."""
    return stream.raw if isinstance(stream, TerminalStream) else stream


def _shown(match: re.Match[str]) -> str:
    found = match[0]
    return found if len(found) > 1 else found.encode("unicode_escape", "backslashreplace").decode()
