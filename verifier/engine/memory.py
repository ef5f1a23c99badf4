"""The limit on the memory of the engine's process.

The core reads all of a provider's answer, unpacks it, and compares it in many times as much memory; it has no limit of
its own. Measured with pact-python 4.2: 40 MB for one interaction, 60 MB for 1000 of them with 16 jobs; 45 times the
size of a JSON body, 6 times that of a text.
"""

from __future__ import annotations

import os
import resource
import sys
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

WATCH_SECONDS = 0.02
"""How often the memory is looked at. In that time a flood over loopback brings about 10 MB."""
HARD_FACTOR = 2
"""The kernel's own limit (on Linux) is so many times as high: it holds where Python's lock keeps the watch waiting."""
THREAD_BYTES = 32 * 2**20
"""What the threads of one job may reserve beside that, without using it."""
_PAGE = os.sysconf("SC_PAGE_SIZE")
_STATM = Path("/proc/self/statm")


def resident_bytes() -> int:
    """Return the memory that this process uses; where there is no `/proc` (macOS), the most that it ever used."""
    try:
        return int(_STATM.read_bytes().split()[1]) * _PAGE
    except FileNotFoundError:
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return most if sys.platform == "darwin" else most * 1024


@contextmanager
def limited_memory(max_bytes: int, jobs: int, on_exceeded: Callable[[], None]) -> Iterator[None]:
    """Watch the memory of this process.

    Args:
        max_bytes: The limit.
        jobs: How many threads verify at once.
        on_exceeded: Called, from another thread, when the process uses more; it ends the process.
    """
    _limit_data(HARD_FACTOR * max_bytes + jobs * THREAD_BYTES)
    over = threading.Event()

    def watch() -> None:
        while not over.wait(WATCH_SECONDS):
            if resident_bytes() > max_bytes:
                on_exceeded()

    watching = threading.Thread(target=watch, daemon=True, name="memory")
    watching.start()
    try:
        yield
    finally:
        over.set()
        watching.join()


def _limit_data(more_bytes: int) -> None:
    """Have the kernel refuse so much more memory than is reserved now; only Linux counts it."""
    if sys.platform != "linux" or not _STATM.exists():
        return
    reserved = int(_STATM.read_bytes().split()[5]) * _PAGE
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    wanted = reserved + more_bytes
    resource.setrlimit(
        resource.RLIMIT_DATA, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard)
    )
