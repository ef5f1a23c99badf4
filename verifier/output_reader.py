"""Reads what a process prints, in a thread of its own."""

from __future__ import annotations

import array
import errno
import fcntl
import io
import os
import select
import socket
import termios
import threading
from typing import IO, TYPE_CHECKING

from broker.text.cut import LONGEST_READ
from verifier.child_process import read_lines

if TYPE_CHECKING:
    from collections.abc import Callable

END_SECONDS = 1.0
"""How long to wait for the end of an output whose process has ended: its children may keep the pipe open."""
READ_SECONDS = 60.0
"""How long the reading of what was printed may take then: on a busy machine the thread waits for its turn."""


class OutputReader:
    """Reads a pipe to its end, or until everything is read that is in it at some moment; then closes it.

    Args:
        pipe: The pipe.
        on_line: Called with each line, from the thread.
        on_end: Called from there at the end.

    Raises:
        OSError: The system has no thread or no file descriptor left for that; the pipe is closed.
    """

    def __init__(
        self, pipe: IO[bytes], on_line: Callable[[str], None], on_end: Callable[[], None] = lambda: None
    ) -> None:
        self._pipe, self._on_line, self._on_end = pipe, on_line, on_end
        self._thread = threading.Thread(target=self._read, daemon=True, name="output")
        self._told, self._teller = _pair(pipe)
        try:
            self._thread.start()
        except RuntimeError as error:
            # at anything else, Ctrl-C say, the thread may have begun: it closes them
            for each in (pipe, self._told, self._teller):
                each.close()
            raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN)) from error

    def wait(self, seconds: float) -> bool:
        """Wait for the end of the output; return whether it came in time."""
        self._thread.join(max(0.0, seconds))
        return not self._thread.is_alive()

    def finish(self, seconds: float = END_SECONDS) -> bool:
        """Read what the process printed, after its end; return whether all of it was read.

        A process that has left its group may keep the pipe open: what it prints later isn't waited for.

        Args:
            seconds: How long to wait for the end of the output.
        """
        if not self.wait(seconds):
            self._teller.close()
        return self.wait(READ_SECONDS)

    def _read(self) -> None:
        with self._pipe, self._told, self._teller:
            for line in read_lines(io.BufferedReader(_UntilTold(self._pipe, self._told)), LONGEST_READ):
                self._on_line(line)
            self._on_end()


def _pair(pipe: IO[bytes]) -> tuple[socket.socket, socket.socket]:
    """Return two sockets that are connected; where there can be none, the pipe is closed."""
    try:
        return socket.socketpair()
    except OSError:
        pipe.close()
        raise


class _UntilTold(io.RawIOBase):
    """A pipe that ends, once this is told, behind what is in it then."""

    def __init__(self, pipe: IO[bytes], told: socket.socket) -> None:
        self._pipe, self._told = pipe.fileno(), told.fileno()
        self._poll = select.poll()
        for descriptor in (self._pipe, self._told):
            self._poll.register(descriptor, select.POLLIN)
        self._left: int | None = None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        if self._left is None and self._told in dict(self._poll.poll()):
            self._left = _size_of_content(self._pipe)
        if self._left is None:
            return os.readv(self._pipe, [buffer])
        content = os.read(self._pipe, min(self._left, len(buffer)))
        self._left -= len(content)
        buffer[: len(content)] = content
        return len(content)


def _size_of_content(pipe: int) -> int:
    size = array.array("i", [0])
    fcntl.ioctl(pipe, termios.FIONREAD, size)
    return size[0]
