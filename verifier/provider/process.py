"""The provider under test: started if it must be, waited for until it answers, stopped with all it started."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import signal
import socket
import subprocess
import threading
import time
import warnings
from collections import deque
from typing import TYPE_CHECKING, Self

from urllib3 import PoolManager, Retry, Timeout
from urllib3.exceptions import HTTPError, InsecureRequestWarning

from broker.http.reason import innermost
from verifier.environment import without_secrets
from verifier.errors import CannotVerify, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path
    from types import TracebackType

OUTPUT_LINES = 40
"""How many of the provider's last lines are kept for when something fails."""
LONGEST_LINE = 500
STOP_SECONDS = 5.0
"""How long a provider has to stop after SIGTERM before it is killed."""
ANSWER_SECONDS = 2.0
"""How long one question whether it is ready may take."""
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=")
SHELL_WORDS = frozenset({"&&", "||", "|", ";", "&", ">", ">>", "<", "2>", "2>&1"})


class StartedProvider:
    """A provider that this run started, in a process group of its own.

    Use it as a context manager: leaving it stops the whole group.

    Args:
        command: the command line, split as a shell splits words, but run without one; `{port}`, `$PORT` and
            `${PORT}` in it become a free port, which is also in the environment as `PORT`.
        folder: where it runs.
        on_output: called with each line that it prints.
        environment: variables for it, besides those of this process.

    Raises:
        UsageError: the command is no command line.
        CannotVerify: there is no such program, or it may not be run.
    """

    def __init__(
        self,
        command: str,
        folder: Path,
        *,
        on_output: Callable[[str], None] | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.port = _free_port()
        self._command = command
        self._on_output = on_output or (lambda _: None)
        self._lines: deque[str] = deque(maxlen=OUTPUT_LINES)
        variables = without_secrets(os.environ) | dict(environment or {}) | {"PORT": str(self.port)}
        try:
            self._process = subprocess.Popen(
                split_command(command, self.port),
                cwd=folder,
                env=variables,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            raise CannotVerify(
                f"the provider could not be started: {error.strerror}: {error.filename} "
                f"(--provider-command, run in {folder})",
                kind="provider-not-ready",
            ) from error
        self._reader = threading.Thread(target=self._read, daemon=True, name="provider-output")
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def group(self) -> int:
        """Its process group."""
        return self._process.pid

    @property
    def candidates(self) -> tuple[str, ...]:
        """The addresses that it may answer at: a server on `localhost` may listen on IPv6 alone."""
        return (f"http://127.0.0.1:{self.port}", f"http://[::1]:{self.port}")

    def check_alive(self) -> None:
        """Make sure that it is still running.

        Raises:
            CannotVerify: it ended, whatever its exit code.
        """
        code = self._process.poll()
        if code is None:
            return
        self._reader.join(timeout=1)
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
        stay = " (--provider-command must stay in the foreground)" if code == 0 else ""
        raise CannotVerify(
            f"the provider {how} before it was verified{stay}: {self._command}",
            kind="provider-died",
            retryable=False,
            output=self.output(),
        )

    def output(self) -> str:
        """Give the last lines that it printed."""
        return "\n".join(self._lines)

    def stop(self) -> None:
        """Stop it and everything in its process group: SIGTERM first, SIGKILL for what is left."""
        end = time.monotonic() + STOP_SECONDS
        try:
            self._signal(signal.SIGTERM)
            while self._group_lives() and time.monotonic() < end:
                time.sleep(0.01)
        finally:  # also when Ctrl-C comes in between
            self._signal(signal.SIGKILL)
            self._process.wait()
            self._reader.join(timeout=1)
            if self._process.stdout is not None and not self._reader.is_alive():
                self._process.stdout.close()

    def _group_lives(self) -> bool:
        self._process.poll()  # a leader that ended and wasn't waited for would keep the group alive
        return self._signal(0)

    def _signal(self, number: int) -> bool:
        # macOS answers EPERM for a group of which only a zombie is left
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)
            return True
        return False

    def _read(self) -> None:
        stdout = self._process.stdout
        if stdout is None:
            return
        # in pieces: a line without an end must not fill the memory, and what is too long of it is left out
        whole = True
        for raw in iter(lambda: stdout.readline(LONGEST_LINE), b""):
            if whole:
                line = raw.decode(errors="replace").rstrip()
                self._lines.append(line)
                self._on_output(line)
            whole = raw.endswith(b"\n")


def split_command(command: str, port: int) -> list[str]:
    """Split a provider command into words, with the port filled in.

    Raises:
        UsageError: it is empty, has an open quote, or needs a shell.
    """
    words = split_words(command, "--provider-command")
    for placeholder in ("{port}", "${PORT}", "$PORT"):
        words = [word.replace(placeholder, str(port)) for word in words]
    return words


def split_words(command: str, name: str) -> list[str]:
    """Split a command line that runs without a shell into words.

    Args:
        command: the command line.
        name: what the user knows it by.

    Raises:
        UsageError: it is empty, has an open quote, or needs a shell.
    """
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise UsageError(f"{name} can't be split into words: {error}: {command}") from error
    if not words:
        raise UsageError(f"{name} is empty")
    if _ASSIGNMENT.match(words[0]):
        raise UsageError(f"{name} runs without a shell: write 'env {words[0]} ...' for a variable: {command}")
    if SHELL_WORDS.intersection(words):
        raise UsageError(
            f"{name} runs without a shell, and this needs one: write it as sh -c '...', with exec before "
            f"the last command, so that it can be stopped: {command}"
        )
    return words


def wait_until_ready(
    candidates: tuple[str, ...],
    health_path: str,
    *,
    wait: float,
    deadline: float,
    check_alive: Callable[[], None],
    hint: str = "",
) -> str:
    """Wait until the provider answers, with any status under 500.

    Args:
        candidates: base URLs, one of which is the provider's.
        health_path: what to ask for.
        wait: seconds to wait at most.
        deadline: the `time.monotonic()` of the whole run's end.
        check_alive: raises when waiting is pointless.
        hint: what the message says to look at, if it doesn't answer.

    Returns:
        The base URL that answered.

    Raises:
        CannotVerify: it did not answer in time.
    """
    end = min(time.monotonic() + wait, deadline)
    pause = 0.01
    said = "no answer"
    timeout = Timeout(min(ANSWER_SECONDS, wait))
    with (
        warnings.catch_warnings(),
        PoolManager(
            # whether its certificate is trusted is for the verification to find out
            cert_reqs="CERT_NONE",
            retries=Retry(total=0, redirect=False),
            timeout=timeout,
        ) as pool,
    ):
        warnings.simplefilter("ignore", InsecureRequestWarning)
        while True:
            for base_url in candidates:
                url = base_url.rstrip("/") + "/" + health_path.lstrip("/")
                try:
                    response = pool.request("GET", url, redirect=False, preload_content=False)
                except HTTPError as error:
                    if base_url == candidates[0]:
                        said = innermost(error)
                    continue
                status = response.status
                response.close()
                if status < 500:
                    return base_url
                said = f"it answered {status}"
            check_alive()
            if time.monotonic() + pause >= end:
                url = candidates[0].rstrip("/") + "/" + health_path.lstrip("/")
                raise CannotVerify(
                    f"the provider did not become ready in {wait:g} s: {url}: {said}. {hint}".rstrip(),
                    kind="provider-not-ready",
                    retryable=True,
                )
            time.sleep(pause)
            pause = min(pause * 1.5, 0.25)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
