"""What the page of a run reads. Each part has a limit, whatever the pact, the provider and its log have."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from psycopg.rows import class_row, dict_row

from app.records.run import Run
from app.records.runs import COLUMNS
from verifier.verification import InteractionResult, Outcome

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from psycopg import Connection

MOST_UNMET = 60
"""Interactions that did not pass, and are read as a whole."""
MOST_PASSED = 50
"""Interactions that passed, and are listed."""
MOST_MEMBERS = 50
"""Pacts of a run for every pact on a page of them."""


@dataclass(frozen=True)
class PassedInteraction:
    """An interaction that passed, as it is listed."""

    description: str
    request: str
    duration: float | None


@dataclass(frozen=True)
class Interactions:
    """The interactions of a verification.

    Attributes:
        failed: How many failed, without those that are pending.
        errors: How many could not be verified.
        pending: How many failed, and are pending.
        passed: How many passed.
        unmet: Those that did not pass, at most `MOST_UNMET`: failed ones first, pending ones last.
        first_passed: The first that passed, at most `MOST_PASSED`.
        notes: What else the reader should know.
        seconds: How long the verification took.
        publish_url: The broker's link for publishing results of the very pact that was verified.
    """

    failed: int
    errors: int
    pending: int
    passed: int
    unmet: tuple[InteractionResult, ...]
    first_passed: tuple[PassedInteraction, ...]
    notes: tuple[str, ...] = ()
    seconds: float | None = None
    publish_url: str | None = None

    @property
    def total(self) -> int:
        """How many there are."""
        return self.failed + self.errors + self.pending + self.passed


def interactions_of(connection: Connection[Any], run_id: UUID) -> Interactions | None:
    """Return the interactions of a run's verification; None if it has none (yet)."""
    with connection.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(
            """
            WITH saved AS MATERIALIZED (  -- the verification, which may have megabytes, is unpacked once
                SELECT parts.notes, parts.duration, parts.links ->> 'publish' AS publish_url,
                    CASE jsonb_typeof(parts.interactions) WHEN 'array' THEN parts.interactions ELSE '[]' END
                        AS interactions
                FROM runs, jsonb_to_record(verification)
                    AS parts (notes jsonb, duration double precision, interactions jsonb, links jsonb)
                WHERE id = %(id)s AND verification IS NOT NULL),
            interactions AS MATERIALIZED (
                SELECT one, place, one ->> 'outcome' AS outcome,
                    coalesce(one -> 'pending' = 'true', false) AS pending
                FROM saved, jsonb_array_elements(interactions) WITH ORDINALITY AS all_of (one, place))
            SELECT notes, duration AS seconds, publish_url,
                (SELECT count(*) FROM interactions WHERE outcome = 'failed' AND NOT pending) AS failed,
                (SELECT count(*) FROM interactions WHERE outcome = 'failed' AND pending) AS pending,
                (SELECT count(*) FROM interactions WHERE outcome = 'error') AS errors,
                (SELECT count(*) FROM interactions WHERE outcome = 'passed') AS passed,
                (SELECT coalesce(jsonb_agg(one), '[]') FROM (
                    SELECT one FROM interactions WHERE outcome <> 'passed'
                    ORDER BY outcome <> 'failed' OR pending, pending, place LIMIT %(unmet)s) AS chosen) AS unmet,
                (SELECT coalesce(jsonb_agg(one), '[]') FROM (
                    SELECT jsonb_build_array(one -> 'description', one -> 'request', one -> 'duration') AS one
                    FROM interactions WHERE outcome = 'passed' ORDER BY place LIMIT %(passed)s) AS chosen)
                AS first_passed
            FROM saved
            """,
            {"id": run_id, "unmet": MOST_UNMET, "passed": MOST_PASSED},
        ).fetchone()
    if row is None:
        return None
    unmet = tuple(filter(None, map(_result, row["unmet"])))
    passed = tuple(
        PassedInteraction(str(name), str(request or ""), duration)
        for name, request, duration in row["first_passed"]
    )
    notes = tuple(map(str, row["notes"] or ()))
    counts = {name: row[name] for name in ("failed", "errors", "pending", "passed", "seconds", "publish_url")}
    return Interactions(**counts, unmet=unmet, first_passed=passed, notes=notes)


def _result(saved: Any) -> InteractionResult | None:
    """Return a saved result; None if another version of this program saved it, and it can't be read."""
    try:
        return InteractionResult.from_dict(saved)
    except ValueError:
        return None


