"""What became of the runs of one consumer and one provider, and since when it has been so."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from psycopg.rows import class_row

from verifier.verification import Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from psycopg import Connection

MOST_ANSWERS = 500
"""So many runs are looked through for the one with which something began."""


@dataclass(frozen=True)
class Answer:
    """A run that has ended with an outcome.

    Attributes:
        id: The run's id.
        at: When its outcome was known.
        outcome: The outcome.
        pending: Whether a failure of the pact doesn't count.
        consumer_version: The consumer's version.
        provider_version: The provider's version.
        branch: The provider's branch, as far as it is known.
    """

    id: UUID
    at: datetime
    outcome: Outcome
    pending: bool
    consumer_version: str | None
    provider_version: str | None
    branch: str | None

    def __post_init__(self) -> None:
        object.__setattr__(self, "outcome", Outcome(self.outcome))  # the database knows it as text


@dataclass(frozen=True)
class Streak:
    """The latest runs that have all passed, or all failed; errors in between don't count: they say nothing of the pact.

    Attributes:
        outcome: Passed or failed.
        first: The run with which it began, as far as it was looked back.
        latest: The newest one.
        length: How many there are.
        before: The last run before it that had the other outcome; None if there is none, or if it is too long ago.
    """

    outcome: Outcome
    first: Answer
    latest: Answer
    length: int
    before: Answer | None

    @property
    def changed(self) -> list[str]:
        """Which versions changed when it began: those of the consumer, of the provider, or both."""
        if self.before is None:
            return []
        sides = (("consumer", "consumer_version"), ("provider", "provider_version"))
        return [side for side, name in sides if getattr(self.before, name) != getattr(self.first, name)]


def answers(
    connection: Connection[Any], provider: str, consumer: str, *, most: int = MOST_ANSWERS
) -> list[Answer]:
    """Return the latest runs of a consumer and a provider that have an outcome, newest first.

    Args:
        connection: The open connection.
        provider: The provider's name.
        consumer: The consumer's name.
        most: How many there are at most.
    """
    with connection.cursor(row_factory=class_row(Answer)) as cursor:
        return cursor.execute(
            """
            SELECT id, coalesce(verified_at, finished_at, created_at) AS at, outcome, pending, consumer_version,
                provider_version, coalesce(provider_branch, branch) AS branch
            FROM runs
            WHERE provider = %(provider)s AND consumer = %(consumer)s AND outcome IS NOT NULL
                AND status = 'finished' AND error_kind IS DISTINCT FROM 'superseded'
            ORDER BY created_at DESC, id DESC LIMIT %(most)s
            """,
            {"provider": provider, "consumer": consumer, "most": most},
        ).fetchall()


def streak_of(newest_first: Sequence[Answer]) -> Streak | None:
    """Return the streak that the newest of some answers is of; None if none of them has passed or failed."""
    told = [answer for answer in newest_first if answer.outcome is not Outcome.ERROR]
    if not told:
        return None
    latest = told[0]
    length = next((n for n, answer in enumerate(told) if answer.outcome is not latest.outcome), len(told))
    before = told[length] if length < len(told) else None
    return Streak(latest.outcome, told[length - 1], latest, length, before)


def by_branch(newest_first: Sequence[Answer]) -> dict[str | None, list[Answer]]:
    """Return answers by the provider's branch; the branch of the newest one is the first."""
    found: dict[str | None, list[Answer]] = {}
    for answer in newest_first:
        found.setdefault(answer.branch, []).append(answer)
    return found
