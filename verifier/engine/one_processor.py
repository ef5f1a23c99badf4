"""The processor of threads that take turns.

The core has threads for its connections beside the one that verifies, and the recorder has its own: all but one of
them wait at any time. Where one wakes the next on another processor, an interaction takes a third more time, and of the
processors half as much again.
"""

from __future__ import annotations

import os
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_STAT = Path("/proc/thread-self/stat")
_PROCESSOR = 36
"""The place of the processor among the fields that follow the name of the program; see proc(5)."""


@contextmanager
def on_one_processor() -> Iterator[None]:
    """Keep all threads of this process on the processor that this one is on; on Linux alone.

    It is for parts of a second: the system, which moves threads to where there is room, can't do so meanwhile.
    """
    try:
        allowed = os.sched_getaffinity(0)
        current = int(_STAT.read_text(encoding="utf-8").rpartition(")")[2].split()[_PROCESSOR])
        _keep_on({current})
    except (AttributeError, OSError):
        yield
        return
    try:
        yield
    finally:
        _keep_on(allowed)


def _keep_on(processors: set[int]) -> None:
    for thread in Path("/proc/self/task").iterdir():
        with suppress(OSError):  # it has ended
            os.sched_setaffinity(int(thread.name), processors)
