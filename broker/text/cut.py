"""Texts from elsewhere that are cut, for good or before their secrets are known (no I/O)."""

from __future__ import annotations

LONGEST_READ = 64 * 1024
"""The most bytes of a line, or of another text, that are read before it is redacted: far more than a secret has."""
CUT = "…"
"""What stands at the end of a text that was cut."""


def shortened(text: str) -> str:
    """Return a text that is not too long to be passed to where its secrets are known and it is cut for good."""
    return text if len(text) <= LONGEST_READ else text[:LONGEST_READ] + CUT


def beginning(text: str, longest: int) -> str:
    """Return a text without secrets, or as many characters of its beginning, of which the last is `CUT`."""
    return text if len(text) <= longest else text[: longest - len(CUT)] + CUT
