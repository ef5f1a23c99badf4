"""What became of a pause; apart from what stores it, for those who only read it."""

from __future__ import annotations

from enum import StrEnum


class PauseChange(StrEnum):
    """What became of a pause."""

    PAUSED = "paused"
    REASON = "reason"
    """It was paused already: the reason is another one, and so is who is named for it."""
    RESUMED = "resumed"
