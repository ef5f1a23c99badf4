"""How each pact stands by what was told of it, and which runs may have changed that."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

from psycopg.rows import class_row

from app.database.storable import storable_text
from app.records.newest_versions import HAS_RUNS, SILENT_DAYS
from app.records.runs import select_many
from verifier.verification import Outcome

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from datetime import datetime
    from uuid import UUID

    from psycopg import Connection

    from app.records.run import Run

MOST_RUNS = 500
"""So many runs are looked at in one transaction."""
MOST_BEFORE = 100
"""So many runs of a pact are looked through for its last answer, where nothing was told of it yet."""
LONGEST_NAMES = 600
"""Characters of a consumer and a provider, at most: a row of an index has room for about 2,700 bytes."""
_IS_AMISS = "(answer IS NOT DISTINCT FROM 'failed' OR error_since IS NOT NULL)"
_HAS_RUNS = f"""
(CASE WHEN known.line = '' AND known.consumer <> '' THEN EXISTS (
    SELECT FROM runs WHERE runs.provider = known.provider AND runs.consumer = known.consumer)
ELSE {HAS_RUNS} END)
"""
"""Whether the history has a run of the pact of a row of `known`; of one of another branch: of that branch."""


@dataclass(frozen=True)
class Standing:
    """How a pact stands by what was told of it; see `app/database/migrations/0018_notifications.sql`."""

    provider: str
    consumer: str
    line: str
    answer: Outcome | None = None
    run_id: UUID | None = None
    asked_at: datetime | None = None
    consumer_version: str | None = None
    provider_version: str | None = None
    error_since: datetime | None = None
    error_run_id: UUID | None = None
    error: str | None = None
    told_of_error: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "answer", Outcome(self.answer) if self.answer else None)

    @property
    def key(self) -> tuple[str, str]:
        """What tells it apart from the others of its provider."""
        return self.consumer, self.line


_FIELDS = ", ".join(field.name for field in fields(Standing))


def changes_nothing(connection: Connection[Any], run: Run, line: str, *, by_version: bool) -> bool:
    """Return whether a run that has ended says what was told already, and nobody has to look.

    Only where the runs of a provider follow each other: the end of an earlier one may be stored after this.

    Args:
        connection: The open connection.
        run: The run.
        line: Its line.
        by_version: Whether its version must be known as the newest one; see `app.records.newest_versions`.
    """
    row = connection.execute(
        """
        SELECT coalesce((
                SELECT (answer = %(outcome)s OR %(outcome)s IS NULL) AND error_since IS NULL FROM told_outcomes
                WHERE provider = %(provider)s AND consumer = %(consumer)s AND line = %(line)s),
                %(outcome)s::text IS NULL)
            AND NOT EXISTS (SELECT 1 FROM notable_runs WHERE provider = %(provider)s)
            AND NOT EXISTS (
                SELECT 1 FROM told_outcomes
                WHERE provider = %(provider)s AND consumer = '' AND line = %(line)s AND error_since IS NOT NULL)
            AND (NOT %(by_version)s OR EXISTS (
                SELECT 1 FROM newest_versions
                WHERE provider = %(provider)s AND line = %(line)s AND version = %(version)s))
        """,
        {
            "provider": run.provider,
            "consumer": run.consumer or "",
            "line": line,
            "outcome": run.outcome,
            "by_version": by_version,
            "version": run.provider_version,
        },
    ).fetchone()
    return row is not None and bool(row[0])


def note(connection: Connection[Any], run: Run) -> bool:
    """Note that somebody has to look at a run.

    Returns:
        Whether nobody is about to: its provider has no other such run that nobody looks at just now. Such a run is
        locked until the transaction ends: who looks meanwhile leaves it, and sees that there is more (`is_noted`). So
        is the run itself, if it was noted before: who takes it meanwhile would see it as it was.
    """
    values = {"id": run.id, "provider": run.provider}
    another = connection.execute(
        "SELECT 1 FROM notable_runs WHERE provider = %(provider)s ORDER BY noted_at LIMIT 1 FOR UPDATE SKIP LOCKED",
        values,
    ).fetchone()
    connection.execute(
        "INSERT INTO notable_runs (run_id, provider) VALUES (%(id)s, %(provider)s) "
        "ON CONFLICT (run_id) DO UPDATE SET provider = excluded.provider",
        values,
    )
    return another is None


def is_noted(connection: Connection[Any], provider: str) -> bool:
    """Return whether somebody has to look at a run of a provider."""
    found = connection.execute(
        "SELECT 1 FROM notable_runs WHERE provider = %(provider)s LIMIT 1", {"provider": provider}
    ).fetchone()
    return found is not None


def noted(connection: Connection[Any], provider: str) -> list[Run]:
    """Return the runs of a provider that somebody has to look at, in the order in which they were asked for."""
    return select_many(
        connection,
        "SELECT {columns} FROM runs WHERE id IN ("
        "SELECT run_id FROM notable_runs WHERE provider = %(provider)s ORDER BY noted_at LIMIT %(most)s) "
        "ORDER BY created_at, id",
        provider=provider,
        most=MOST_RUNS,
    )


def lock(connection: Connection[Any], provider: str) -> None:
    """Let nobody else look at the runs of a provider until the transaction ends.

    How a pact stands is no row to lock before something was told of it.
    """
    connection.execute(
        "SELECT pg_advisory_xact_lock(hashtextextended(%(lock)s, 0))", {"lock": f"told of {provider}"}
    )


def take(connection: Connection[Any], provider: str) -> list[Run]:
    """Return the same runs, which are looked at by then; nobody else gets any of them."""
    with connection.cursor() as cursor:
        taken = cursor.execute(
            """
            DELETE FROM notable_runs WHERE run_id IN (
                SELECT run_id FROM notable_runs WHERE provider = %(provider)s
                ORDER BY noted_at LIMIT %(most)s FOR UPDATE SKIP LOCKED)
            RETURNING run_id
            """,
            {"provider": provider, "most": MOST_RUNS},
        ).fetchall()
    return select_many(
        connection,
        "SELECT {columns} FROM runs WHERE id = ANY(%(ids)s) ORDER BY created_at, id",
        ids=[run_id for (run_id,) in taken],
    )


def providers_to_look_at(
    connection: Connection[Any], *, noted_before: float, outages: Mapping[str, float]
) -> list[str]:
    """Return the providers of which somebody may have to be told something.

    Args:
        connection: The open connection.
        noted_before: How many seconds ago a run was noted, at least.
        outages: After how many minutes somebody is told that a pact can't be verified, by the provider.
    """
    rows = connection.execute(
        """
        SELECT DISTINCT provider FROM notable_runs WHERE noted_at < now() - %(seconds)s * interval '1 second'
        UNION
        SELECT told.provider FROM told_outcomes AS told
            JOIN unnest(%(providers)s::text[], %(minutes)s::float8[]) AS known (provider, minutes) USING (provider)
            WHERE error_since < now() - minutes * interval '1 minute' AND NOT told_of_error
        ORDER BY 1
        """,
        {"seconds": noted_before, "providers": list(outages), "minutes": list(outages.values())},
    )
    return [provider for (provider,) in rows]


def longest_noted(connection: Connection[Any], provider: str) -> float | None:
    """Return for how many seconds a run of a provider has been noted; None if there is none."""
    row = connection.execute(
        "SELECT extract(epoch FROM now() - min(noted_at))::float8 FROM notable_runs WHERE provider = %(provider)s",
        {"provider": provider},
    ).fetchone()
    found: float | None = row[0] if row else None
    return found


def members_of(connection: Connection[Any], parent_ids: Iterable[UUID]) -> dict[UUID, list[Run]]:
    """Return the runs of the pacts of runs for every pact, by the run that they are of."""
    found: dict[UUID, list[Run]] = {}
    members = select_many(
        connection,
        "SELECT {columns} FROM runs WHERE parent_id = ANY(%(ids)s) ORDER BY verified_at, id",
        ids=list(parent_ids),
    )
    for member in members:
        if member.parent_id is not None:
            found.setdefault(member.parent_id, []).append(member)
    return found


def standings(
    connection: Connection[Any], provider: str, consumers: Collection[str], *, outage_minutes: float
) -> list[Standing]:
    """Return how some pacts of a provider stand, and those that could not be verified for long; they are locked."""
    with connection.cursor(row_factory=class_row(Standing)) as cursor:
        return cursor.execute(
            f"""
            SELECT {_FIELDS} FROM told_outcomes
            WHERE provider = %(provider)s AND (consumer = ANY(%(consumers)s)
                OR error_since < now() - %(minutes)s * interval '1 minute' AND NOT told_of_error)
            ORDER BY consumer, line FOR UPDATE
            """.encode(),  # noqa: S608 - constants
            {"provider": provider, "consumers": [*consumers, ""], "minutes": outage_minutes},
        ).fetchall()


def answers_before(connection: Connection[Any], run: Run) -> list[Run]:
    """Return the runs of a pact that passed or failed, and were asked for before a run, newest first."""
    return select_many(
        connection,
        "SELECT {columns} FROM runs WHERE provider = %(provider)s AND consumer = %(consumer)s "
        "AND created_at < %(at)s AND outcome IN ('passed', 'failed') AND status = 'finished' AND NOT pending "
        "AND pact_url IS NOT NULL AND (%(parent)s::uuid IS NULL OR parent_id IS DISTINCT FROM %(parent)s) "
        "ORDER BY created_at DESC, id DESC LIMIT %(most)s",
        provider=run.provider,
        consumer=run.consumer,
        at=run.created_at,
        parent=run.parent_id,
        most=MOST_BEFORE,
    )


def store(connection: Connection[Any], changed: Iterable[Standing]) -> None:
    """Store how pacts stand; the caller commits."""
    values = [
        {**asdict(one), "error": storable_text(one.error or "")[:2000] or None}
        for one in changed
        if len(one.provider) + len(one.consumer) + len(one.line) <= LONGEST_NAMES
    ]
    names = [field.name for field in fields(Standing)]
    updates = ", ".join(f"{name} = excluded.{name}" for name in names[3:])
    with connection.cursor() as cursor:
        cursor.executemany(
            f"INSERT INTO told_outcomes ({_FIELDS}) VALUES ({', '.join(f'%({name})s' for name in names)}) "  # noqa: S608
            f"ON CONFLICT (provider, consumer, line) DO UPDATE SET {updates}, changed_at = now()".encode(),
            values,
        )


def delete_old(connection: Connection[Any], days: float) -> None:
    """Delete what nothing has changed for as long as the history is kept.

    What is broken, or could not be verified, stays while the history has runs of it, and for `SILENT_DAYS` after that:
    without it, the next run that fails would be told as if it had broken something.

    Args:
        connection: The open connection; the caller commits.
        days: The age in days from which rows are deleted.
    """
    values = {"days": days, "silent_days": max(days, SILENT_DAYS)}
    connection.execute(
        f"""
        DELETE FROM told_outcomes WHERE changed_at < now() - %(days)s * interval '1 day' AND NOT {_IS_AMISS}
        """.encode(),  # noqa: S608 - constants
        values,
    )
    connection.execute(
        f"""
        UPDATE told_outcomes SET seen_at = now() WHERE (provider, consumer, line) IN (
            SELECT provider, consumer, line FROM told_outcomes AS known
            WHERE seen_at < now() - %(days)s * interval '1 day' AND {_IS_AMISS} AND {_HAS_RUNS}
            FOR UPDATE SKIP LOCKED)
        """.encode(),  # noqa: S608 - constants
        values,
    )
    connection.execute(
        f"""
        DELETE FROM told_outcomes WHERE (provider, consumer, line) IN (
            SELECT provider, consumer, line FROM told_outcomes AS known
            WHERE seen_at < now() - %(silent_days)s * interval '1 day' AND NOT {_HAS_RUNS}
            FOR UPDATE SKIP LOCKED)
        """.encode(),  # noqa: S608 - constants
        values,
    )
    connection.execute(
        # of providers that are not in any configuration any more
        "DELETE FROM notable_runs WHERE noted_at < now() - interval '1 day'"
    )
