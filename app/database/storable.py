"""What PostgreSQL can hold: neither its texts nor its jsonb take NUL or half a surrogate pair."""

from __future__ import annotations

from typing import Any


def storable_text(text: str) -> str:
    """Replace what no text may have in it: by U+FFFD, or by a question mark."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode()


def storable(document: Any) -> Any:
    """Copy a JSON document, its texts and names made storable."""
    if isinstance(document, str):
        return storable_text(document)
    if isinstance(document, dict):
        return {storable_text(name): storable(member) for name, member in document.items()}
    if isinstance(document, list | tuple):
        return [storable(member) for member in document]
    return document
