"""The time limit of a request that is relayed (no I/O)."""

from __future__ import annotations

PART = 0.05
SECONDS = 0.25


def relayed_seconds(timeout: float) -> float:
    """Return how long a relay waits for an answer: less than the core, so that it can say why there is none.

    Args:
        timeout: How long the core waits.
    """
    return timeout - min(max(timeout * PART, SECONDS), timeout / 2)
