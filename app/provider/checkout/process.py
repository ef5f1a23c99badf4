"""Runs a command in its own process group, and stops it with all processes that it started."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import threading
import time
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

from app.provider.checkout.failure import TIMED_OUT, CheckoutFailed
from broker.text.cut import LONGEST_READ
from verifier.child_process import read_lines, signal_group
from verifier.confinement import UNCONFINED, Confinement

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

"""Bytes of a line that are read; the rest of it is left out."""
STOP_SECONDS = 3.0
"""How long a group has to stop after SIGTERM before it is killed."""
OUTPUT_SECONDS = 1.0
"""How long to wait for the end of the output after the command ended: its children may keep the pipe open."""
KILL_SECONDS = 1.0
"""How long to wait for the end of a killed group."""


@dataclass(frozen=True)
class Supervision:
    """How long commands may run, and what is told about them.

    Attributes:
        deadline: The `time.monotonic()` by which they must have ended.
        guard: Called with the process group that runs, and with None after it.
        kept_open: A file descriptor that the commands inherit, and keep open until they end.
        confinement: What the commands may do to others that run the provider's code, or touch its files.
    """

    deadline: float
    guard: Callable[[int | None], None]
    kept_open: int | None = None
    confinement: Confinement = UNCONFINED

    @property
    def left(self) -> float:
        """Seconds until the deadline."""
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
        confined: bool = False,
    ) -> int:
        """Run a command to its end, and stop the rest of its process group.

        Args:
            words: The command.
            doing: What it does, for the message when time runs out.
            folder: The folder it runs in.
            environment: All its variables.
            on_line: Called with each line that it prints, from another thread.
            on_error_line: The same for its standard error, which is otherwise part of the output.
            confined: Whether it runs the provider's code, or touches files that this may have changed.

        Returns:
            The exit code; negative for a signal.

        Raises:
            CheckoutFailed: Time ran out.
            OSError: The command can't be started.
        """
        if self.left == 0:
            raise _too_late(doing)
        process = (self.confinement if confined else UNCONFINED).start(
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
            outputs = ((process.stdout, on_line), (process.stderr, on_error_line))
            readers = [_read(pipe, call) for pipe, call in outputs if pipe is not None and call is not None]
            if not _ended(process, readers, self.deadline):
                signal_group(process.pid, signal.SIGTERM)
                _ended(process, [], time.monotonic() + STOP_SECONDS)
                raise _too_late(doing)
            return process.returncode
        finally:
            _kill_group(process)
            self.guard(None)


def _too_late(doing: str) -> CheckoutFailed:
    return CheckoutFailed(f"time ran out while {doing}", kind=TIMED_OUT, retryable=True)


def _ended(process: subprocess.Popen[bytes], readers: list[threading.Thread], deadline: float) -> bool:
    """Wait for the end of a command and of its output; return whether it ended in time."""
    while process.poll() is None:
        left = deadline - time.monotonic()
        if left <= 0:
            return False
        open_reader = next((reader for reader in readers if reader.is_alive()), None)
        if open_reader is not None:  # the end of the output is noticed at once, unlike that of the process
            open_reader.join(min(left, 0.1))
        else:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(min(left, 0.1))
    signal_group(process.pid, signal.SIGKILL)
    end = time.monotonic() + OUTPUT_SECONDS
    for reader in readers:
        reader.join(max(0.0, end - time.monotonic()))
    return True


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    signal_group(process.pid, signal.SIGKILL)
    process.wait()
    # the rest of the group ends a moment later; in a container its zombies may stay for ever
    end = time.monotonic() + KILL_SECONDS
    while signal_group(process.pid, 0) and time.monotonic() < end:
        time.sleep(0.01)


def _read(pipe: IO[bytes], on_line: Callable[[str], None]) -> threading.Thread:
    def read() -> None:
        with pipe:
            for line in read_lines(pipe, LONGEST_READ):
                on_line(line)

    thread = threading.Thread(target=read, daemon=True, name="command-output")
    thread.start()
    return thread
