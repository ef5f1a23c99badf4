"""Removes files and folders, also those whose folders a build tool made read-only."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path


def remove(path: Path, *, ignore_errors: bool = False) -> None:
    """Remove a file or a folder, if it exists.

    Args:
        path: The file, the symbolic link or the folder.
        ignore_errors: Whether what can't be removed stays.

    Raises:
        OSError: It can't be removed.
    """
    if path.is_symlink() or path.is_file():
        path.unlink()
        return
    shutil.rmtree(path, ignore_errors=True)
    if path.exists():
        if (
            os.geteuid() != 0
        ):  # root needs no permissions, and must follow no link that another account puts there
            for folder, _, _ in os.walk(path):
                with suppress(OSError):
                    Path(folder).chmod(0o700)
        shutil.rmtree(path, ignore_errors=ignore_errors)
