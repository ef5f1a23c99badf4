"""The name of a pacticipant that people read: the given one, else the words of its name with capitals (no I/O)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from broker.embedded.storage.tables import Pacticipant

_BREAKS = (
    (re.compile(r"([A-Z])([A-Z])([a-z])"), r"\1 \2\3"),
    (re.compile(r"([a-z\d])([A-Z])(\S)"), r"\1 \2\3"),
    (re.compile(r"(\S)[-_\s.](\S)"), r"\1 \2"),
)
"""Where a real broker sees a new word, in its order."""


def shown_name(pacticipant: Pacticipant) -> str:
    """Return the display name."""
    return pacticipant.display_name or words_of(pacticipant.name)


def words_of(name: str) -> str:
    """Return a name in words: `Shop Front` for `shop-front` and `ShopFront`."""
    for pattern, replacement in _BREAKS:
        name = pattern.sub(replacement, name)
    return " ".join(word[:1].upper() + word[1:] for word in name.split())
