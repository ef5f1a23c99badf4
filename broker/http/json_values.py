"""Values of a JSON document, by the names of the members that lead to them."""

from __future__ import annotations

from typing import Any


def value_at(document: Any, *path: str) -> Any:
    """Return the value at a path, or None if there is none."""
    for name in path:
        if not isinstance(document, dict):
            return None
        document = document.get(name)
    return document


def text_at(document: Any, *path: str) -> str | None:
    """Return the text at a path, or None if there is none."""
    found = value_at(document, *path)
    return found if isinstance(found, str) else None


def integer_at(document: Any, *path: str) -> int | None:
    """Return the integer at a path, or None if there is none."""
    found = value_at(document, *path)
    return found if isinstance(found, int) and not isinstance(found, bool) else None


def object_at(document: Any, *path: str) -> dict[str, Any]:
    """Return the object at a path; an empty one if there is none."""
    found = value_at(document, *path)
    return found if isinstance(found, dict) else {}


def objects_at(document: Any, *path: str) -> list[dict[str, Any]] | None:
    """Return the objects of the list at a path, or None if there is no list."""
    found = value_at(document, *path)
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else None
