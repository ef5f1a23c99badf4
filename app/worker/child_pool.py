"""The worker's child processes: started ahead of time, given requests, killed with all that they started."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from collections import deque
from typing import TYPE_CHECKING

import structlog

from app.database.storable import storable_text
from app.records.run import Failure
from app.worker.protocol import LEASE_ENDED, AllVerified, LeaseUntil, NotAMessage, Ready, Verified, from_line
from broker.http.reason import why
from broker.http.waits import RetryPlan
from verifier.child_process import how_it_ended, signal_group

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping

    from app.worker.protocol import AttemptRequest, ChildMessage, LastMessage

LONGEST_MESSAGE = 64 * 1024 * 1024
"""Bytes of one message: a verification of a thousand interactions with large mismatches is one."""
MOST_REQUESTS = 200
"""A child is replaced after so many, so that nothing can pile up in it."""
START_RETRIES = RetryPlan.doubling(1, 60)
"""The waits between attempts to start children ahead of time."""

log = structlog.get_logger("worker")

OUTPUT_LINES = 20
STOP_SECONDS = 5.0
"""How long a child that is let go has to stop its provider."""


class ChildFailed(Exception):
    """A child could not be started, or ended before its request did.

    Attributes:
        failure: The reason, as a run keeps it.
    """

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


CUT_OFF = Failure(
    "cut-off",
    "its worker was cut off from the database, or stood still, so the verification was stopped before another worker "
    "took the run up",
    retryable=True,
)


class Child:
    """One child process, in a process group of its own.

    Attributes:
        lease: Until when it may carry out a request, by `app.process.lease.now`; None for as long as it likes.
    """

    def __init__(self, process: asyncio.subprocess.Process, environment: Mapping[str, str]) -> None:
        self.environment = environment
        self._process = process
        self._errors: deque[str] = deque(maxlen=OUTPUT_LINES)
        self._reader = asyncio.create_task(self._keep_errors())
        self._requests = 0
        self._is_ready = False
        self.lease: float | None = None

    @classmethod
    async def start(cls, environment: Mapping[str, str]) -> Child:
        """Start one; `carry_out` may be called at once.

        Raises:
            ChildFailed: No process can be started.
        """
        # -P: nothing in the current directory stands in for a module
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-P",
                "-m",
                "app.worker.child",
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                env=dict(environment),
                start_new_session=True,
                limit=LONGEST_MESSAGE,
            )
        except OSError as error:
            message = f"no process could be started to verify in: {why(error)}"
            raise ChildFailed(Failure("engine-failed", message, retryable=True)) from error
        return cls(process, environment)

    @property
    def worn(self) -> bool:
        """Whether it should be given no further request."""
        return self._process.returncode is not None or self._requests >= MOST_REQUESTS

    async def carry_out(
        self, request: AttemptRequest, on_message: Callable[[ChildMessage], None]
    ) -> LastMessage:
        """Have it carry out a request.

        Args:
            request: What to verify.
            on_message: Called with each message but the last.

        Returns:
            The last message.

        Raises:
            ChildFailed: It ended without one, or sent what can't be read.
        """
        self._requests += 1
        if self._is_ready:
            await self._send(request)
        while True:
            message = await self._next_message()
            if isinstance(message, Verified | AllVerified | Failure):
                return message
            if isinstance(
                message, Ready
            ):  # before that it, and what is in its pipe, could be read by a provider
                self._is_ready = True
                await self._send(request)
            on_message(message)

    def extend(self, lease: float) -> None:
        """Let it go on with its request until then; at a time that has passed, it stops."""
        self.lease = lease
        stdin = self._process.stdin
        if self._is_ready and stdin is not None and not stdin.is_closing():
            stdin.write(LeaseUntil(lease).to_line().encode())

    async def close(self) -> None:
        """End it, or kill it if it doesn't end; what it started is gone with it."""
        if self._process.stdin is not None:
            self._process.stdin.close()  # its sign to leave
        try:
            await asyncio.wait_for(self._process.wait(), STOP_SECONDS)
        except TimeoutError:
            pass
        finally:
            signal_group(self._process.pid, signal.SIGKILL)
            await self._process.wait()
            self._reader.cancel()

    async def _send(self, request: AttemptRequest) -> None:
        stdin = self._process.stdin
        assert stdin is not None  # noqa: S101 - it was opened as a pipe
        try:
            if self.lease is not None:
                stdin.write(LeaseUntil(self.lease).to_line().encode())
            stdin.write(request.to_line().encode())
            await stdin.drain()
        except (BrokenPipeError, ConnectionResetError):
            raise await self._ended() from None

    async def _next_message(self) -> ChildMessage:
        stdout = self._process.stdout
        assert stdout is not None  # noqa: S101 - it was opened as a pipe
        try:
            line = await stdout.readline()
        except ValueError:
            text = f"the verification takes more than {LONGEST_MESSAGE} bytes"
            raise ChildFailed(Failure("result-too-large", text)) from None
        if not line.endswith(b"\n"):
            raise await self._ended()
        try:
            return from_line(line)
        except NotAMessage as error:
            text = f"the process that verified sent what can't be read: {error}"
            raise ChildFailed(Failure("engine-failed", text, retryable=True)) from error

    async def _ended(self) -> ChildFailed:
        code = await self._process.wait()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._reader, 1)
        if code == LEASE_ENDED:
            return ChildFailed(CUT_OFF)
        return ChildFailed(
            Failure(
                "engine-failed",
                f"the process that verified {how_it_ended(code)} before it was done, so nothing is known about "
                "the contract",
                retryable=True,
                output=storable_text("\n".join(self._errors)),
            )
        )

    async def _keep_errors(self) -> None:
        stderr = self._process.stderr
        assert stderr is not None  # noqa: S101 - it was opened as a pipe
        while piece := await stderr.read(65536):
            self._errors.extend(piece.decode(errors="replace").splitlines()[-OUTPUT_LINES:])


