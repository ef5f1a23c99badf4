"""Keeps what was made a moment ago for those who ask for the same right after."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

MOST = 500
"""The contents that are kept, at most."""


@dataclass
class _Kept:
    lock: threading.Lock = field(default_factory=lambda: threading.Lock())  # noqa: PLW0108 - gevent's, once it is there
    content: str | None = None
    until: float = 0.0


class ShortCache:
    """A cache; who asks for what is just being made waits for that.

    Args:
        seconds: For how long something is kept after it was made.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._kept: dict[Hashable, _Kept] = {}

    def get(self, key: Hashable, make: Callable[[], str]) -> str:
        """Return a content.

        Args:
            key: What it is.
            make: Makes it if there is none, or if it is too old.
        """
        if len(self._kept) > MOST:
            now = time.monotonic()
            self._kept = {
                key: kept for key, kept in self._kept.items() if kept.until > now or kept.lock.locked()
            }
        kept = self._kept.setdefault(key, _Kept())
        with kept.lock:
            if kept.content is None or kept.until <= time.monotonic():
                kept.content = make()
                kept.until = time.monotonic() + self._seconds
            return kept.content
