"""pact-python in a child process: jobs in, progress and results out.

The Rust core prints to descriptor 1, and can hang or crash; behind a process boundary neither harms the
caller. The child is started early, so that its imports run while the pact is fetched and the provider
comes up.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, fields
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Self

from verifier.environment import without_secrets
from verifier.errors import CannotVerify, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from verifier.pact import Pact

TICK_SECONDS = 0.1
"""How often the provider is looked after while the engine works."""
OUTPUT_LINES = 20


@dataclass(frozen=True)
class Job:
    """What the engine is to verify, and how.

    Attributes:
        pact: the pact.
        indexes: the places of the interactions to verify.
        base_url: the provider's address; None when it has only other transports.
        transports: other transports, each with `protocol`, `port` and perhaps `path`.
        headers: names and values to send to the provider with each request.
        states_url: where provider states are set up, if by URL.
        states_teardown: whether they are torn down too.
        states_file: the file and the name in it, if they are set up in Python.
        jobs: how many interactions are verified at once.
        request_timeout: seconds for one request to the provider.
    """

    pact: Pact
    indexes: tuple[int, ...]
    base_url: str | None
    transports: tuple[dict[str, Any], ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    states_url: str | None = None
    states_teardown: bool = False
    states_file: tuple[str, str] | None = None
    jobs: int = 1
    request_timeout: float = 5.0

    @property
    def small_trust_store(self) -> bool:
        """Whether the core can do without the system's certificate authorities.

        It can where every URL that it asks is plain HTTP, and nothing else in its process, or started by it,
        makes requests of its own: no plugins, no provider state handlers in Python.
        """
        urls = (self.base_url, self.states_url)
        return (
            not any(url is not None and url.lower().startswith("https:") for url in urls)
            and self.states_file is None
            and not self.transports
            and not self.pact.plugins
        )


class Engine:
    """One child process, good for one job after another.

    Use it as a context manager: leaving it ends the child and everything that the child started.
    """

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="pact-dispatch-"))
        self._log: IO[bytes] = (self._folder / "output.log").open("w+b")
        self._events: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        reader, writer = os.pipe()
        try:
            self._process = subprocess.Popen(
                # -P: nothing in the current directory, a provider's repository, stands in for a module;
                # -I: nor in PYTHONPATH, if that is so for this process
                [
                    sys.executable,
                    "-I" if sys.flags.isolated else "-P",
                    "-m",
                    "verifier.engine.child",
                    str(writer),
                ],
                stdin=subprocess.PIPE,
                stdout=self._log,
                stderr=self._log,
                pass_fds=(writer,),
                start_new_session=True,
                env=without_secrets(os.environ),
                text=True,
                encoding="utf-8",
            )
        finally:
            os.close(writer)
        threading.Thread(target=self._read, args=(reader,), daemon=True, name="engine-events").start()
        self.guard(None)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def pid(self) -> int:
        """The child's process id, which is also that of its process group."""
        return self._process.pid

    def wait_until_up(self) -> None:
        """Wait until the child has imported what it needs; a job needn't wait for that.

        Raises:
            CannotVerify: it ended instead.
        """
        if self._events.get() is None:
            raise self._crashed()

    def run(
        self,
        job: Job,
        *,
        deadline: float,
        on_results: Callable[[list[dict[str, Any]]], None],
        on_note: Callable[[str], None],
        watch: Callable[[], None],
    ) -> None:
        """Run a job to its end.

        Args:
            job: what to verify.
            deadline: the `time.monotonic()` by which it must be done.
            on_results: called with the results of some interactions as soon as they are there: the core's
                `interactionResults` entries, each with the `index` of its interaction.
            on_note: called with what the reader of the report should know.
            watch: called every now and then; what it raises ends the job.

        Raises:
            CannotVerify: the engine crashed, or time ran out.
            UsageError: the provider state handlers can't be loaded.
        """
        self._submit(job)
        while True:
            left = deadline - time.monotonic()
            if left <= 0:
                self.close()
                raise CannotVerify(
                    "time ran out (--timeout) before every interaction was verified",
                    kind="timed-out",
                    retryable=True,
                )
            try:
                event = self._events.get(timeout=min(left, TICK_SECONDS))
            except queue.Empty:
                watch()
                continue
            if event is None:
                raise self._crashed()
            if event["event"] == "results":
                on_results(event["results"])
            elif event["event"] == "note":
                on_note(event["note"])
            elif event["event"] == "failed":
                raise UsageError(event["message"])
            elif event["event"] == "done":
                return

    def _submit(self, job: Job) -> None:
        pact = self._folder / "pact.json"
        pact.write_text(json.dumps(job.pact.document), encoding="utf-8")
        self._write(
            {
                **{field.name: getattr(job, field.name) for field in fields(job) if field.name != "pact"},
                "folder": str(self._folder),
                "pact": str(pact),
                "small_trust_store": job.small_trust_store,
            }
        )

    def guard(self, group: int | None) -> None:
        """Have the child stop a process group if this process is killed; None when there is none any more.

        A child that is gone guards nothing; that it is gone is for `run` to say.
        """
        with contextlib.suppress(CannotVerify, ValueError):
            self._write({"guard": group, "folder": str(self._folder)})

    def _write(self, message: dict[str, Any]) -> None:
        # standard input, not the command line: headers may be secrets, and a command line is public
        assert self._process.stdin is not None  # noqa: S101 - it was opened as a pipe
        try:
            self._process.stdin.write(json.dumps(message) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise self._crashed() from None

    def _read(self, reader: int) -> None:
        # a child that is killed may leave half a line behind: it is its end all the same
        with os.fdopen(reader, encoding="utf-8") as pipe, contextlib.suppress(ValueError):
            for line in pipe:
                self._events.put(json.loads(line))
        self._events.put(None)

    def _crashed(self) -> CannotVerify:
        try:
            code = self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self.close()
            code = self._process.returncode
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
        return CannotVerify(
            f"the verification engine {how} before it was done, so nothing is known about the contract",
            kind="engine-failed",
            retryable=code < 0,
            output=self._tail(),
        )

    def _tail(self) -> str:
        self._log.seek(0)
        return "\n".join(self._log.read().decode(errors="replace").splitlines()[-OUTPUT_LINES:])

    def close(self) -> None:
        """End the child and what it started (plugins), and remove its files."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        if self._process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.close()
        self._log.close()
        shutil.rmtree(self._folder, ignore_errors=True)
