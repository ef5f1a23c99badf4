"""What the headers of GitHub's answers tell about the token of the request. No I/O."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

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
            expires=read_time(str(headers.get("github-authentication-token-expiration", ""))),
            of_installation=token is not None and token.startswith(_INSTALLATION),
        )


def is_token(text: str) -> bool:
    """Tell whether a text can be a token, which is sent in a header: printable ASCII without spaces."""
    return text.isascii() and text.isprintable() and " " not in text and bool(text)


def read_time(text: str) -> datetime | None:
    """Return a time of GitHub's header: `2026-12-31 23:59:59 UTC`, or with an offset such as `+0100`.

    Returns:
        The time, or None for any other text.
    """
    match = re.fullmatch(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) (UTC|[+-]\d{4})", text.strip())
    if match is None:
        return None
    offset = "+0000" if match[2] == "UTC" else match[2]
    try:
        return datetime.strptime(f"{match[1]} {offset}", "%Y-%m-%d %H:%M:%S %z").astimezone(UTC)
    except (ValueError, OverflowError):
        return None
