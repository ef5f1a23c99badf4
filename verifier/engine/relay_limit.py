"""The time limit of requests: of those that are relayed, and whether it has ended one (no I/O)."""

from __future__ import annotations

PART = 0.05
SECONDS = 0.25
ALMOST_ALL = 0.9
"""The part of the time limit after which a request is taken for one that was too slow."""


def relayed_seconds(timeout: float) -> float:
    """Return how long a relay waits for an answer: less than the core, so that it can say why there is none.

    Args:
        timeout: How long the core waits.
    """
    return timeout - min(max(timeout * PART, SECONDS), timeout / 2)


def was_too_slow(seconds: float, timeout: float) -> bool:
    """Return whether it was the time limit that ended a request which failed.

    Args:
        seconds: How long it took.
        timeout: How long the core waits; relays wait for a little less.
    """
    return seconds >= ALMOST_ALL * relayed_seconds(timeout)
