"""The engine: pact-python in a child process.

The Rust core prints to descriptor 1, and can hang or crash; in a process of its own it harms nobody. The child is
started early, so that it imports what it needs while the pact is fetched and the provider starts.
"""

from __future__ import annotations

import contextlib
import queue
import signal
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Self

from broker.traces.spans import add as add_spans
from verifier.child_process import how_it_ended, signal_group
from verifier.engine.protocol import (
    Begun,
    BrokenMessage,
    Done,
    Failed,
    Guard,
    Note,
    OutOfMemory,
    Ready,
    Results,
    Spans,
    decode_event,
    encode,
)
from verifier.engine.spawn import SpawnedChild
from verifier.errors import CannotVerify, ErrorKind, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import BinaryIO

    from verifier.engine.protocol import Command, Event, Job
    from verifier.verification import InteractionResult

    Events = queue.SimpleQueue[Event | BrokenMessage | None]

TICK_SECONDS = 0.1
"""How often `watch` is called while the engine works."""
OUTPUT_LINES = 20
OUTPUT_BYTES = 65536
"""How much of the end of the child's output is read for them."""
ALLOCATION_FAILED = "memory allocation of "
"""How a line begins that the core prints when the kernel gives it no more memory, before it aborts."""


class TooMuchMemory(CannotVerify):
    """The child needed more memory than it may use."""


