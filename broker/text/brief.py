"""Moments and versions in a few characters, for tables and lists, where the whole is a title (no I/O)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

LONGEST_VERSION = 24
"""The most characters of a shortened version."""
KEPT_AT_END = 8
"""The characters at its end that a long version keeps: versions of one branch often differ there alone."""
COMMIT_ID_LENGTH = 8
"""The characters of a commit id that are shown, as git shows them."""

_COMMIT_ID = re.compile(
    r"(?<![0-9A-Za-z])(?:[0-9a-f]{64}|[0-9a-f]{40}|(?=\d*[a-f])[0-9a-f]{12,63})(?![0-9A-Za-z])"
)
"""A commit id in a version; only digits, unless they are 40 or 64, are rather a date or a build number."""
_UNITS = (("year", 365 * 86400), ("month", 30 * 86400), ("day", 86400), ("h", 3600), ("min", 60))


def short_version(text: str) -> str:
    """Return a version as a list shows it: at most 24 characters, and of a commit id what git shows of it."""
    text = _COMMIT_ID.sub(lambda found: found[0][:COMMIT_ID_LENGTH], text)
    if len(text) <= LONGEST_VERSION:
        return text
    return f"{text[: LONGEST_VERSION - KEPT_AT_END - 1]}…{text[-KEPT_AT_END:]}"


def ago(moment: datetime, now: datetime) -> str:
    """Return how long ago a moment was, or in how long it will be: `3 min ago`, `in 2 days`, `just now`.

    A unit that isn't over yet doesn't count: 119 seconds are `1 min ago`.
    """
    seconds = (now - moment).total_seconds()
    amount = _amount(abs(seconds))
    if amount == "0 s":
        return "just now"
    return f"{amount} ago" if seconds > 0 else f"in {amount}"


def _amount(seconds: float) -> str:
    for unit, length in _UNITS:
        number = int(seconds // length)
        if number:
            plural = "s" if number > 1 and length >= 86400 else ""
            return f"{number} {unit}{plural}"
    return f"{int(seconds)} s"
