"""Text and JSON that PostgreSQL can store: it takes neither NUL nor half a surrogate pair."""

from __future__ import annotations

from typing import Any


def storable_text(text: str) -> str:
    """Return a text with what can't be stored replaced: NUL by U+FFFD, halves of pairs by a question mark."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode()


def storable(document: Any) -> Any:
    """Return a copy of a JSON document whose texts and names can be stored."""
    if isinstance(document, str):
        return storable_text(document)
    if isinstance(document, dict):
        return {storable_text(name): storable(member) for name, member in document.items()}
    if isinstance(document, list | tuple):
        return [storable(member) for member in document]
    return document
