"""Which providers are paused: their runs are accepted and queued, and none is started until they are resumed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from psycopg.rows import class_row

from app.database.storable import storable_text
from app.records.actions import LONGEST_NAME
from app.records.pause_change import PauseChange

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from psycopg import Connection

_COLUMNS = b"provider, paused_at, paused_by, reason"
LONGEST_REASON = 500
"""Characters of a reason, at most."""


@dataclass(frozen=True)
class Pause:
    """A provider that is paused.

    Attributes:
        provider: Its name.
        paused_at: Since when.
        paused_by: Who has paused it, or has given the reason since.
        reason: Why; None if it wasn't said.
    """

    provider: str
    paused_at: datetime
    paused_by: str
    reason: str | None

    def __str__(self) -> str:
        since = f"{self.paused_at:%Y-%m-%d %H:%M} UTC"
        return (
            f"{self.paused_by} has paused the provider {self.provider!r} at {since}"
            f"{f' ({self.reason})' if self.reason else ''}: its runs wait until somebody resumes it"
        )


@dataclass(frozen=True)
class HeldProvider(Pause):
    """A provider that is paused, and what that holds up.

    Attributes:
        waiting: How many of its runs wait.
    """

    waiting: int = 0


def kept_reason(reason: str | None) -> str | None:
    """Return a reason as it is kept; None if there is none."""
    return storable_text(reason.strip()[:LONGEST_REASON]) or None if reason else None


def add(
    connection: Connection[Any], provider: str, who: str, reason: str | None = None
) -> PauseChange | None:
    """Pause a provider; the caller commits.

    One that is paused already stays so, since then. Another reason takes the place of the former one, and who gives it
    is named for it; without a reason, nothing changes.

    Args:
        connection: The open connection.
        provider: Its name.
        who: Who pauses it.
        reason: Why.

    Returns:
        What has changed; None if nothing has.
    """
    row = connection.execute(
        """
        INSERT INTO paused_providers AS paused (provider, paused_by, reason)
        VALUES (%(provider)s, %(who)s, %(reason)s)
        ON CONFLICT (provider) DO UPDATE SET paused_by = excluded.paused_by, reason = excluded.reason
        WHERE excluded.reason <> coalesce(paused.reason, '')
        RETURNING xmax = 0  -- no transaction has changed or locked a new row
        """,
        {
            "provider": provider,
            "who": storable_text(who[:LONGEST_NAME]),
            "reason": kept_reason(reason),
        },
    ).fetchone()
    if row is None:
        return None
    return PauseChange.PAUSED if row[0] else PauseChange.REASON


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
