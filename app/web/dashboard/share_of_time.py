"""Bounds what the new content of open pages takes of a process: dispatches, and pages that are opened, have the rest.

Hundreds of open pages ask at once when something changes. Without a bound they would keep the process and all of its
connections to the database busy, and dispatches would be answered late, or with 503.
"""

from __future__ import annotations

import queue
import time
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

LONGEST_REST = 1.0
"""For how long nothing is made after something that took very long, at most, in seconds."""


def _sleep(seconds: float) -> None:
    time.sleep(seconds)  # gevent's, once it is there


class ShareOfTime:
    """A bound on how much of the time something is made; it is to be made in the process that serves.

    Args:
        share: The share of the time, from 0 to 1.
        at_once: How many things are made at once, at most: so one that takes long doesn't hold up all others.
        clock: The time in seconds.
        sleep: Waits for some seconds.
    """

    def __init__(
        self,
        share: float,
        *,
        at_once: int,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = _sleep,
    ) -> None:
        self._rest = at_once / share - 1
        self._clock = clock
        self._sleep = sleep
        self._free_from: queue.Queue[float] = queue.Queue()
        for _ in range(at_once):
            self._free_from.put(0.0)

    def make(self, content: Callable[[], T]) -> T:
        """Return what is made by a function, which is called in its turn."""
        free_from = self._free_from.get()
        try:
            self._sleep(max(0.0, free_from - self._clock()))
            began = self._clock()
            try:
                return content()
            finally:
                now = self._clock()
                free_from = now + min(LONGEST_REST, (now - began) * self._rest)
        finally:
            self._free_from.put(free_from)
