"""Polling of something that takes its time."""

from __future__ import annotations

import time
from itertools import chain, repeat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

PAUSES_SECONDS = (0.5, 1.0, 2.0, 5.0)
"""The pauses between the first polls; the last one is repeated."""


def polls(seconds: float) -> Iterator[None]:
    """Yield for each poll: at once, after each pause, and a last time as soon as the seconds are over."""
    deadline = time.monotonic() + seconds
    for wait in chain(PAUSES_SECONDS, repeat(PAUSES_SECONDS[-1])):
        began = time.monotonic()
        yield
        if began >= deadline:
            return
        time.sleep(max(0.0, min(wait, deadline - time.monotonic())))
