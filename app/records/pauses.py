"""Which providers are paused: their runs are accepted and queued, and none is started until they are resumed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from psycopg.rows import class_row

from app.database.storable import storable_text
from app.records.actions import LONGEST_NAME

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from psycopg import Connection

_COLUMNS = b"provider, paused_at, paused_by"


@dataclass(frozen=True)
class Pause:
    """A provider that is paused.

    Attributes:
        provider: Its name.
        paused_at: Since when.
        paused_by: Who has paused it.
    """

    provider: str
    paused_at: datetime
    paused_by: str

    def __str__(self) -> str:
        since = f"{self.paused_at:%Y-%m-%d %H:%M} UTC"
        return (
            f"{self.paused_by} has paused the provider {self.provider!r} at {since}: its runs wait until somebody "
            "resumes it"
        )


@dataclass(frozen=True)
class HeldProvider(Pause):
    """A provider that is paused, and what that holds up.

    Attributes:
        waiting: How many of its runs wait.
    """

    waiting: int = 0


def add(connection: Connection[Any], provider: str, who: str) -> bool:
    """Pause a provider; the caller commits.

    Returns:
        False if it is paused already.
    """
    return bool(
        connection.execute(
            "INSERT INTO paused_providers (provider, paused_by) VALUES (%(provider)s, %(who)s) ON CONFLICT DO NOTHING",
            {"provider": provider, "who": storable_text(who[:LONGEST_NAME])},
        ).rowcount
    )


def remove(connection: Connection[Any], provider: str) -> bool:
    """End the pause of a provider; the caller commits, and starts the runs that wait.

    Returns:
        False if it is not paused.
    """
    return bool(
        connection.execute(
            "DELETE FROM paused_providers WHERE provider = %(provider)s", {"provider": provider}
        ).rowcount
    )


def held(connection: Connection[Any], provider: str) -> Pause | None:
    """Return the pause of a provider, which nobody can end before the end of the transaction; None if there is none."""
    return _select(connection, b"WHERE provider = %(provider)s FOR SHARE", provider=provider)


def of(connection: Connection[Any], provider: str) -> Pause | None:
    """Return the pause of a provider; None if there is none."""
    return _select(connection, b"WHERE provider = %(provider)s", provider=provider)


def newest(connection: Connection[Any], providers: Iterable[str] | None = None, *, limit: int) -> list[Pause]:
    """Return the newest pauses, newest first.

    Args:
        connection: The open connection.
        providers: The providers that are asked for; all of them unless given.
        limit: How many there are at most.
    """
    names = None if providers is None else list(providers)
    with connection.cursor(row_factory=class_row(Pause)) as cursor:
        return cursor.execute(
            b"SELECT " + _COLUMNS + b" FROM paused_providers "
            b"WHERE %(names)s::text[] IS NULL OR provider = ANY(%(names)s::text[]) "
            b"ORDER BY paused_at DESC, provider LIMIT %(limit)s",
            {"names": names, "limit": limit},
        ).fetchall()


def with_waiting(connection: Connection[Any], *, limit: int) -> list[HeldProvider]:
    """Return the newest pauses, newest first, each with how many runs wait for its end."""
    with connection.cursor(row_factory=class_row(HeldProvider)) as cursor:
        return cursor.execute(
            b"SELECT " + _COLUMNS + b", (SELECT count(*) FROM runs "
            b"WHERE status = 'waiting' AND runs.provider = paused_providers.provider) AS waiting "
            b"FROM paused_providers ORDER BY paused_at DESC, provider LIMIT %(limit)s",
            {"limit": limit},
        ).fetchall()


def _select(connection: Connection[Any], rest: bytes, **values: Any) -> Pause | None:
    with connection.cursor(row_factory=class_row(Pause)) as cursor:
        return cursor.execute(b"SELECT " + _COLUMNS + b" FROM paused_providers " + rest, values).fetchone()
