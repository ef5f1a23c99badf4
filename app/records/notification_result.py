"""What became of a message about changes. No I/O: commands that ask a receiver use these names too."""

from __future__ import annotations

from enum import StrEnum


class NotificationResult(StrEnum):
    """What became of a message."""

    WAITING = "waiting"
    SENT = "sent"
    REFUSED = "refused"
    GIVEN_UP = "given-up"
