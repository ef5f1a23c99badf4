"""The form of a git commit id."""

from __future__ import annotations

import re

COMMIT_ID = "[0-9a-fA-F]{7,64}"
"""The regular expression of a commit id: whole, or shortened to at least 7 digits as git's own output is."""

_COMMIT_ID = re.compile(COMMIT_ID)
_FULL_LENGTHS = frozenset({40, 64})


def is_commit_id(text: str) -> bool:
    """Tell whether a text has the form of a commit id, whole or shortened."""
    return _COMMIT_ID.fullmatch(text) is not None


def is_full_commit_id(text: str) -> bool:
    """Tell whether a text has the form of a whole commit id, which is a SHA-1 or a SHA-256."""
    return is_commit_id(text) and len(text) in _FULL_LENGTHS
