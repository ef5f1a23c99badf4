"""The worker's children: started ahead of time, given orders, killed with all that they started."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections import deque
from typing import TYPE_CHECKING, Any

from app.database.storable import storable, storable_text
from app.records.runs import Failure
from app.worker.protocol import ENDS, READY

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from app.worker.protocol import Order

LONGEST_EVENT = 64 * 1024 * 1024
"""Bytes of one event: a verification of a thousand interactions with large mismatches is one."""
MOST_ORDERS = 200
"""A child is replaced after so many, so that nothing can pile up in it."""
OUTPUT_LINES = 20
STOP_SECONDS = 5.0
"""How long a child that is let go has to stop its provider."""


class ChildFailed(Exception):
    """A child ended before its order did.

    Attributes:
        failure: as a run keeps it.
    """

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


class Child:
    """One child process, in a process group of its own."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._errors: deque[str] = deque(maxlen=OUTPUT_LINES)
        self._reader = asyncio.create_task(self._keep_errors())
        self._orders = 0

    @classmethod
    async def start(cls, environment: Mapping[str, str]) -> Child:
        """Start one; it may take its order at once, and begins with it when it is ready."""
        # -P: nothing in the current directory stands in for a module
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
            limit=LONGEST_EVENT,
        )
        return cls(process)

    @property
    def worn(self) -> bool:
        """Whether it should take no further order."""
        return self._process.returncode is not None or self._orders >= MOST_ORDERS

    async def carry_out(self, order: Order, on_event: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
        """Have it carry out an order.

        Args:
            order: the order.
            on_event: called with each event but the last.

        Returns:
            The last event: `verification` or `failed`.

        Raises:
            ChildFailed: it ended without one.
        """
        self._orders += 1
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None  # noqa: S101 - both were opened as pipes
        assert stdout is not None  # noqa: S101
        try:
            stdin.write(json.dumps(order.to_dict()).encode() + b"\n")
            await stdin.drain()
        except (BrokenPipeError, ConnectionResetError):
            raise await self._ended() from None
        while True:
            try:
                line = await stdout.readline()
            except ValueError:
                raise ChildFailed(
                    Failure("result-too-large", f"the verification takes more than {LONGEST_EVENT} bytes")
                ) from None
            if not line.endswith(b"\n"):
                raise await self._ended()
            event: dict[str, Any] = storable(json.loads(line))
            if event["event"] in ENDS:
                return event
            if event["event"] != READY:
                on_event(event)

    async def close(self) -> None:
        """Let it go, or kill it if it doesn't; what it started is gone with it."""
        if self._process.stdin is not None:
            self._process.stdin.close()  # its sign to leave
        try:
            await asyncio.wait_for(self._process.wait(), STOP_SECONDS)
        except TimeoutError:
            pass
        finally:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
            await self._process.wait()
            self._reader.cancel()

    async def _ended(self) -> ChildFailed:
        code = await self._process.wait()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._reader, 1)
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
        return ChildFailed(
            Failure(
                "engine-failed",
                f"the process that verified {how} before it was done, so nothing is known about the contract",
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
        environment: of every child.
        warm: how many are started ahead of time.
        keep: how many are kept after their orders.
    """

    def __init__(self, environment: Mapping[str, str], warm: int, *, keep: int) -> None:
        self._environment = environment
        self._warm = warm
        self._keep = keep
        self._idle: list[Child] = []
        self._closing = False
        self._chores: set[asyncio.Task[None]] = set()

    async def fill(self) -> None:
        """Start children until enough are ready."""
        while len(self._idle) < self._warm and not self._closing:
            self._idle.append(await Child.start(self._environment))

    async def take(self) -> Child:
        """Take one that is ready, or start one."""
        while self._idle:
            child = self._idle.pop()
            if not child.worn:
                return child
            self._later(child.close())
        return await Child.start(self._environment)

    def give_back(self, child: Child, *, usable: bool) -> None:
        """Give one back after its order."""
        if usable and not child.worn and not self._closing and len(self._idle) < self._keep:
            self._idle.append(child)
        else:
            self._later(child.close())
            self._later(self.fill())

    async def close(self) -> None:
        """Let all of them go."""
        self._closing = True
        idle, self._idle = self._idle, []
        await asyncio.gather(*self._chores, *(child.close() for child in idle), return_exceptions=True)

    def _later(self, chore: Any) -> None:
        task = asyncio.ensure_future(chore)
        self._chores.add(task)
        task.add_done_callback(self._chores.discard)
