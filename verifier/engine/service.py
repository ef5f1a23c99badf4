"""What the child process does: it carries out jobs one after the other.

It reads messages (see `verifier.engine.protocol`) from standard input and writes its own to another pipe. Standard
output and error belong to the core, which prints to descriptors 1 and 2 whatever Python does. When standard input ends,
its parent is done or was killed, and the child ends as well.
"""

from __future__ import annotations

import gc
import os
import queue
import signal
import sys
import threading
import time
from typing import TYPE_CHECKING

from verifier.child_process import signal_group
from verifier.engine.protocol import (
    BrokenMessage,
    Done,
    Failed,
    Guard,
    HandlersUnusable,
    Job,
    OutOfMemory,
    Ready,
    decode_command,
    encode,
)
from verifier.undumpable import become_undumpable

if TYPE_CHECKING:
    from pathlib import Path

    from verifier.engine.protocol import Event

STOP_SECONDS = 2.0
"""How long the provider of a parent that was killed has to stop before it is killed."""


class EventPipe:
    """The pipe to the parent."""

    def __init__(self, descriptor: int) -> None:
        self._pipe = os.fdopen(descriptor, "wb")
        self._lock = threading.Lock()

    def send(self, event: Event) -> None:
        """Send a message; safe from any thread."""
        line = encode(event)
        with self._lock:
            try:
                self._pipe.write(line)
                self._pipe.flush()
            except BrokenPipeError:
                # The parent is gone. The thread that reads standard input cleans up and ends this process.
                threading.Event().wait()

    def end_out_of_memory(self) -> None:
        """Say that this process has used more memory than it may, and end it."""
        self.send(OutOfMemory())
        os._exit(1)


def _read_commands(folder: Path, jobs: queue.SimpleQueue[Job]) -> None:
    """Read messages until standard input ends, and end the process at once then, whatever the core is doing.

    A parent that was killed could not clean up, so the child stops the provider that the parent had started (`Guard`
    has its process group), and removes the files.
    """
    guarded: int | None = None
    for line in sys.stdin.buffer:
        try:
            command = decode_command(line)
        except BrokenMessage as error:
            sys.stderr.write(f"{error}\n")
            os._exit(1)
        if isinstance(command, Guard):
            guarded = command.group
        else:
            jobs.put(command)
    if guarded is not None:
        _stop_group(guarded)
    import shutil  # noqa: PLC0415 - for this alone

    shutil.rmtree(folder, ignore_errors=True)
    os._exit(0)


def _stop_group(group: int) -> None:
    end = time.monotonic() + STOP_SECONDS
    signal_group(group, signal.SIGTERM)
    while signal_group(group, 0) and time.monotonic() < end:
        time.sleep(0.02)
    signal_group(group, signal.SIGKILL)


def serve(descriptor: int, folder: Path) -> None:
    """Run jobs until standard input ends.

    Args:
        descriptor: That of the pipe to the parent.
        folder: The folder for files.
    """
    become_undumpable()
    os.environ.setdefault("PACT_DO_NOT_TRACK", "true")
    os.environ |= {"RUST_BACKTRACE": "0", "RUST_LIB_BACKTRACE": "0"}  # the core writes traces into mismatches
    events = EventPipe(descriptor)
    jobs: queue.SimpleQueue[Job] = queue.SimpleQueue()
    threading.Thread(target=_read_commands, args=(folder, jobs), daemon=True).start()
    from verifier.engine.job_run import UNKNOWN_PACE, JobRun  # noqa: PLC0415 - the reader notices the end of the parent meanwhile

    gc.freeze()
    gc.enable()
    events.send(Ready())
    pace = UNKNOWN_PACE
    while True:
        job = jobs.get()
        try:
            run = JobRun(job, folder, events, pace=pace)
            run.run()
        except HandlersUnusable as error:
            events.send(Failed(str(error)))
        except MemoryError:
            events.end_out_of_memory()
        else:
            pace = run.pace
            events.send(Done())
