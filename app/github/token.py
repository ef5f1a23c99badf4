"""What the headers of GitHub's answers tell about the token of the request. No I/O."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from broker.text.times import read_time

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

EXPIRATION = "github-authentication-token-expiration"
"""The header that says when the token of the request expires, such as `2026-12-31 23:59:59 +0200`."""
EXPIRES_SOON = timedelta(days=14)
"""The time before its end in which a token deserves a warning."""
CLOCKS_APART = timedelta(minutes=1)
"""How far the clocks of this machine, of a broker and of GitHub may be apart."""
_INSTALLATION = "ghs_"


@dataclass(frozen=True)
class TokenFacts:
    """What GitHub shows about the token of a request.

    Attributes:
        scopes: The scopes of a classic token; None for any other.
        expires: When it expires; None if never, or if GitHub doesn't say.
        of_installation: Whether it is an App's or the GITHUB_TOKEN of a workflow, which expires after an hour.
    """

    scopes: frozenset[str] | None = None
    expires: datetime | None = None
    of_installation: bool = False

    @classmethod
    def read(cls, headers: Mapping[str, str | int], token: str | None = None) -> TokenFacts:
        """Return the facts in an answer's headers, whose names are in lower case."""
        scopes = headers.get("x-oauth-scopes")
        return cls(
            scopes=None if scopes is None else frozenset(re.findall(r"[^\s,]+", str(scopes))),
            expires=read_time(headers.get(EXPIRATION)),
            of_installation=token is not None and token.startswith(_INSTALLATION),
        )


def is_token(text: str) -> bool:
    """Tell whether a text can be a token, which is sent in a header: printable ASCII without spaces."""
    return text.isascii() and text.isprintable() and " " not in text and bool(text)


def has_expired(expires: datetime, now: datetime) -> bool:
    """Return whether a token has expired beyond doubt; GitHub takes it until that moment, by its own clock."""
    return expires < now - CLOCKS_APART


def days_left(expires: datetime | None, now: datetime) -> int | None:
    """Return the whole days until a token expires, 0 if it has, or None if that is not soon."""
    if expires is None or expires - now > EXPIRES_SOON:
        return None
    return max((expires - now).days, 0)
