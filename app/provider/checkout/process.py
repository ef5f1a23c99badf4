"""A command in a process group of its own, watched until its end and stopped with all that it started."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

from app.provider.checkout.failure import TIMED_OUT, CheckoutFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

LONGEST_LINE = 4096
"""Bytes of a line that are kept."""
STOP_SECONDS = 3.0
"""How long a group has to stop after SIGTERM before it is killed."""
LAST_OUTPUT_SECONDS = 1.0
"""How long what an ended command printed is waited for: something that it left running may keep the pipe open."""

GONE_SECONDS = 1.0
"""How long the end of a killed group is waited for."""


@dataclass(frozen=True)
class Supervision:
    """How long commands may run, and who else may stop them.

    Attributes:
        deadline: the `time.monotonic()` by which they must be done.
        guard: told of the process group that runs, and None afterwards.
        kept_open: a descriptor that the commands keep open as long as they live.
    """

    deadline: float
    guard: Callable[[int | None], None]
    kept_open: int | None = None

    @property
    def left(self) -> float:
        """Seconds until then."""
        return max(0.0, self.deadline - time.monotonic())

    def run(
        self,
        words: Sequence[str],
        *,
        doing: str,
        folder: Path,
        environment: Mapping[str, str],
        on_line: Callable[[str], None],
        on_error_line: Callable[[str], None] | None = None,
    ) -> int:
        """Run a command to its end, and stop what is left of its group.

        Args:
            words: the command.
            doing: what it does, for the message when time runs out.
            folder: where it runs.
            environment: all its variables.
            on_line: called with each line that it prints, from another thread.
            on_error_line: the same for its standard error, which else goes the way of its output.

        Returns:
            Its exit code; negative for a signal.

        Raises:
            CheckoutFailed: time ran out.
            OSError: it can't be started.
        """
        if self.left == 0:
            raise _too_late(doing)
        process = subprocess.Popen(
            words,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT if on_error_line is None else subprocess.PIPE,
            pass_fds=() if self.kept_open is None else (self.kept_open,),
            start_new_session=True,
        )
        try:
            self.guard(process.pid)
            readers = [_read(process.stdout, on_line)]
            if on_error_line is not None:
                readers.append(_read(process.stderr, on_error_line))
            if not _ended(process, readers, self.deadline):
                _signal_group(process, signal.SIGTERM)
                _ended(process, [], time.monotonic() + STOP_SECONDS)
                raise _too_late(doing)
            return process.returncode
        finally:
            _kill_group(process)
            self.guard(None)


def _too_late(doing: str) -> CheckoutFailed:
    return CheckoutFailed(f"time ran out while {doing}", kind=TIMED_OUT, retryable=True)


def _ended(process: subprocess.Popen[bytes], readers: list[threading.Thread], deadline: float) -> bool:
    """Wait for the end of a command and of its output; whether it came in time."""
    while process.poll() is None:
        left = deadline - time.monotonic()
        if left <= 0:
            return False
        talking = next((reader for reader in readers if reader.is_alive()), None)
        if talking is not None:  # its end is noticed at once, unlike that of the process
            talking.join(min(left, 0.1))
        else:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(min(left, 0.1))
    _signal_group(process, signal.SIGKILL)
    end = time.monotonic() + LAST_OUTPUT_SECONDS
    for reader in readers:
        reader.join(max(0.0, end - time.monotonic()))
    return True


def _signal_group(process: subprocess.Popen[bytes], number: int) -> bool:
    # macOS answers EPERM for a group of which only a zombie is left
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)
        return True
    return False


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    _signal_group(process, signal.SIGKILL)
    process.wait()
    # the rest of it ends a moment later; in a container nobody may wait for it, and it never goes
    end = time.monotonic() + GONE_SECONDS
    while _signal_group(process, 0) and time.monotonic() < end:
        time.sleep(0.01)


def _read(pipe: IO[bytes] | None, on_line: Callable[[str], None]) -> threading.Thread:
    assert pipe is not None  # noqa: S101 - it was opened as a pipe

    def read() -> None:
        # in pieces: a line without an end must not fill the memory, and what is too long of it is left out
        with pipe:
            whole = True
            for raw in iter(lambda: pipe.readline(LONGEST_LINE), b""):
                if whole:
                    on_line(raw.decode(errors="replace").rstrip())
                whole = raw.endswith(b"\n")

    thread = threading.Thread(target=read, daemon=True, name="command-output")
    thread.start()
    return thread
