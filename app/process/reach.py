"""Whether an account can get to a folder."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path


def closed_step(folder: Path, uid: int, groups: Collection[int | None]) -> Path | None:
    """Return the first folder on the way that is closed to an account; None if it can get there.

    Args:
        folder: Where to; it exists.
        uid: The id of the account.
        groups: The ids of its groups.
    """
    for step in reversed([folder, *folder.parents]):
        found = step.stat()
        if found.st_uid == uid:
            passable = found.st_mode & stat.S_IXUSR
        elif found.st_gid in groups:
            passable = found.st_mode & stat.S_IXGRP
        else:
            passable = found.st_mode & stat.S_IXOTH
        if not passable:
            return step
    return None
