"""The rule for the names that a Pact Broker keeps: of pacticipants, versions, branches and tags.

A name is part of URLs, where one of dots means another place, and of indexes, which take no text of any length. Whoever
takes a name from outside checks it by this rule, so that what is accepted at one place is not refused at the next.
"""

from __future__ import annotations

LONGEST_NAME = 255
"""Characters of a name."""
NAME_RULE = f"must be 1 to {LONGEST_NAME} printable characters, and more than dots"
"""The rule as the end of a sentence about a name that breaks it."""


def is_name(text: str) -> bool:
    """Return whether a text can be a name."""
    return len(text) <= LONGEST_NAME and text.isprintable() and bool(text.strip(" ."))
