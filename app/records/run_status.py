"""Where a run stands, and its result. No I/O: commands that ask a receiver know these words too."""

from __future__ import annotations

from enum import StrEnum


class RunReason(StrEnum):
    """Why there is a run."""

    DISPATCHED = "dispatched"
    REDELIVERED = "redelivered"
    RECONCILED = "reconciled"


class RunStatus(StrEnum):
    """Where a run stands."""

    WAITING = "waiting"
    """For a worker, or for its next attempt."""
    RUNNING = "running"
    FINISHED = "finished"
    CANCELLED = "cancelled"

    @property
    def ended(self) -> bool:
        """Whether a run with this status is not going to change any more, but for its publishing."""
        return self in {RunStatus.FINISHED, RunStatus.CANCELLED}


class Publishing(StrEnum):
    """What became of the result of a run."""

    NONE = "none"
    """There is nothing to publish."""
    PENDING = "pending"
    """The broker has not taken it yet."""
    PUBLISHED = "published"
    REFUSED = "refused"
    """The broker did not take it, and is not asked again."""
