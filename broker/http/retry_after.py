"""How long the other side asks to wait."""

from __future__ import annotations

from urllib3 import Retry
from urllib3.exceptions import HTTPError

LONGEST_SECONDS = 21600.0
"""The longest wait that is believed: six hours, as urllib3 has it since 2.6."""


def seconds_to_wait(retry_after: str | None) -> float | None:
    """Return the seconds that a `Retry-After` (seconds or a date) stands for.

    Returns:
        From 0 to `LONGEST_SECONDS`, or None if there is none that can be read.
    """
    if not retry_after:
        return None
    try:
        seconds = Retry().parse_retry_after(retry_after)
    except (HTTPError, ValueError, OverflowError):
        return None
    return float(min(max(seconds, 0), LONGEST_SECONDS))
