"""Why an embedded PostgreSQL can't be used, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


class PostgresUnusable(Exception):
    """The server can't be started or used; the message says why, and what to do."""


def explained(folder: Path, reason: str) -> str:
    """Return a message: that the server can't be started, why, and what to do."""
    reason = " ".join(reason.split()).removeprefix("initdb: error: ")
    advice = "choose another data directory, or set DATABASE_URL to a PostgreSQL that runs"
    if is_full(reason):
        advice = "free some space on its disk, and start again"
    elif "Permission denied" in reason or "Operation not permitted" in reason or "Read-only" in reason:
        advice = (
            "it must belong to the user that runs this, and be writable; else choose another data directory"
        )
    return f"the PostgreSQL in {folder} can't be started: {reason or 'it ended without a message'}; {advice}"


def is_full(reason: str) -> bool:
    """Return whether a message says that a disk is full."""
    return "No space left" in reason or "Disk quota" in reason
