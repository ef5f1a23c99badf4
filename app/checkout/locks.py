"""Locks that end with the process that holds them, however it ends."""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

PAUSE_SECONDS = 0.02


@contextmanager
def opened(file: Path) -> Iterator[int]:
    """Open a file to lock, and create it if need be; it is never removed while others may hold it."""
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def try_lock(descriptor: int) -> bool:
    """Lock an open file if nobody else holds it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def locked(file: Path, check: Callable[[], None]) -> Iterator[None]:
    """Hold a lock; while waiting for it, `check` is called every now and then and may raise."""
    with opened(file) as descriptor:
        while not try_lock(descriptor):
            check()
            time.sleep(PAUSE_SECONDS)
        yield
