"""The kinds of refusals that somebody was told of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from psycopg.rows import class_row

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime
    from uuid import UUID

    from psycopg import Connection


OF_ANYBODY = ("no-token", "bad-token", "no-secret", "bad-signature")
"""The kinds of refusals that need no credentials: whoever knows the name of a repository can bring them about."""
MOST_OF_ANYBODY = 10
"""So many of these are told in the time in which one is told once, of all providers together."""


@dataclass(frozen=True)
class RefusedKind:
    """A kind of refusals that came lately.

    Attributes:
        repository: The repository, in lower case.
        reason: Why they were refused.
        last_at: When the last one came.
        delivery_id: The last one.
        detail: What is said of that one.
        number: How many were stored since.
    """

    repository: str
    reason: str
    last_at: datetime
    delivery_id: UUID
    detail: str | None
    number: int


def refused_lately(connection: Connection[Any], repositories: Collection[str]) -> list[RefusedKind]:
    """Return the kinds of refusals for some repositories since somebody last looked, of the last day at most."""
    with connection.cursor(row_factory=class_row(RefusedKind)) as cursor:
        return cursor.execute(
            """
            SELECT lower(repository) AS repository, refusal AS reason, max(received_at) AS last_at,
                (array_agg(id ORDER BY received_at DESC))[1] AS delivery_id,
                (array_agg(detail ORDER BY received_at DESC))[1] AS detail, count(*) AS number
            FROM deliveries
            WHERE refusal IS NOT NULL AND lower(repository) = ANY(%(repositories)s)
                AND received_at > greatest(now() - interval '1 day',
                    (SELECT max(last_at) FROM told_refusals) - interval '2 hours')
            GROUP BY lower(repository), refusal ORDER BY 1, 2
            """,
            {"repositories": list(repositories)},
        ).fetchall()


def is_first_refusal(
    connection: Connection[Any], provider: str, kind: RefusedKind, *, quiet_hours: float
) -> bool:
    """Note a kind of refusals, and return whether it is to be told: there was none of it for some hours before.

    One that anybody can bring about is not noted while `MOST_OF_ANYBODY` others of this sort go on.

    Args:
        connection: The open connection; the caller commits.
        provider: The provider's name.
        kind: The refusals.
        quiet_hours: For how many hours.
    """
    row = connection.execute(
        """
        WITH before AS (
            SELECT last_at >= %(at)s - %(hours)s * interval '1 hour' AS goes_on FROM told_refusals
            WHERE provider = %(provider)s AND reason = %(reason)s FOR UPDATE),
        found AS (
            SELECT coalesce((SELECT goes_on FROM before), false) AS goes_on,
                %(reason)s <> ALL(%(of_anybody)s) OR %(most)s > (
                    SELECT count(*) FROM told_refusals WHERE reason = ANY(%(of_anybody)s)
                        AND last_at >= now() - %(hours)s * interval '1 hour') AS may_be_told),
        noted AS (
            INSERT INTO told_refusals AS told (provider, reason, last_at)
            SELECT %(provider)s, %(reason)s, %(at)s FROM found WHERE goes_on OR may_be_told
            ON CONFLICT (provider, reason) DO UPDATE SET last_at = greatest(told.last_at, excluded.last_at))
        SELECT NOT goes_on AND may_be_told FROM found
        """,
        {
            "provider": provider,
            "reason": kind.reason,
            "at": kind.last_at,
            "hours": quiet_hours,
            "of_anybody": list(OF_ANYBODY),
            "most": MOST_OF_ANYBODY,
        },
    ).fetchone()
    return row is not None and bool(row[0])


def delete_old(connection: Connection[Any], days: float) -> None:
    """Delete those of which there was none for as long as the history is kept, and for two days at least.

    Args:
        connection: The open connection; the caller commits.
        days: The age in days from which rows are deleted.
    """
    connection.execute(
        "DELETE FROM told_refusals WHERE last_at < now() - greatest(%(days)s, 2) * interval '1 day'",
        {"days": days},
    )
