"""How long the answer to wrong credentials waits: longer and longer for an address that goes on sending them.

Right credentials never wait, whatever else their address sends: behind it may be a whole network. What makes guessing
hopeless is the length of a token; this makes it slow, so that it takes nothing away from others.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

FREE = 10
"""The number of wrong credentials that are answered at once."""
FORGIVEN_SECONDS = 6.0
"""After how long one of them is forgotten."""
STEP_SECONDS = 0.25
"""By how much each further one makes the wait longer."""
LONGEST_SECONDS = 4.0
MOST_ADDRESSES = 10_000
"""The number of addresses that are remembered, at most; those that were quiet for the longest are forgotten."""


class WrongCredentials:
    """The wrong credentials that came lately, by address.

    Args:
        clock: The time in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._found: OrderedDict[str, tuple[float, float]] = OrderedDict()
        """Their number, and when it was that; least recently changed first."""

    def seconds_to_wait(self, address: str) -> float:
        """Note that wrong credentials came from an address, and return how long the answer waits."""
        most = FREE + LONGEST_SECONDS / STEP_SECONDS
        with self._lock:
            now = self._clock()
            number, noted_at = self._found.pop(address, (0.0, now))
            number = min(max(0.0, number - (now - noted_at) / FORGIVEN_SECONDS) + 1, most)
            self._found[address] = number, now
            if len(self._found) > MOST_ADDRESSES:
                self._found.popitem(last=False)
        return max(0.0, (number - FREE) * STEP_SECONDS)

    def __len__(self) -> int:
        return len(self._found)
