"""The part of a payload that is stored: without secrets, of a limited size, and fit for PostgreSQL."""

from __future__ import annotations

import re
from typing import Any

from app.database.storable import storable_text
from broker.text.redaction import Redaction
from broker.text.secret_names import STARS, is_secret_name

LONGEST = 8000
"""Characters of a text that are stored."""
MAX_DEPTH = 100

_SECRET_VALUE = re.compile(
    r"gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,}|(?<=://)[^/@\s]+(?=@)|(?<=Bearer )\S+"
)
"""GitHub's tokens, the user part of URLs, bearer tokens."""


def redacted(document: Any, known: Redaction = Redaction(())) -> Any:  # noqa: B008 - it can't change
    """Return a copy of a JSON document without what may be a secret, and without what PostgreSQL can't store.

    Args:
        document: The document.
        known: What takes out secrets that are known, such as the token of the sender.
    """
    if isinstance(document, str):
        return _SECRET_VALUE.sub(STARS, known.text(storable_text(document)))[
            :LONGEST
        ]  # a token may cross the cut
    if isinstance(document, dict):
        return {
            redacted(name, known): STARS if is_secret_name(name) and member else redacted(member, known)
            for name, member in document.items()
        }
    if isinstance(document, list):
        return [redacted(member, known) for member in document]
    return document


def is_whole(document: Any) -> bool:
    """Tell whether `redacted` has left a document as it was."""
    if isinstance(document, str):
        return STARS not in document and len(document) < LONGEST
    if isinstance(document, dict):
        return all(is_whole(name) and is_whole(member) for name, member in document.items())
    return not isinstance(document, list) or all(map(is_whole, document))
