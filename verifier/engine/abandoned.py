"""Folders of engines whose processes were all killed at once, so that none of them could remove its files.

An engine's child removes them when its parent is gone. Where both are (out of memory, a container that ends), a later
run does: the files may hold headers that are secrets.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
import time
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

PREFIX = "pact-dispatch-"
OUTPUT = "output.log"
"""The file that the parent keeps locked as long as it uses the folder."""
OLD_SECONDS = 24 * 3600.0
"""Younger folders are left alone, whatever they look like."""

_NAME = re.compile(rf"{PREFIX}[0-9a-f]{{16}}")


def remove_abandoned(place: str, *, but: Collection[str] = ()) -> None:
    """Remove folders of engines that nobody uses any more, as far as that is possible.

    Args:
        place: The folder for temporary files.
        but: Folders that this process uses: its own locks don't keep it out.
    """
    with suppress(OSError), os.scandir(place) as entries:
        for entry in entries:
            if not _NAME.fullmatch(entry.name) or entry.path in but:
                continue
            with suppress(OSError):  # the run that used it has just removed it, or it is in use
                if _is_abandoned(entry.path):
                    shutil.rmtree(entry.path, ignore_errors=True)


def _is_abandoned(path: str) -> bool:
    """Return whether a folder is one of this account's, old, and in no process's use.

    Raises:
        OSError: It is gone, or a process has locked its file.
    """
    folder = os.lstat(path)
    if not stat.S_ISDIR(folder.st_mode) or folder.st_uid != os.geteuid() or folder.st_mode & 0o077:
        return False
    try:
        output = os.open(f"{path}/{OUTPUT}", os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:  # it was killed before it had written anything
        return time.time() - folder.st_mtime > OLD_SECONDS
    try:
        if time.time() - max(folder.st_mtime, os.fstat(output).st_mtime) < OLD_SECONDS:
            return False
        os.lockf(output, os.F_TLOCK, 0)
        return True
    finally:
        os.close(output)
