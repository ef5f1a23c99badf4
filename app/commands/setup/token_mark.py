"""What a secret's description says of the token in it (no I/O).

A broker shows nobody the secrets that it keeps, so that a second setup could only write them all anew, and one for
another repository would take the first one's token away. The description tells whom the token is for, and has a mark
that tells, without showing a token, whether it is the one at hand.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

SHORTEST = 20
"""Characters of a token that gets a mark: a shorter one could be guessed, and each guess held against the mark."""
_TEXT = re.compile(r"pact-dispatch setup: dispatches to (\S+?)(?: until [-\d]+)?(?: \[([0-9a-f]{8})\])?")


@dataclass(frozen=True)
class TokenDescription:
    """Whom a token is for, and its mark.

    Attributes:
        holder: the repository, or the receiver.
        mark: None where the token is too short for one.
    """

    holder: str
    mark: str | None

    @classmethod
    def read(cls, text: str | None) -> TokenDescription | None:
        """Read a secret's description; None where it was not written by a setup."""
        match = _TEXT.fullmatch(text or "")
        return None if match is None else cls(match[1], match[2])

    def text(self, expires: datetime | None) -> str:
        """Write it."""
        until = f" until {expires:%Y-%m-%d}" if expires else ""
        return marked(f"pact-dispatch setup: dispatches to {self.holder}{until}", self.mark)

    def is_of_same_token(self, other: TokenDescription | None) -> bool:
        """Tell whether it is known that the token is the same."""
        return other is not None and self.mark is not None and self.mark == other.mark


def mark_of(token: str, place: str) -> str | None:
    """Give the mark of a token.

    Args:
        token: the token.
        place: where it is kept; the same token has another mark elsewhere.

    Returns:
        8 hexadecimal digits; None for a token too short for one.
    """
    if len(token) < SHORTEST:
        return None
    salt = f"pact-dispatch setup {place}".encode()
    return hashlib.scrypt(token.encode(), salt=salt, n=2**14, r=8, p=1, dklen=4).hex()


def marked(text: str, mark: str | None) -> str:
    """Put a mark at the end of a description."""
    return text if mark is None else f"{text} [{mark}]"