class Engine:
    """One child process, for one job after another.

    Use it as a context manager: leaving it ends the child and everything that the child started.

    Args:
        child: A child that has been started; by default one is started now.

    Attributes:
        starting: Held from before a process group is started until the child guards it, so that none is left behind by
            an `abandon` that comes in between.
    """

    def __init__(self, child: SpawnedChild | None = None) -> None:
        self._child = child or SpawnedChild()
        self._guarded: int | None = None
        self._begun: set[int] = set()
        self.starting = threading.Lock()
        self._listen()

    def _listen(self) -> None:
        """Begin to read what the child sends."""
        self._is_up = False
        self._events: Events = queue.SimpleQueue()
        threading.Thread(
            target=_read, args=(self._child.events, self._events), daemon=True, name="engine-events"
        ).start()

    def restart(self) -> None:
        """Replace the child by a new one, for another job while the child is still busy with one that was given up."""
        with self.starting:
            self._child = self._child.replaced()
            self._listen()
            self.guard(self._guarded)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def folder(self) -> Path:
        """The folder of the child's files, which are gone once this is closed."""
        return Path(self._child.folder)

    @property
    def pid(self) -> int:
        """The child's process id, which is also that of its process group."""
        return self._child.pid

    def wait_until_up(self) -> None:
        """Wait until the child has imported what it needs. `run` can be called earlier.

        Raises:
            CannotVerify: The child ended instead.
        """
        self._next_event()
        self._is_up = True

    def run(
        self,
        job: Job,
        *,
        deadline: float,
        on_results: Callable[[Sequence[InteractionResult]], None],
        on_note: Callable[[str], None],
        watch: Callable[[], None],
        meanwhile: Callable[[], None] = lambda: None,
    ) -> None:
        """Run a job.

        Args:
            job: What to verify.
            deadline: The `time.monotonic()` by which it must be done.
            on_results: Called with the results of some interactions as soon as there are any.
            on_note: Called with what the reader of the report should know.
            watch: Called every `TICK_SECONDS`; an exception that it raises ends the job.
            meanwhile: Called once the child has the job, when there is nothing to do before the first results.

        Raises:
            CannotVerify: The engine crashed, needed too much memory, or the deadline has passed.
            UsageError: The provider state handlers can't be loaded.
        """
        left = set(job.indexes)

        def keep(results: Sequence[InteractionResult]) -> None:
            left.difference_update(result.index for result in results)
            on_results(results)

        while True:
            try:
                self._run(
                    job,
                    deadline=deadline,
                    on_results=keep,
                    on_note=on_note,
                    watch=watch,
                    meanwhile=meanwhile,
                )
            except TooMuchMemory as error:
                suspects = sorted(self._begun & left)
                if len(suspects) == 1:
                    raise _too_much(job, suspects[0], error) from error
                if job.singly:
                    raise
                # once more, one after the other, so that it is known which one it is
                indexes = (*suspects, *sorted(left.difference(suspects)))
                job = job._replace(indexes=indexes, jobs=1, singly=True)
                self.restart()
            else:
                return

    def _run(
        self,
        job: Job,
        *,
        deadline: float,
        on_results: Callable[[Sequence[InteractionResult]], None],
        on_note: Callable[[str], None],
        watch: Callable[[], None],
        meanwhile: Callable[[], None],
    ) -> None:
        self._begun.clear()
        if self._is_up:
            self._write(job)
            meanwhile()
        while True:
            left = deadline - time.monotonic()
            if left <= 0:
                self._child.kill()
                raise CannotVerify(
                    "time ran out (--timeout) before every interaction was verified",
                    kind=ErrorKind.TIMED_OUT,
                    retryable=True,
                )
            try:
                event = self._next_event(timeout=min(left, TICK_SECONDS))
            except queue.Empty:
                watch()
                continue
            match event:
                case Ready():  # before that the child, and a job in its pipe, could be read by the provider
                    self._is_up = True
                    self._write(job)
                    meanwhile()
                case Results(results):
                    on_results(results)
                    self._begun.difference_update(result.index for result in results)
                case Note(text):
                    on_note(text)
                case Spans(spans):
                    add_spans(spans)
                case Done():
                    return
                case _:
                    self._note_or_fail(event)

    def _note_or_fail(self, event: Event) -> None:
        match event:
            case Begun(indexes):
                self._begun.update(indexes)
            case Failed(message):
                raise UsageError(message)
            case OutOfMemory():
                self._child.kill()
                raise _out_of_memory()

    def guard(self, group: int | None) -> None:
        """Have the child stop a process group if this process is killed; None if there is none any more.

        If the child is gone, that is for `run` to report.
        """
        self._guarded = group
        with contextlib.suppress(CannotVerify, ValueError):
            self._write(Guard(group))

    def _write(self, command: Command) -> None:
        # Standard input and not the command line, which others can see: headers may be secrets.
        try:
            self._child.commands.write(encode(command))
            self._child.commands.flush()
        except (OSError, ValueError):  # it ended, or was ended
            raise self._crashed() from None

    def _next_event(self, timeout: float | None = None) -> Event:
        event = self._events.get(timeout=timeout)
        if event is None:
            raise self._crashed()
        if isinstance(event, BrokenMessage):
            self._child.kill()
            raise self._failed(f"the verification engine can't be understood: {event}", retryable=False)
        return event

    def _crashed(self) -> CannotVerify:
        code = self._child.wait(5)
        if code is None:
            code = self._child.kill()
        if any(line.startswith(ALLOCATION_FAILED) for line in self._output()):
            return _out_of_memory()
        return self._failed(
            f"the verification engine {how_it_ended(code)} before it was done, so nothing is known about the contract",
            retryable=code < 0,
        )

    def _failed(self, message: str, *, retryable: bool) -> CannotVerify:
        output = "\n".join(self._output())
        return CannotVerify(message, kind=ErrorKind.ENGINE_FAILED, retryable=retryable, output=output)

    def _output(self) -> list[str]:
        """Return the last lines of the child's output."""
        return self._child.last_output(OUTPUT_BYTES).decode(errors="replace").splitlines()[-OUTPUT_LINES:]

    def abandon(self, seconds: float) -> None:
        """Have the child stop what it does and the process group that it guards, and wait until it has ended.

        For any thread of a process that leaves next, whatever the others are doing: nothing else works after it, and
        nothing is started any more.

        Args:
            seconds: How long to wait for that, and for what is just being started.
        """
        self.starting.acquire(timeout=seconds)
        self._child.hang_up()
        has_ended = self._child.wait(seconds) is not None
        if has_ended and self._guarded is not None:
            signal_group(self._guarded, signal.SIGKILL)  # a child that was killed itself has stopped nothing

    def close(self) -> None:
        """End the child and what it started (plugins), and remove its files."""
        self._child.close()


def _out_of_memory() -> TooMuchMemory:
    return TooMuchMemory("the engine needed more memory than it may use", kind=ErrorKind.OUT_OF_MEMORY)


def _too_much(job: Job, index: int, error: TooMuchMemory) -> TooMuchMemory:
    """Return the error that names the interaction."""
    interaction = job.pact.interactions[index]
    return TooMuchMemory(
        f"the provider's answer was too large: at interaction {interaction.description!r} the engine needed more "
        f"than {job.memory_limit} MB of memory. If the answer should be so large, allow more (--memory-limit; "
        "memory_limit in the receiver's configuration)",
        kind=ErrorKind.OUT_OF_MEMORY,
        output=error.output,
    )


def _read(pipe: BinaryIO, events: Events) -> None:
    """Put what a child sends into a queue, then None when it has ended."""
    with pipe:
        for line in pipe:
            try:
                events.put(decode_event(line))
            except BrokenMessage as error:
                if line.endswith(b"\n"):  # else it is what a child that was killed had written
                    events.put(error)
                break
    events.put(None)
