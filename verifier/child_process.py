"""Child processes: signals to their groups, what they print, and how they ended."""

from __future__ import annotations

import os
import signal
from typing import IO, TYPE_CHECKING

from broker.text.cut import CUT

if TYPE_CHECKING:
    from collections.abc import Iterator


def signal_group(group: int, number: int) -> bool:
    """Send a signal to a process group; 0 sends none.

    Returns:
        Whether there was a process to send it to.
    """
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):  # macOS answers EPERM for a group that only has a zombie
        return False
    return True


def read_lines(pipe: IO[bytes], max_bytes: int) -> Iterator[str]:
    """Return each line that a process prints, cut to a size, so that a line without an end can't fill the memory.

    A line that was cut ends with `CUT`.
    """
    begins = True
    for part in iter(lambda: pipe.readline(max_bytes), b""):
        ends = part.endswith(b"\n")
        if begins:
            line = part.decode(errors="replace")
            yield line.rstrip() if ends or len(part) < max_bytes else line + CUT
        begins = ends


def why_not_started(error: OSError) -> str:
    """Return why a process could not be started, with the file that this is about, if there is one."""
    return ": ".join(str(part) for part in (error.strerror, error.filename) if part)


def how_it_ended(code: int) -> str:
    """Return how a process ended, given its exit code (negative for a signal)."""
    if code >= 0:
        return f"ended with exit code {code}"
    try:
        return f"was killed by {signal.Signals(-code).name}"
    except ValueError:  # most real-time signals have no name
        return f"was killed by signal {-code}"
