"""URLs as messages show them."""

from __future__ import annotations

from urllib3.exceptions import LocationParseError
from urllib3.util import parse_url

LONGEST = 300


def shown_url(url: str) -> str:
    """Return a URL for a message: short, and without anything that could be a credential."""
    try:
        parts = parse_url(url)
    except LocationParseError:
        return "(a URL that can't be read)"
    shown = parts._replace(auth=None, query="..." if parts.query else None, fragment=None).url
    return shown if len(shown) <= LONGEST else shown[:LONGEST] + "..."
