"""What the overview reads of what needs attention; `attention` puts it into words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, LiteralString, TypeVar

from psycopg.rows import class_row

from app.records.run import PAUSED_PROVIDER, UNKNOWN_PROVIDER

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime
    from uuid import UUID

    from psycopg import Connection

LATELY = "24 hours"
MOST_LINES = 6
"""Lines of one kind; one more than are shown."""
MOST_ROWS = 1000
"""Rows that the lines of one kind are made of."""

T = TypeVar("T")


@dataclass(frozen=True)
class BrokenPair:
    """A contract whose latest answer is a failure.

    Attributes:
        provider: The provider.
        consumer: The consumer.
        run_id: The run that has found it.
        at: When.
        failed: The number of interactions that failed.
        consumer_version: The version of the consumer.
        provider_version: The version of the provider.
        provider_branch: The branch of that.
    """

    provider: str
    consumer: str
    run_id: UUID
    at: datetime
    failed: int | None
    consumer_version: str | None
    provider_version: str | None
    provider_branch: str | None


@dataclass(frozen=True)
class Runs:
    """Runs of a provider with the same trouble.

    Attributes:
        provider: The provider.
        number: How many there are.
        run_id: One of them: the one whose turn is next, or the newest.
        error: What is wrong with that one.
        at: When it is tried again, or was found.
        consumer: The consumer of that one.
    """

    provider: str
    number: int
    run_id: UUID
    error: str | None
    at: datetime | None
    consumer: str | None


@dataclass(frozen=True)
class Refusals:
    """Deliveries of the last day that were refused for the same reason.

    Attributes:
        reason: The reason, in a word.
        number: How many there are: `MOST_ROWS` at most.
        detail: The reason for the newest one, in a sentence.
        at: When that came.
    """

    reason: str
    number: int
    detail: str | None
    at: datetime


@dataclass(frozen=True)
class LostWebhook:
    """A provider whose dispatches don't come.

    Attributes:
        provider: The provider.
        number: The runs of the last week that reconcile alone has found.
        at: When it found the last one.
    """

    provider: str
    number: int
    at: datetime


@dataclass(frozen=True)
class Pause:
    """A provider whose runs are held back.

    Attributes:
        provider: The provider.
        at: Since when.
        by: Who did it.
        reason: Why; None if it wasn't said.
    """

    provider: str
    at: datetime
    by: str
    reason: str | None


@dataclass(frozen=True)
class FailedStatuses:
    """Statuses of commits of a repository that GitHub did not take in the last day.

    Attributes:
        repository: The repository.
        number: How many there are.
        error: Why, of the newest one.
        at: When that was given up.
    """

    repository: str
    number: int
    error: str | None
    at: datetime


@dataclass(frozen=True)
class Troubles:
    """What needs attention; one more of a kind than are shown if there are more.

    Attributes:
        broken: Contracts that are broken now.
        not_published: Results that the broker has not taken, and that are tried again.
        not_taken: Results that the broker won't take, with no later one.
        unknown: Runs that wait for a provider that is not configured.
        lost_webhooks: Providers whose dispatches don't come.
        refusals: Deliveries that were refused lately.
        after_error: Runs that wait after an error.
        not_verified: Consumers that could not be verified the last time.
        statuses: Statuses of commits that GitHub did not take.
        paused: Providers whose runs are held back.
    """

    broken: list[BrokenPair]
    not_published: list[Runs]
    not_taken: list[Runs]
    unknown: list[Runs]
    lost_webhooks: list[LostWebhook]
    refusals: list[Refusals]
    after_error: list[Runs]
    not_verified: list[Runs]
    statuses: list[FailedStatuses]
    paused: list[Pause]


_OF_PROVIDERS: LiteralString = """
    SELECT provider, count(*) AS number, (array_agg(id ORDER BY at))[1] AS run_id,
        left((array_agg(error ORDER BY at))[1], 500) AS error, min(at) AS at,
        (array_agg(consumer ORDER BY at))[1] AS consumer
    FROM found GROUP BY provider ORDER BY min(at), provider LIMIT %(lines)s
"""
"""Makes `Runs` of what was found, with the earliest time first."""


def read_troubles(
    connection: Connection[Any], configured: Collection[str], unknown: Collection[str]
) -> Troubles:
    """Read what needs attention.

    Args:
        connection: The open connection.
        configured: The names of the providers in the configuration.
        unknown: The names of other providers that runs wait for.
    """

    def select(kind: type[T], query: LiteralString) -> list[T]:
        values = {
            "lines": MOST_LINES,
            "rows": MOST_ROWS,
            "lately": LATELY,
            "unknown": list(unknown)[:MOST_LINES],
            "of_unknown": UNKNOWN_PROVIDER,
            "of_paused": PAUSED_PROVIDER,
        }
        with connection.cursor(row_factory=class_row(kind)) as cursor:
            return cursor.execute(query, values).fetchall()

    return Troubles(
        broken=select(BrokenPair, _BROKEN),
        not_published=select(Runs, _NOT_PUBLISHED + _OF_PROVIDERS),
        not_taken=select(Runs, _NOT_TAKEN + _OF_PROVIDERS),
        unknown=select(Runs, _UNKNOWN + _OF_PROVIDERS) if unknown else [],
        # so many names are sooner compared here than planned for by the database
        lost_webhooks=[lost for lost in select(LostWebhook, _LOST_WEBHOOKS) if lost.provider in configured][
            :MOST_LINES
        ],
        refusals=select(Refusals, _REFUSALS),
        after_error=select(Runs, _AFTER_ERROR + _OF_PROVIDERS),
        not_verified=select(Runs, _NOT_VERIFIED),
        statuses=select(FailedStatuses, _STATUSES),
        paused=select(
            Pause,
            "SELECT provider, paused_at AS at, paused_by AS by, reason FROM paused_providers "
            "ORDER BY paused_at LIMIT %(lines)s",
        ),
    )


_BROKEN: LiteralString = """
    SELECT latest.provider, latest.consumer, runs.id AS run_id, coalesce(runs.verified_at, latest.ended_at) AS at,
        runs.failed_interactions AS failed, runs.consumer_version, runs.provider_version, runs.provider_branch
    FROM (SELECT * FROM latest_results WHERE broken AND consumer <> ''
          ORDER BY ended_at DESC, provider, consumer LIMIT %(lines)s) AS latest
    JOIN runs ON runs.id = latest.answer_id ORDER BY latest.ended_at DESC, latest.provider, latest.consumer
