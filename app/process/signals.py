"""The signals that stop a process, SIGTERM and SIGINT: what they interrupt, and from when on they don't any more."""

from __future__ import annotations

import signal
import socket
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Callable, Iterator, Mapping

STOPS = (signal.SIGTERM, signal.SIGINT)


class Stopped(KeyboardInterrupt):
    """A signal said to stop. As with Ctrl-C, psycopg cancels the statement that is under way."""


@contextmanager
def stoppable() -> Iterator[None]:
    """Leave the block at SIGTERM or SIGINT, wherever it is, and clean up on the way; go on after it.

    Only the first signal interrupts, so that the cleaning up is not interrupted itself, and none does after the block.
    What runs in it may handle the signals in its own way.
    """
    _interrupt()
    with suppress(Stopped):
        try:
            yield
        finally:
            stop_no_more()


@contextmanager
def interruptible() -> Iterator[None]:
    """Do as `stoppable` does, and have the command end as one that was interrupted.

    Raises:
        Stopped: A signal said to stop.
    """
    _interrupt()
    try:
        yield
    finally:
        stop_no_more()


def stop_no_more() -> None:
    """Bring what is done to its end from now on, whatever signal says to stop."""
    for number in STOPS:
        signal.signal(number, _ignore)


@contextmanager
def heard(loop: AbstractEventLoop, handlers: Mapping[int, Callable[[], object]]) -> Iterator[None]:
    """Have an event loop call a function at each of some signals; they do nothing any more after the block.

    What the loop's own `add_signal_handler` has set, it takes back when it is closed: a signal would then kill a
    process that is still cleaning up.
    """
    reader, writer = socket.socketpair()
    reader.setblocking(False)
    writer.setblocking(False)

    def hear() -> None:
        for number in reader.recv(4096):
            if number in handlers:
                handlers[number]()

    with reader, writer:
        loop.add_reader(reader, hear)
        before = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
        try:
            for number in handlers:
                signal.signal(number, _ignore)
            yield
        finally:
            signal.set_wakeup_fd(before)
            loop.remove_reader(reader)


def _interrupt() -> None:
    for number in STOPS:
        signal.signal(number, _stop)


def _stop(*_: object) -> None:
    stop_no_more()
    raise Stopped


def _ignore(*_: object) -> None:
    """Do nothing; unlike with SIG_IGN, what this process starts has the signal's default again."""
