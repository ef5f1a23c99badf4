"""What the headers of GitHub's answers tell of the token that asked (no I/O)."""

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
    """What GitHub shows of the token that asked.

    Attributes:
        scopes: of a classic token; None for any other.
        expires: when it stops working; None if never, or if GitHub doesn't say.
        of_installation: it is an App's, or the GITHUB_TOKEN of a workflow: it lives for an hour at most.
    """

    scopes: frozenset[str] | None = None
    expires: datetime | None = None
    of_installation: bool = False

    @classmethod
    def read(cls, headers: Mapping[str, str | int], token: str | None = None) -> TokenFacts:
        """Read them from an answer's headers, whose names are in lower case."""
        scopes = headers.get("x-oauth-scopes")
        return cls(
            scopes=None if scopes is None else frozenset(re.findall(r"[^\s,]+", str(scopes))),
            expires=read_time(str(headers.get("github-authentication-token-expiration", ""))),
            of_installation=token is not None and token.startswith(_INSTALLATION),
        )


def read_time(text: str) -> datetime | None:
    """Read a time as GitHub's header has it: `2026-12-31 23:59:59 UTC`, or with an offset such as `+0100`.

    Returns:
        None for anything else.
    """
    match = re.fullmatch(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) (UTC|[+-]\d{4})", text.strip())
    if match is None:
        return None
    offset = "+0000" if match[2] == "UTC" else match[2]
    try:
        return datetime.strptime(f"{match[1]} {offset}", "%Y-%m-%d %H:%M:%S %z").astimezone(UTC)
    except ValueError:
        return None
