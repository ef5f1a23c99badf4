"""Looking again and again at something that takes its time."""

from __future__ import annotations

import threading
import time
from itertools import chain, repeat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

PAUSES_SECONDS = (0.5, 1.0, 2.0, 5.0)
"""Between two looks; the last one stays."""


def looks(seconds: float) -> Iterator[None]:
    """Yield for each look: at once, after each pause, and a last time when the seconds are over."""
    deadline, pause = time.monotonic() + seconds, threading.Event()
    for wait in chain(PAUSES_SECONDS, repeat(PAUSES_SECONDS[-1])):
        yield
        left = deadline - time.monotonic()
        if left <= 0:
            return
        pause.wait(min(wait, left))
