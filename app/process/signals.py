"""The signals that stop a process, SIGTERM and SIGINT: what they interrupt, and from when on they don't any more."""

from __future__ import annotations

import signal
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

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


def _interrupt() -> None:
    for number in STOPS:
        signal.signal(number, _stop)


def _stop(*_: object) -> None:
    stop_no_more()
    raise Stopped


def _ignore(*_: object) -> None:
    """Do nothing; unlike with SIG_IGN, what this process starts has the signal's default again."""
