"""The provider under test, if it is started: its process group, its output, its port."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections import deque
from typing import TYPE_CHECKING, Self

from broker.text.redacted_lines import RedactedLines
from broker.text.redaction import Redaction
from verifier.child_process import how_it_ended, signal_group, why_not_started
from verifier.confinement import UNCONFINED, Confinement
from verifier.environment import without_secrets
from verifier.errors import CannotVerify, ErrorKind, PortTaken
from verifier.interruption import held, is_interrupted
from verifier.output_reader import OutputReader
from verifier.provider.command_line import split_command
from verifier.provider.port import free_port, is_listened_on, listeners
from verifier.provider.port_owner import is_other_process

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

OUTPUT_LINES = 40
"""How many of the provider's last lines are kept, for error messages."""
LONGEST_LINE = 500
"""The most characters of a line that are shown, once it has no secrets any more."""
STOP_SECONDS = 5.0
"""How long a provider has to stop after SIGTERM before it is killed."""
RELEASE_SECONDS = 1.0
"""How long the port of a provider that was killed may still be in use."""


class StartedProvider:
    """A provider that this run started, in a process group of its own.

    Use it as a context manager: leaving it stops the whole group.

    Args:
        command: The command line, split as a shell splits words, but run without one; `{port}`, `$PORT` and
            `${PORT}` in it become a free port, which is also in the environment as `PORT`.
        folder: The directory that it runs in.
        on_output: Called with each line that it prints.
        environment: Variables for it, besides those of this process.
        redaction: What takes the secrets out of what it prints.
        confinement: What it may do to others.

    Raises:
        UsageError: The command can't be split into words, or needs a shell.
        CannotVerify: There is no such program, it may not be run, or the system has no room for it.
    """

    def __init__(
        self,
        command: str,
        folder: Path,
        *,
        on_output: Callable[[str], None] | None = None,
        environment: Mapping[str, str] | None = None,
        redaction: Redaction | None = None,
        confinement: Confinement = UNCONFINED,
    ) -> None:
        self.port = free_port()
        self._command = command
        self._redaction = redaction or Redaction(())
        self._on_output = on_output or (lambda _: None)
        self._lines: deque[str] = deque(maxlen=OUTPUT_LINES)
        self._stopped = False
        account = confinement.account
        self._uid = os.geteuid() if account is None else account.uid
        variables = confinement.environment(without_secrets(os.environ))
        variables |= dict(environment or {}) | {"PORT": str(self.port)}
        shown = RedactedLines(self._redaction, self._show, LONGEST_LINE)
        try:
            self._process = confinement.start(
                split_command(command, self.port),
                cwd=folder,
                env=variables,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            self._reader = self._reading(shown)
        except OSError as error:
            raise CannotVerify(
                f"the provider could not be started: {why_not_started(error)} "
                f"(--provider-command, run in {folder}{f' as {account.name}' if account else ''})",
                kind=ErrorKind.PROVIDER_NOT_READY,
            ) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def group(self) -> int:
        """Its process group."""
        return self._process.pid

    @property
    def candidates(self) -> tuple[str, ...]:
        """The base URLs that it may answer at: a server on `localhost` may listen on IPv6 alone."""
        return (f"http://127.0.0.1:{self.port}", f"http://[::1]:{self.port}")

    def check_alive(self) -> None:
        """Make sure that it is still running.

        Raises:
            PortTaken: It failed, and another process listens on its port.
            CannotVerify: It ended, with any exit code.
        """
        code = self._process.poll()
        if code is None:
            return
        self._reader.finish()
        message = f"the provider {how_it_ended(code)} before it was verified"
        if code > 0:
            self.stop()
            if not self._released():
                raise PortTaken(
                    f"{message}, and another process listens on its port {self.port}: {self._command}",
                    output=self.output(),
                )
        stay = " (--provider-command must stay in the foreground)" if code == 0 else ""
        raise CannotVerify(
            f"{message}{stay}: {self._command}", kind=ErrorKind.PROVIDER_DIED, output=self.output()
        )

    def check_listener(self) -> None:
        """Make sure that it is the provider that listens on its port, while it runs, as far as that can be told.

        Raises:
            PortTaken: Only processes that are not part of the provider do.
        """
        if is_other_process(self.port, self.group):
            raise PortTaken(
                f"another process listens on port {self.port}, which the provider was told to use: {self._command}",
                output=self.output(),
            )

    def check_port(self) -> list[str]:
        """Make sure, once it was stopped, that it was the provider that answered on its port.

        Returns:
            A note, if that can't be told: what listens there may be a container that the command started.

        Raises:
            PortTaken: A process of this user that isn't part of the provider still listens there.
        """
        if self._released():
            return []
        users = listeners(self.port)
        if users is None or self._uid not in users:
            note = (
                f"something still listens on port {self.port} after the provider was stopped: if it is a container "
                "that --provider-command started, it should end with that command"
            )
            return [note]
        raise PortTaken(
            f"another process still listens on port {self.port} after the provider was stopped, so it is not known "
            f"which of them was verified: {self._command}",
            output=self.output(),
        )

    def output(self) -> str:
        """Return the last lines that it printed."""
        return "\n".join(self._lines)

    def stop(self) -> None:
        """Stop it and everything in its process group: SIGTERM first, then SIGKILL, which Ctrl-C hurries."""
        if self._stopped:
            return
        end = time.monotonic() + STOP_SECONDS
        with held():
            was_interrupted = is_interrupted()
            try:
                signal_group(self.group, signal.SIGTERM)
                while self._group_lives() and time.monotonic() < end and was_interrupted == is_interrupted():
                    time.sleep(0.01)
            finally:  # also when Ctrl-C comes in between and nothing holds it
                signal_group(self.group, signal.SIGKILL)
                self._process.wait()
                self._stopped = True
                self._reader.finish()

    def _reading(self, shown: RedactedLines) -> OutputReader:
        """Begin to read its output; where that can't be done, it doesn't run.

        Raises:
            OSError: It can't.
        """
        assert self._process.stdout is not None  # noqa: S101 - it was opened as a pipe
        try:
            return OutputReader(self._process.stdout, shown.add, shown.close)
        except BaseException:
            signal_group(self.group, signal.SIGKILL)
            self._process.wait()
            raise

    def _released(self) -> bool:
        """Return whether nobody listens on its port any more, which may take a moment after it was killed."""
        end = time.monotonic() + RELEASE_SECONDS
        while is_listened_on(self.port):
            if time.monotonic() > end:
                return False
            time.sleep(0.02)
        return True

    def _group_lives(self) -> bool:
        self._process.poll()  # a leader that ended and wasn't waited for would keep the group alive
        return signal_group(self.group, 0)

    def _show(self, line: str) -> None:
        self._lines.append(line)
        self._on_output(line)
