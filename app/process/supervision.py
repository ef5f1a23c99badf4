"""The processes of `serve`: started, started again when they end, stopped together.

A supervised process also follows its supervisor: it holds the reading end of a pipe, and when that ends, because the
supervisor was killed, it stops as it would at SIGTERM.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    from collections.abc import Iterator

SUPERVISOR_VARIABLE = "PACT_DISPATCH_SUPERVISOR_FD"
STOP_MARGIN_SECONDS = 15.0
"""How much longer than `worker.stop_seconds` the processes may take to stop, before they are killed."""
FIRST_PAUSE, LONGEST_PAUSE = 0.2, 10.0
LOOK_SECONDS = 0.2
STEADY_SECONDS = 5.0
"""A process that ran for so long is started again without a pause."""

log = structlog.get_logger("serve")


class Stopped(KeyboardInterrupt):
    """A signal said to stop. As with Ctrl-C, psycopg cancels the statement that is under way."""


@contextmanager
def stoppable() -> Iterator[None]:
    """Leave the block at SIGTERM or SIGINT, wherever it is, and clean up on the way; go on after it.

    Only the first signal interrupts, so that the cleaning up is not interrupted itself. A `Supervisor` that runs in
    the block handles the signals in its own way.
    """
    stopping = False

    def stop(*_: object) -> None:
        nonlocal stopping
        if not stopping:
            stopping = True
            raise Stopped

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    with suppress(Stopped):
        yield


@dataclass
class _Supervised:
    name: str
    arguments: list[str]
    pass_fds: tuple[int, ...]
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    pause: float = FIRST_PAUSE
    due: float = field(default=0.0)


class Supervisor:
    """Keeps processes running until SIGTERM or SIGINT.

    Args:
        stop_seconds: how long they have to stop before they are killed.
    """

    def __init__(self, stop_seconds: float) -> None:
        self._stop_seconds = stop_seconds
        self._processes: list[_Supervised] = []
        self._stop = False
        self._reader, self._writer = os.pipe()

    def add(self, name: str, arguments: list[str], *, pass_fds: tuple[int, ...] = ()) -> None:
        """Add a process.

        Args:
            name: for the log.
            arguments: of `pact-dispatch`.
            pass_fds: descriptors that it gets.
        """
        self._processes.append(_Supervised(name, arguments, pass_fds))

    def run(self) -> None:
        """Start them, and keep them running until a signal says to stop; then stop them."""
        # by a pipe, and not by threading.Event: a handler runs in between, and would wait for a lock that is its own
        signalled, signal_writer = os.pipe()
        os.set_blocking(signalled, False)
        os.set_blocking(signal_writer, False)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_stop)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(signal_writer, warn_on_full_buffer=False)
        try:
            while not self._stop:
                now = time.monotonic()
                for supervised in self._processes:
                    self._look_after(supervised, now)
                if select.select([signalled], [], [], LOOK_SECONDS)[0]:
                    os.read(signalled, 65536)
        finally:
            self._stop_all()

    def _on_stop(self, *_: object) -> None:
        self._stop = True

    def _look_after(self, supervised: _Supervised, now: float) -> None:
        process = supervised.process
        if process is not None and process.poll() is None:
            return
        if process is not None and supervised.due == 0.0:
            steady = now - supervised.started > STEADY_SECONDS
            supervised.pause = FIRST_PAUSE if steady else min(supervised.pause * 2, LONGEST_PAUSE)
            supervised.due = now + supervised.pause
            log.error(
                "a process ended", process=supervised.name, code=process.returncode, again_in=supervised.pause
            )
        if now >= supervised.due:
            self._start(supervised, now)

    def _start(self, supervised: _Supervised, now: float) -> None:
        supervised.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "app", *supervised.arguments],
            pass_fds=(*supervised.pass_fds, self._reader),
            env={**os.environ, SUPERVISOR_VARIABLE: str(self._reader)},
            stdin=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C is for the supervisor, which stops them in order
        )
        supervised.started, supervised.due = now, 0.0

    def _stop_all(self) -> None:
        running = [s.process for s in self._processes if s.process is not None and s.process.poll() is None]
        for process in running:
            process.send_signal(signal.SIGTERM)
        end = time.monotonic() + self._stop_seconds
        for process in running:
            try:
                process.wait(max(0.1, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def follow_supervisor() -> None:
    """Stop this process when its supervisor is gone; nothing where there is none."""
    descriptor = os.environ.pop(SUPERVISOR_VARIABLE, None)
    if descriptor is None:
        return

    def follow(reader: int) -> None:
        while os.read(reader, 1):
            pass
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=follow, args=(int(descriptor),), daemon=True, name="supervisor").start()