"""
_NOT_PUBLISHED: LiteralString = """
    WITH found AS (
        SELECT id, provider, consumer, publish_error AS error, finished_at AS at FROM runs
        WHERE publishing = 'pending' AND status = 'finished' AND publish_error IS NOT NULL
        ORDER BY finished_at LIMIT %(rows)s)
"""
_NOT_TAKEN: LiteralString = """
    WITH found AS (
        SELECT run.id, provider, consumer, run.publish_error AS error, run.finished_at AS at
        FROM (SELECT * FROM runs WHERE publishing = 'refused' AND finished_at > now() - interval '30 days'
              ORDER BY finished_at DESC LIMIT %(rows)s) AS run
        JOIN latest_results AS latest USING (provider, consumer) WHERE latest.answer_id = run.id)
"""
_UNKNOWN: LiteralString = """
    WITH found AS (
        SELECT id, provider, consumer, error, created_at AS at FROM runs
        WHERE status = 'waiting' AND provider = ANY(%(unknown)s) LIMIT %(rows)s)
"""
_AFTER_ERROR: LiteralString = """
    WITH found AS (
        SELECT id, provider, consumer, error, coalesce(retry_at, created_at) AS at FROM runs
        WHERE status = 'waiting' AND error_kind IS NOT NULL AND error_kind NOT IN (%(of_unknown)s, %(of_paused)s)
        ORDER BY retry_at LIMIT %(rows)s)
"""
_NOT_VERIFIED: LiteralString = """
    SELECT newest.provider, newest.number, newest.run_id, left(runs.error, 500) AS error, newest.at, runs.consumer
    FROM (
        SELECT provider, count(*) AS number, (array_agg(run_id ORDER BY ended_at DESC))[1] AS run_id,
            max(ended_at) AS at
        FROM latest_results WHERE outcome = 'error' AND ended_at > now() - interval '7 days'
        GROUP BY provider ORDER BY max(ended_at) DESC, provider LIMIT %(lines)s) AS newest
    JOIN runs ON runs.id = newest.run_id ORDER BY newest.at DESC, newest.provider
"""
_LOST_WEBHOOKS: LiteralString = """
    SELECT provider, number, at FROM (
        SELECT provider, count(*) AS number, max(created_at) AS at, (array_agg(id ORDER BY created_at DESC))[1] AS id
        FROM (SELECT id, provider, created_at FROM runs
              WHERE reason = 'reconciled' AND created_at > now() - interval '7 days'
              ORDER BY created_at DESC LIMIT %(rows)s) AS latest
        GROUP BY provider) AS found
    WHERE NOT EXISTS (SELECT 1 FROM runs WHERE runs.provider = found.provider AND reason = 'dispatched'
                      AND created_at > found.at)
      AND NOT EXISTS (SELECT 1 FROM deliveries WHERE run_id = found.id AND source IN ('api', 'github'))
    ORDER BY at DESC, provider
"""
_REFUSALS: LiteralString = """
    WITH RECURSIVE reason (name) AS (
        SELECT min(refusal) FROM deliveries WHERE refusal IS NOT NULL
        UNION ALL SELECT (SELECT min(refusal) FROM deliveries WHERE refusal > name) FROM reason WHERE name IS NOT NULL)
    SELECT name AS reason, number, detail, received_at AS at
    FROM reason CROSS JOIN LATERAL (
        SELECT count(*) AS number FROM (
            SELECT FROM deliveries WHERE refusal = name AND received_at > now() - %(lately)s::interval
            LIMIT %(rows)s) AS lately) AS counted
    CROSS JOIN LATERAL (
        SELECT detail, received_at FROM deliveries WHERE refusal = name
        ORDER BY received_at DESC, id DESC LIMIT 1) AS newest
    WHERE number > 0 ORDER BY number DESC, name
"""
_STATUSES: LiteralString = """
    SELECT repository, count(*) AS number, (array_agg(error ORDER BY at DESC))[1] AS error, max(at) AS at
    FROM (SELECT repository, error, finished_at AS at FROM commit_statuses
          WHERE result IN ('refused', 'given-up') AND finished_at > now() - %(lately)s::interval
          ORDER BY finished_at DESC LIMIT %(rows)s) AS failed
    GROUP BY repository ORDER BY at DESC, repository LIMIT %(lines)s
"""
