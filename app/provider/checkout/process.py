"""Runs a command in its own process group, and stops it with all processes that it started."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from app.provider.checkout.failure import TIMED_OUT, CheckoutFailed
from verifier.child_process import signal_group
from verifier.confinement import UNCONFINED, Confinement
from verifier.output_reader import END_SECONDS, OutputReader

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

STOP_SECONDS = 3.0
"""How long a group has to stop after SIGTERM before it is killed."""
KILL_SECONDS = 1.0
"""How long to wait for the end of a killed group."""


@dataclass(frozen=True)
class Supervision:
    """How long commands may run, and what is told about them.

    Attributes:
        deadline: The `time.monotonic()` by which they must have ended.
        guard: Called with the process group that runs, and with None after it.
        starting: Held from before a group is started until `guard` has been called with it.
        kept_open: A file descriptor that the commands inherit, and keep open until they end.
        confinement: What the commands may do to others that run the provider's code, or touch its files.
    """

    deadline: float
    guard: Callable[[int | None], None]
    kept_open: int | None = None
    confinement: Confinement = UNCONFINED
    starting: AbstractContextManager[object] = field(default_factory=contextlib.nullcontext)

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
        with self.starting:
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
            except BaseException:
                _kill_group(process)
                raise
        readers: list[OutputReader] = []
        try:
            for pipe, call in ((process.stdout, on_line), (process.stderr, on_error_line)):
                if pipe and call:
                    readers.append(OutputReader(pipe, call))
            in_time = _ended(process, readers, self.deadline)
            if not in_time:
                signal_group(process.pid, signal.SIGTERM)
                _ended(process, [], time.monotonic() + STOP_SECONDS)
        finally:
            _kill_group(process)
            self.guard(None)
            end = time.monotonic() + END_SECONDS
            # of each: a process that has left the group would keep the thread and the pipe of one that isn't told
            whole = [reader.finish(end - time.monotonic()) for reader in readers]
        if not (in_time and all(whole)):
            raise _too_late(doing)
        return process.returncode


def _too_late(doing: str) -> CheckoutFailed:
    return CheckoutFailed(f"time ran out while {doing}", kind=TIMED_OUT, retryable=True)


def _ended(process: subprocess.Popen[bytes], readers: list[OutputReader], deadline: float) -> bool:
    """Wait for the end of a command; return whether it came in time."""
    while process.poll() is None:
        left = deadline - time.monotonic()
        if left <= 0:
            return False
        # the end of the output is noticed at once, unlike that of the process
        if all(reader.wait(min(left, 0.1)) for reader in readers):
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(min(left, 0.1))
    return True


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    signal_group(process.pid, signal.SIGKILL)
    process.wait()
    # the rest of the group ends a moment later; in a container its zombies may stay for ever
    end = time.monotonic() + KILL_SECONDS
    while signal_group(process.pid, 0) and time.monotonic() < end:
        time.sleep(0.01)
