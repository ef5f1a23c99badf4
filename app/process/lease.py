"""A worker's lease: until when nobody else takes up what it carries out, whatever becomes of its connections.

Others take a worker for dead `stalled_seconds` after the time at which the database has stored its last heartbeat. The
lease begins before that heartbeat was sent, and is shorter: a worker that is cut off ends its runs in time without
hearing from anybody, and without comparing its clock with another machine's.
"""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SHARE = 0.8
"""How much of `stalled_seconds` a lease lasts; the rest is for stopping what runs."""
LOOK_SECONDS = 1.0
"""How often the clock is looked at meanwhile: a wait doesn't count the time that the machine sleeps."""
_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def now() -> float:
    """Return the seconds of a clock that all processes of a machine share, and that goes on while it sleeps."""
    return time.clock_gettime(_CLOCK)


def end_of_lease(began: float, stalled_seconds: float) -> float:
    """Return when a lease ends.

    Args:
        began: When the heartbeat was sent, by `now`.
        stalled_seconds: After so long without a heartbeat others take the worker for dead.
    """
    return began + SHARE * stalled_seconds


class LeaseWatch:
    """Calls a function, in a thread of its own, when the lease ends in the midst of work.

    Args:
        end: The function.
    """

    def __init__(self, end: Callable[[], None]) -> None:
        self._end = end
        self._until = float("inf")
        self._works = False
        self._changed = threading.Condition()
        threading.Thread(target=self._watch, daemon=True, name="lease").start()

    def extend(self, until: float) -> None:
        """Note until when the lease lasts, by `now`."""
        with self._changed:
            self._until = until
            self._changed.notify()

    @contextmanager
    def working(self) -> Iterator[None]:
        """Work in the `with` block, for as long as the lease lasts."""
        with self._changed:
            self._works = True
            self._changed.notify()
        try:
            yield
        finally:
            with self._changed:
                self._works = False

    def _watch(self) -> None:
        with self._changed:
            while True:
                left = self._until - now()
                if not self._works:
                    self._changed.wait()
                elif left > 0:
                    self._changed.wait(min(left, LOOK_SECONDS))
                else:
                    break
        self._end()
