"""The description of a secret, which says what token is in it (no I/O).

A broker shows nobody the secrets that it keeps. So that a second setup needn't write them all again, and one for
another repository doesn't replace the first one's token, the description names the holder of the token, and has a
fingerprint that tells whether a token is the same.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

SHORTEST = 20
"""The characters of the shortest token with a fingerprint: a shorter token could be guessed from it."""
_TEXT = re.compile(r"pact-dispatch setup: dispatches to (\S+?)(?: until [-\d]+)?(?: \[([0-9a-f]{8})\])?")


@dataclass(frozen=True)
class TokenDescription:
    """The holder of a token, and its fingerprint.

    Attributes:
        holder: The repository or the receiver that the token is for.
        fingerprint: None if the token is too short for one.
    """

    holder: str
    fingerprint: str | None

    @classmethod
    def read(cls, text: str | None) -> TokenDescription | None:
        """Read the description of a secret; return None if no setup wrote it."""
        match = _TEXT.fullmatch(text or "")
        return None if match is None else cls(match[1], match[2])

    def text(self, expires: datetime | None) -> str:
        """Return the text of the description."""
        until = f" until {expires:%Y-%m-%d}" if expires else ""
        return with_mark(f"pact-dispatch setup: dispatches to {self.holder}{until}", self.fingerprint)

    def is_of_same_token(self, other: TokenDescription | None) -> bool:
        """Tell whether the token is known to be the same."""
        return other is not None and self.fingerprint is not None and self.fingerprint == other.fingerprint


def fingerprint(token: str, place: str) -> str | None:
    """Return the fingerprint of a token.

    Args:
        token: The token.
        place: The broker that keeps it; with another one, the fingerprint differs.

    Returns:
        8 hexadecimal digits, or None if the token is too short.
    """
    if len(token) < SHORTEST:
        return None
    salt = f"pact-dispatch setup {place}".encode()
    return hashlib.scrypt(token.encode(), salt=salt, n=2**14, r=8, p=1, dklen=4).hex()


def with_mark(text: str, value: str | None) -> str:
    """Return a description with a mark at its end, by which what a broker hides is known again."""
    return text if value is None else f"{text} [{value}]"
