"""The last place before a terminal: whatever is written passes through it, and no character of it controls anything.

Nor does it end anything where nobody takes it: what a command is for doesn't depend on who watches.
"""

from __future__ import annotations

import errno
import io
import re
import sys
from typing import Any, TextIO, cast

from broker.text.harmless import UNSEEN
from broker.text.standard_descriptors import open_closed_descriptors

_UNSAFE = re.compile(
    "\x1b\\[[0-9;]*m"  # a colour, which stays
    "|[\x00-\x08\x0b-\x1f"  # control characters but tab and line feed
    f"{UNSEEN}]"
)


class LosableStream:
    """A text stream that goes on if what it writes can't be taken: a full disk, a pipe that nobody reads any more.

    Attributes:
        loss: The first error, once something was lost.

    Args:
        stream: The stream that it writes to.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.loss: OSError | None = None

    def write(self, text: str) -> int:
        """Write a text, if that is possible."""
        try:
            self._stream.write(text)
        except OSError as error:
            self.loss = self.loss or error
        return len(text)

    def writelines(self, lines: Any) -> None:
        """Write several texts."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Pass on what is held back; Python does so at its exit too, and would end with an exit code of its own."""
        try:
            self._stream.flush()
        except OSError as error:
            self.loss = self.loss or error

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class _ClosedStream(io.TextIOBase):
    """What stands in the place of a standard stream that was closed when this process started."""

    encoding = "utf-8"

    def write(self, _: str) -> int:
        raise OSError(errno.EBADF, "the stream is closed")


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
    """Have all that this process writes to standard output and standard error pass through a `TerminalStream`.

    One that can't take what is written, or was closed from the start (`writable()` tells), takes it nevertheless, and
    `loss_of` tells.
    """
    open_closed_descriptors()
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if isinstance(stream, TerminalStream):
            continue
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
        below = LosableStream(cast("TextIO", _ClosedStream()) if stream is None else stream)
        setattr(sys, name, cast("TextIO", TerminalStream(cast("TextIO", below))))


def unguarded(stream: TextIO) -> TextIO:
    """Return the stream below, for a progress bar, which has to move the cursor."""
    return stream.raw if isinstance(stream, TerminalStream) else stream


def loss_of(stream: TextIO) -> OSError | None:
    """Return why something that was written to a stream is lost; None if nothing is.

    It is a BrokenPipeError where the reader has left.
    """
    stream.flush()
    below = unguarded(stream)
    return below.loss if isinstance(below, LosableStream) else None


def _shown(match: re.Match[str]) -> str:
    found = match[0]
    return found if len(found) > 1 else found.encode("unicode_escape", "backslashreplace").decode()
