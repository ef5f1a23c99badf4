"""Locks between processes, on files: the kernel unlocks them however their holder ends."""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Busy(Exception):
    """Another process holds the lock."""


@dataclass(frozen=True)
class LockedFile:
    """A lock that this process holds, as does every child that inherits the descriptor."""

    descriptor: int

    def become_exclusive(self) -> bool:
        """Make a shared lock exclusive; return False if others share it, and then the lock may be lost."""
        try:
            fcntl.flock(self.descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


@contextmanager
def locked(path: Path, *, shared: bool = False, wait: float = 0.0) -> Iterator[LockedFile]:
    """Hold a lock.

    Args:
        path: The file, which is made if it doesn't exist; it belongs to the owner of its folder.
        shared: Whether other processes may share the lock.
        wait: Seconds to wait while another process holds the lock.

    Raises:
        Busy: Another process holds it.
        OSError: The file can't be opened.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        if os.geteuid() == 0:
            folder = path.parent.stat()
            os.fchown(descriptor, folder.st_uid, folder.st_gid)
        end = time.monotonic() + wait
        while True:
            try:
                fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
                break
            except BlockingIOError as error:
                if time.monotonic() >= end:
                    raise Busy(str(path)) from error
            time.sleep(0.01)
        yield LockedFile(descriptor)
    finally:
        # Closing unlocks it unless a child inherited it; LOCK_UN would unlock it for the child too.
        os.close(descriptor)
