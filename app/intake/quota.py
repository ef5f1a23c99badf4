"""Quotas: how much of something is taken in a row, and how much in the long run."""

from __future__ import annotations

import threading
import time


class Quota:
    """An amount that is used up and grows again; safe from any thread.

    Args:
        at_once: The amount that there is in the beginning, and never more.
        per_minute: How fast it grows again.
    """

    def __init__(self, at_once: float, per_minute: float) -> None:
        self._at_once = self._left = float(at_once)
        self._per_second = per_minute / 60
        self._measured_at = time.monotonic()
        self._lock = threading.Lock()

    def take(self, amount: float = 1.0) -> bool:
        """Take an amount, and return True; or return False and take nothing, if there is less."""
        with self._lock:
            now = time.monotonic()
            self._left = min(self._at_once, self._left + (now - self._measured_at) * self._per_second)
            self._measured_at = now
            if self._left < amount:
                return False
            self._left -= amount
            return True