class Children:
    """Children for all runs, some of them started ahead of time.

    Args:
        environment: Of every child.
        warm: How many are started ahead of time.
        keep: How many are kept after their requests.
    """

    def __init__(self, environment: Mapping[str, str], warm: int, *, keep: int) -> None:
        self._environment = environment
        self._warm = warm
        self._keep = keep
        self._idle: list[Child] = []
        self._busy: set[Child] = set()
        self._lease: float | None = None
        self._closing = asyncio.Event()
        self._filling = False
        self._background: set[asyncio.Task[None]] = set()

    def renew(self, environment: Mapping[str, str]) -> None:
        """Give the children that are started from now on another environment; none of the others is asked again."""
        if environment == self._environment:
            return
        self._environment = environment
        idle, self._idle = self._idle, []
        for child in idle:
            self._in_background(child.close())
        self.fill()

    def fill(self) -> None:
        """Start children in the background until enough are ready; one that can't be started is tried again."""
        if not self._filling:
            self._filling = True
            self._in_background(self._fill())

    def extend(self, lease: float) -> None:
        """Let the children go on with their requests until then; see `Child.extend`."""
        self._lease = lease
        for child in self._busy:
            child.extend(lease)

    async def take(self) -> Child:
        """Return one that is ready, or start one.

        Raises:
            ChildFailed: None can be started.
        """
        child = await self._ready()
        child.lease = self._lease
        self._busy.add(child)
        return child

    async def _ready(self) -> Child:
        while self._idle:
            child = self._idle.pop()
            if not child.worn:
                return child
            self._in_background(child.close())
        return await Child.start(self._environment)

    async def put_back(self, child: Child, *, usable: bool) -> None:
        """Take one back after its request; if it can't be used again, it and its provider have stopped after this."""
        self._busy.discard(child)
        if usable and not child.worn and not self._closing.is_set() and len(self._idle) < self._keep:
            self._idle.append(child)
        else:
            closing = self._in_background(child.close())
            self.fill()
            if not usable:
                await asyncio.wait([closing])

    async def close(self) -> None:
        """End all of them."""
        self._closing.set()
        await asyncio.gather(*self._background, return_exceptions=True)
        idle, self._idle = self._idle, []
        await asyncio.gather(*(child.close() for child in idle), return_exceptions=True)

    async def _fill(self) -> None:
        failures = 0
        try:
            while len(self._idle) < self._warm and not self._closing.is_set():
                try:
                    child = await Child.start(self._environment)
                    failures = 0
                    if child.environment is self._environment:
                        self._idle.append(child)
                    else:
                        self._in_background(child.close())
                except ChildFailed as error:
                    failures += 1
                    wait = START_RETRIES.wait_after(failures)
                    log.warning("child not started", error=str(error), retry_in=wait)
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(self._closing.wait(), wait)
        finally:
            self._filling = False

    def _in_background(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = asyncio.ensure_future(work)
        self._background.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._background.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("unexpected error", error=f"{type(error).__name__}: {error}")
