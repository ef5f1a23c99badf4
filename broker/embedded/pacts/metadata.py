"""The metadata in a pact's URL: which consumer versions the content was chosen for (no I/O).

It is the unpadded URL-safe base64 of a query: `cvn=1.0.1&w=true` from a webhook, `cv=1` from the latest pact,
`s[][l]=true&s[][cv]=1` from the pacts for verification, where `cv` is the id of a consumer version.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlencode

if TYPE_CHECKING:
    from collections.abc import Iterable

_MAX_SQLITE_INTEGER = 2**63 - 1


@dataclass(frozen=True)
class Metadata:
    """The consumer versions that a pact's URL names, by number and by id, and whether it was work in progress."""

    numbers: tuple[str, ...]
    ids: tuple[int, ...]
    wip: bool = False


def encode(pairs: Iterable[tuple[str, str]]) -> str:
    """Return the metadata segment for a query."""
    return base64.urlsafe_b64encode(urlencode(list(pairs)).encode()).decode().rstrip("=")


def decode(segment: str) -> Metadata:
    """Return the content of a metadata segment; one that can't be read has none, as with a real broker."""
    try:
        query = base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4)).decode()
    except ValueError:
        return Metadata((), ())
    pairs = parse_qsl(query)
    ids = (value for key, value in pairs if key in {"cv", "s[][cv]"} and value.isascii() and value.isdigit())
    return Metadata(
        numbers=tuple(value for key, value in pairs if key == "cvn"),
        ids=tuple(number for number in map(_small_int, ids) if number is not None),
        wip=("w", "true") in pairs,
    )


def _small_int(digits: str) -> int | None:
    number = int(digits) if len(digits) <= 19 else _MAX_SQLITE_INTEGER + 1
    return number if number <= _MAX_SQLITE_INTEGER else None
