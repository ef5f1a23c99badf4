"""Whether a failure is one of a full disk: a server that can't write its log ends, and doesn't always say why."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING

from app.database.database_url import DatabaseUnusable
from app.database.embedded.unusable import PostgresUnusable, is_full

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LEAST = 20_000_000
"""Bytes: less than this, and a server may find no room for the next 16 MB of its write-ahead log."""


@contextmanager
def full_disk_named(folder: Path) -> Iterator[None]:
    """Say of a failure in the block that the disk of a folder is full, if it is.

    Raises:
        DatabaseUnusable: There was a failure.
        PostgresUnusable: Likewise.
    """
    try:
        yield
    except (DatabaseUnusable, PostgresUnusable) as error:
        free = shutil.disk_usage(folder).free
        if free > LEAST or is_full(str(error)):
            raise
        raise DatabaseUnusable(
            f"{error}. No space left: {free / 1e6:.0f} MB are free in {folder.parent}; free some, and try again"
        ) from error
