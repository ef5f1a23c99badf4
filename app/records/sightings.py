"""What the workers last saw of the broker and of GitHub: a page that tells it asks neither."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from psycopg.types.json import Jsonb

from broker.text.times import read_time

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from psycopg import Connection


class Seen(StrEnum):
    """What was seen."""

    BROKER = "broker"
    """`error`: why it could not be asked; null if it has answered."""
    GITHUB_TOKEN = "github-token"  # noqa: S105 - no token
    """`expires`: when it expires, in ISO 8601; null if GitHub names no time."""


@dataclass(frozen=True)
class Sighting:
    """What was seen, and when.

    Attributes:
        at: When.
        found: What.
    """

    at: datetime
    found: Mapping[str, Any]

    @property
    def expires(self) -> datetime | None:
        """When the token expires that was seen; None if that is not known."""
        return read_time(self.found.get("expires"))

    @property
    def error(self) -> str | None:
        """Why what was looked at could not be asked; None if it has answered."""
        return self.found.get("error")


def note(connection: Connection[Any], seen: Seen, found: Mapping[str, Any]) -> None:
    """Store what was seen, in the place of what was seen before.

    Args:
        connection: The open connection; the caller commits.
        seen: What was looked at.
        found: JSON values.
    """
    connection.execute(
        "INSERT INTO sightings (name, at, found) VALUES (%(name)s, now(), %(found)s) "
        "ON CONFLICT (name) DO UPDATE SET at = excluded.at, found = excluded.found",
        {"name": seen, "found": Jsonb(dict(found))},
    )


def read(connection: Connection[Any]) -> dict[Seen, Sighting]:
    """Return what was last seen."""
    rows = connection.execute("SELECT name, at, found FROM sightings").fetchall()
    known = set(Seen)
    return {Seen(name): Sighting(at, found) for name, at, found in rows if name in known}
