"""A file that processes lock: the kernel lifts the lock however its holder ends."""

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
    """Somebody else holds the lock."""


@dataclass(frozen=True)
class LockedFile:
    """A lock that is held, also by every child that inherits the descriptor."""

    descriptor: int

    def become_exclusive(self) -> bool:
        """Turn a shared lock into an exclusive one; False if others share it, and then it may be lost."""
        try:
            fcntl.flock(self.descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


@contextmanager
def locked(path: Path, *, shared: bool = False, wait: float = 0.0) -> Iterator[LockedFile]:
    """Hold a lock.

    Args:
        path: the file, made if need be; it belongs to the owner of its folder.
        shared: others may share it.
        wait: seconds to wait for others to let go of it.

    Raises:
        Busy: they didn't.
        OSError: the file can't be opened.
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
        # Closing lifts the lock, unless a child inherited it: unlocking would take it away from the child.
        os.close(descriptor)
