"""The one rule by which times are read that come from elsewhere: a broker, GitHub, a receiver, a file."""

from __future__ import annotations

import re
from datetime import UTC, datetime

EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
"""Nothing that is read here happened before: an earlier time is none."""

_ZONE = re.compile(r"\s*(?:(?P<utc>UTC|GMT|Z)|(?P<offset>[+-]\d\d(?::?\d\d)?))$", re.IGNORECASE)
_LONGEST = 64


def read_time(text: object) -> datetime | None:
    """Return a time in UTC.

    Args:
        text: ISO 8601, with `T` or a blank before the time of day, and a zone in any of the forms that are in use: `Z`,
            `UTC`, `+02:00` or `+0200`, after a blank or not. Without a zone it is UTC.

    Returns:
        The time, or None for anything else, and for what is no possible time.
    """
    if not isinstance(text, str) or len(text) > _LONGEST:
        return None
    text = text.strip()
    zone = _ZONE.search(text) if ":" in text else None  # the end of a date alone looks like an offset
    if zone is not None:
        text = text[: zone.start()] + (zone["offset"] or "+00:00")
    try:
        found = datetime.fromisoformat(text)
        found = found.replace(tzinfo=found.tzinfo or UTC).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return found if found >= EARLIEST else None
