"""What the broker said of a provider when somebody last had a worker look, and whether one is looking."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from app.database.storable import storable, storable_text
from app.queue import jobs
from app.records.actions import LONGEST_NAME

if TYPE_CHECKING:
    from datetime import datetime

    from psycopg import Connection

PATIENCE_SECONDS = 600
"""After how long a look that was not answered may be asked for again."""


@dataclass(frozen=True)
class ProviderLook:
    """A look at a provider.

    Attributes:
        provider: The provider's name.
        asked_at: When somebody last asked for it.
        asked_by: Who did.
        queues: Whether what lacks a result is queued as well.
        answered_at: When the answer was made; None if there is none yet.
        answer: What was found, as `app.intake.provider_look` has it. It may be that of an earlier look.
        under_way: Whether a worker is looking, or about to.
    """

    provider: str
    asked_at: datetime
    asked_by: str
    queues: bool
    answered_at: datetime | None
    answer: dict[str, Any] | None
    under_way: bool


def get(connection: Connection[Any], provider: str) -> ProviderLook | None:
    """Return the last look at a provider; None if nobody has asked for one."""
    with connection.cursor(row_factory=class_row(ProviderLook)) as cursor:
        return cursor.execute(
            """
            SELECT provider, asked_at, asked_by, queues, answered_at, answer,
                (answered_at IS NULL OR answered_at < asked_at)
                AND asked_at > now() - %(patience)s * interval '1 second' AS under_way
            FROM provider_looks WHERE provider = %(provider)s
            """,
            {"provider": provider, "patience": PATIENCE_SECONDS},
        ).fetchone()


def ask(connection: Connection[Any], provider: str, who: str, *, queues: bool) -> bool:
    """Have a worker look at a provider; the caller commits.

    Returns:
        False if one is looking already, which is left to it.
    """
    asked = connection.execute(
        """
        INSERT INTO provider_looks AS look (provider, asked_by, queues) VALUES (%(provider)s, %(who)s, %(queues)s)
        ON CONFLICT (provider) DO UPDATE SET asked_at = now(), asked_by = excluded.asked_by, queues = excluded.queues
            WHERE look.answered_at >= look.asked_at OR excluded.queues AND NOT look.queues
                OR look.asked_at <= now() - %(patience)s * interval '1 second'
        """,
        {
            "provider": provider,
            "who": storable_text(who[:LONGEST_NAME]),
            "queues": queues,
            "patience": PATIENCE_SECONDS,
        },
    ).rowcount
    if asked:
        jobs.defer(connection, jobs.LOOK, queue=jobs.CHORES, lock=f"look at {provider}", provider=provider)
    return bool(asked)


def answer(connection: Connection[Any], look: ProviderLook, found: dict[str, Any]) -> None:
    """Store what was found; the caller commits."""
    connection.execute(
        """
        UPDATE provider_looks SET answer = %(found)s, answered_at = greatest(clock_timestamp(), asked_at)
        WHERE provider = %(provider)s AND asked_at = %(asked_at)s
        """,
        {"provider": look.provider, "asked_at": look.asked_at, "found": Jsonb(storable(found))},
    )


def delete_old(connection: Connection[Any], days: float, most: int) -> int:
    """Delete old looks, and return how many there were; see `app.records.retention`."""
    return connection.execute(
        """
        DELETE FROM provider_looks WHERE provider IN (
            SELECT provider FROM provider_looks
            WHERE greatest(asked_at, answered_at) < now() - %(days)s * interval '1 day'
            LIMIT %(most)s FOR UPDATE SKIP LOCKED)
        """,
        {"days": days, "most": most},
    ).rowcount
