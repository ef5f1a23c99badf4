"""The limits of a request, and an answer that kept to them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from broker.http.reason import no_whole_answer
from broker.http.redirects import REDIRECTS

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_REDIRECTS = 5
"""The redirects that are followed, one after the other, where any are."""


@dataclass(frozen=True)
class Limits:
    """The limits of one request.

    Attributes:
        seconds: The time that the whole exchange may take, from the look-up of the host's name to the last byte.
        max_bytes: The largest body that is read, unpacked; 0 where only the head of the answer matters.
        silent_seconds: The time that may pass without a byte; `seconds` unless that is shorter.
        connect_seconds: The time that a connection may take to be made.
        stated: The seconds that messages name, if these are what is left of a longer limit.
    """

    seconds: float
    max_bytes: int
    silent_seconds: float = 30.0
    connect_seconds: float = 10.0
    stated: float | None = None

    @property
    def too_slow(self) -> str:
        """The reason that there was no whole answer in time."""
        return no_whole_answer(self.seconds if self.stated is None else self.stated)


@dataclass(frozen=True)
class Reply:
    """An answer.

    Attributes:
        status: The HTTP status.
        content: The body, unpacked; empty for a redirect, whose body is not read.
        is_whole: False if the body is larger than the limit, where it was cut off.
        headers: The headers, by names as they are spelt in documents: `Location`, `Retry-After`.
        reason: The text after the status.
        header_lines: The headers as they came, also several of one name; empty where nobody needs them.
    """

    status: int
    content: bytes = field(repr=False)
    is_whole: bool
    headers: Mapping[str, str] = field(default_factory=dict, repr=False, compare=False)
    reason: str = field(default="", compare=False)
    header_lines: tuple[tuple[str, str], ...] = field(default=(), repr=False, compare=False)

    @property
    def redirects_to(self) -> str | None:
        """The `Location` of a redirect, as it was sent; None if it is none."""
        return self.headers.get("Location") if self.status in REDIRECTS else None
