"""Supervision of the processes of `serve`: they are started, restarted when they end, and stopped together.

A supervised process stops with its supervisor: it has the reading end of a pipe, which ends if the supervisor is
killed, and then stops as at SIGTERM.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import structlog

from app.process.hangup import Terminal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

SUPERVISOR_VARIABLE = "PACT_DISPATCH_SUPERVISOR_FD"
STOP_MARGIN_SECONDS = 15.0
"""How much longer than `worker.stop_seconds` the processes may take to stop before they are killed."""
FIRST_PAUSE, MAX_PAUSE = 0.2, 10.0
CHECK_SECONDS = 0.2
STEADY_SECONDS = 5.0
"""A process that ran for so long is restarted after the first pause."""

log = structlog.get_logger("serve")


@dataclass
class _Supervised:
    name: str
    arguments: list[str]
    environment: Mapping[str, str] = field(repr=False)
    pass_fds: tuple[int, ...]
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    pause: float = FIRST_PAUSE
    due: float = field(default=0.0)


class Supervisor:
    """Keeps processes running until SIGTERM or SIGINT.

    Args:
        stop_seconds: How long they may take to stop before they are killed.
        hung_up: Called at SIGHUP, in a thread of its own.
    """

    def __init__(self, stop_seconds: float, hung_up: Callable[[], None] = lambda: None) -> None:
        self._stop_seconds = stop_seconds
        self._hung_up = hung_up
        self._hang_up = False
        self._reloading: threading.Thread | None = None
        self._terminal = Terminal()
        self._processes: list[_Supervised] = []
        self._stop = False
        self._reader, self._writer = os.pipe()

    def add(
        self,
        name: str,
        arguments: list[str],
        *,
        environment: Mapping[str, str],
        pass_fds: tuple[int, ...] = (),
    ) -> None:
        """Add a process.

        Args:
            name: Its name in the log.
            arguments: The arguments of `pact-dispatch`.
            environment: Its environment.
            pass_fds: File descriptors that it inherits.
        """
        self._processes.append(_Supervised(name, arguments, environment, pass_fds))

    def run(self) -> None:
        """Start the processes, and keep them running until a signal to stop; then stop them."""
        # a pipe and no threading.Event, whose lock the code that the handler interrupts may hold
        signalled, signal_writer = os.pipe()
        os.set_blocking(signalled, False)
        os.set_blocking(signal_writer, False)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_stop)
        signal.signal(signal.SIGHUP, self._on_hang_up)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(signal_writer, warn_on_full_buffer=False)
        try:
            while not self._stop:
                now = time.monotonic()
                for supervised in self._processes:
                    self._restart_if_ended(supervised, now)
                self._look_for_hang_up()
                if select.select([signalled], [], [], CHECK_SECONDS)[0]:
                    os.read(signalled, 65536)
        finally:
            self._stop_all()

    def _on_stop(self, *_: object) -> None:
        self._stop = True

    def _on_hang_up(self, *_: object) -> None:
        self._hang_up = True

    def _look_for_hang_up(self) -> None:
        """Have done what is to be done at SIGHUP, once after another."""
        if not self._hang_up or (self._reloading is not None and self._reloading.is_alive()):
            return
        self._hang_up = False
        if self._terminal.is_gone:
            self._stop = True
            return
        self._reloading = threading.Thread(target=self._hung_up, daemon=True, name="reload")
        self._reloading.start()

    def _restart_if_ended(self, supervised: _Supervised, now: float) -> None:
        process = supervised.process
        if process is not None and process.poll() is None:
            return
        if process is not None and supervised.due == 0.0:
            steady = now - supervised.started > STEADY_SECONDS
            supervised.pause = FIRST_PAUSE if steady else min(supervised.pause * 2, MAX_PAUSE)
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
            env={**supervised.environment, SUPERVISOR_VARIABLE: str(self._reader)},
            stdin=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C reaches only the supervisor, which then stops the processes
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
    """Stop this process when its supervisor ends; do nothing if it has none."""
    descriptor = os.environ.pop(SUPERVISOR_VARIABLE, None)
    if descriptor is None:
        return

    def follow(reader: int) -> None:
        while os.read(reader, 1):
            pass
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=follow, args=(int(descriptor),), daemon=True, name="supervisor").start()