@dataclass(frozen=True)
class Members:
    """The runs of the pacts that a run for every pact is for.

    Attributes:
        shown: Those of a page, what did not pass first.
        pacts: How many pacts have an outcome, with the version of the provider that counts.
        failed: How many of these failed, without pending ones.
        errors: How many of these could not be verified, likewise.
        interactions: How many interactions they have.
        failed_interactions: How many of those failed.
        all: How many runs there are, with those of other versions.
        not_published: How many results the broker has not taken.
    """

    shown: tuple[Run, ...]
    pacts: int
    failed: int
    errors: int
    interactions: int
    failed_interactions: int
    all: int
    not_published: int

    @property
    def pages(self) -> int:
        """How many pages there are."""
        return -(-self.all // MOST_MEMBERS)


def members_of(connection: Connection[Any], run: Run, *, page: int) -> Members:
    """Return the pacts of a run for every pact.

    Args:
        connection: The open connection.
        run: The run.
        page: The number of the page of them, from 1.
    """
    values = {
        "id": run.id,
        "version": run.provider_version,
        "most": MOST_MEMBERS,
        "skip": (page - 1) * MOST_MEMBERS,
    }
    with connection.cursor(row_factory=class_row(Run)) as cursor:
        shown = cursor.execute(
            f"""
            SELECT {COLUMNS} FROM runs WHERE parent_id = %(id)s
            ORDER BY coalesce(provider_version <> %(version)s, false), pending,
                CASE outcome WHEN 'failed' THEN 0 WHEN 'error' THEN 1 ELSE 2 END, consumer, consumer_version, id
            LIMIT %(most)s OFFSET %(skip)s
            """,  # noqa: S608 - constants
            values,
        ).fetchall()
    row = connection.execute(
        """
        WITH members AS (
            SELECT *, NOT coalesce(provider_version <> %(version)s, false) AS counts FROM runs
            WHERE parent_id = %(id)s)
        SELECT count(*) FILTER (WHERE counts),
            count(*) FILTER (WHERE counts AND outcome = 'failed' AND NOT pending),
            count(*) FILTER (WHERE counts AND outcome = 'error' AND NOT pending),
            coalesce(sum(interactions) FILTER (WHERE counts), 0),
            coalesce(sum(failed_interactions) FILTER (WHERE counts), 0),
            count(*), count(*) FILTER (WHERE publishing IN ('pending', 'refused'))
        FROM members
        """,
        values,
    ).fetchone()
    assert row is not None  # noqa: S101 - the statement always returns one
    return Members(tuple(shown), *row)


@dataclass(frozen=True)
class Neighbour:
    """Another run of the same consumer and provider."""

    id: UUID
    provider_version: str | None
    consumer_version: str | None
    created_at: datetime


@dataclass(frozen=True)
class Breakage:
    """When a pair broke.

    Attributes:
        last_passed: The newest run before that passed; None if none is kept.
        first_failed: The oldest run since then that failed; None if it is the run itself.
    """

    last_passed: Neighbour | None
    first_failed: Neighbour | None


def breakage_of(connection: Connection[Any], run: Run) -> Breakage | None:
    """Return since when the consumer and the provider of a run that failed don't fit; None of other runs."""
    if run.outcome is not Outcome.FAILED or run.pending or run.is_for_all_pacts or not run.consumer:
        return None
    passed = _neighbour(connection, run, "outcome = 'passed' AND created_at < %(created)s", newest=True)
    since = "outcome = 'failed' AND NOT pending AND created_at < %(created)s"
    if passed is None:
        return Breakage(None, None)
    failed = _neighbour(
        connection, run, f"{since} AND created_at > %(passed)s", newest=False, passed=passed.created_at
    )
    return Breakage(passed, failed)


def _neighbour(
    connection: Connection[Any], run: Run, condition: str, *, newest: bool, passed: datetime | None = None
) -> Neighbour | None:
    order = "DESC" if newest else "ASC"
    with connection.cursor(row_factory=class_row(Neighbour)) as cursor:
        return cursor.execute(
            "SELECT id, provider_version, consumer_version, created_at FROM runs "  # noqa: S608 - constants
            f"WHERE provider = %(provider)s AND consumer = %(consumer)s AND {condition} "
            f"ORDER BY created_at {order}, id {order} LIMIT 1".encode(),
            {"provider": run.provider, "consumer": run.consumer, "created": run.created_at, "passed": passed},
        ).fetchone()
