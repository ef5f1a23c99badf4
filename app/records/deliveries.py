"""Deliveries: the requests that carried a dispatch, what was answered, and why.

GitHub's deliveries have an id, and one that was accepted is carried out once: the index `deliveries_once` holds that
for as long as it is kept. A delivery that was refused, or could not be stored, may come again.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, fields, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from psycopg.errors import UniqueViolation
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from app.database.storable import storable_text
from app.dispatch import MAX_EVENT_TYPE, MAX_REPOSITORY
from app.records import pushes, run_changes, runs
from app.records.run import RunReason

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from psycopg import Connection

    from app.dispatch import Dispatch

LONGEST_GITHUB_ID = 100
"""Characters of the id of a delivery of GitHub's, which are 36; `deliveries_once` looks at so many."""
LONGEST = {
    "github_id": LONGEST_GITHUB_ID,
    "sender": 64,
    "address": 100,
    "user_agent": 300,
    "repository": MAX_REPOSITORY,
    "event_type": MAX_EVENT_TYPE,
}
"""Characters that are kept of each text of a request; those that are part of an index among them."""
LONGEST_DETAIL = 2000
LARGE = frozenset({"payload", "headers", "answer"})
"""The columns that are not read for a list."""
_ONCE = "deliveries_once"


class Source(StrEnum):
    """The way by which a dispatch came in."""

    API = "api"
    GITHUB = "github"
    REDELIVERY = "redelivery"
    RECONCILE = "reconcile"


@dataclass(frozen=True)
class IncomingDelivery:
    """A delivery that is not stored yet, as far as its request could be read.

    Attributes:
        source: The way by which it came in.
        id: Its id, which the answer carries too.
        github_id: The header `X-GitHub-Delivery`, where GitHub delivered it.
        sender: The name of the token that it came with.
        address: The address that it came from.
        user_agent: The program that sent it, by its header `User-Agent`.
        repository: OWNER/REPO of its path or its body.
        event_type: The event type, or as much of it as could be read.
        payload: The body, without what may be a secret.
        headers: The headers that are kept, without what may be a secret.
    """

    source: Source
    id: UUID = field(default_factory=uuid4)
    github_id: str | None = None
    sender: str | None = None
    address: str | None = None
    user_agent: str | None = None
    repository: str | None = None
    event_type: str | None = None
    payload: Any = None
    headers: Mapping[str, str] | None = None

    def __post_init__(self) -> None:
        for name, longest in LONGEST.items():
            text = getattr(self, name)
            if text is not None:
                object.__setattr__(self, name, storable_text(text[:longest]))


@dataclass(frozen=True)
class Delivery:
    """A delivery as it is stored. `0001_deliveries_and_runs.sql` and later migrations explain its fields."""

    id: UUID
    received_at: datetime
    source: Source
    github_id: str | None
    sender: str | None
    address: str | None
    repository: str | None
    event_type: str | None
    payload: Any
    status: int
    refusal: str | None
    detail: str | None
    run_id: UUID | None
    coalesced: bool
    user_agent: str | None
    repeats: UUID | None
    headers: dict[str, str] | None
    answer: Any

    def __post_init__(self) -> None:
        object.__setattr__(self, "source", Source(self.source))  # the database knows it as text


def newest_of_run(connection: Connection[Any], run_id: UUID, *, limit: int) -> list[Delivery]:
    """Return the newest deliveries that a run answers or that repeat one of these, newest first, without payloads."""
    columns = ", ".join(f"NULL AS {one.name}" if one.name in LARGE else one.name for one in fields(Delivery))
    with connection.cursor(row_factory=class_row(Delivery)) as cursor:
        return cursor.execute(
            f"SELECT {columns} FROM deliveries WHERE run_id = %(run)s "  # noqa: S608 - constants
            "ORDER BY received_at DESC, id DESC LIMIT %(limit)s".encode(),
            {"run": run_id, "limit": limit},
        ).fetchall()


@dataclass(frozen=True)
class Accepted:
    """A delivery was stored, and is carried out.

    Attributes:
        run_id: The id of its run.
        coalesced: Whether that run was waiting already.
        detail: Why nothing was queued, although the run is not for this delivery's commit; None otherwise.
    """

    run_id: UUID
    coalesced: bool
    detail: str | None = None


@dataclass(frozen=True)
class Repeated:
    """A delivery was accepted before, so that nothing is done for it.

    Attributes:
        first_id: The id of the delivery that was accepted.
        run_id: The id of its run.
    """

    first_id: UUID
    run_id: UUID | None


def accept(
    connection: Connection[Any],
    delivery: IncomingDelivery,
    dispatch: Dispatch,
    *,
    provider: str,
    lock: str | None,
    reason: RunReason = RunReason.DISPATCHED,
) -> Accepted | Repeated:
    """Store a delivery, its run and the run's job in one transaction, unless the delivery was accepted before.

    Args:
        connection: A connection that is in no transaction, or in one that the caller commits.
        delivery: The delivery.
        dispatch: What it asks for.
        provider: The name of the provider that is verified.
        lock: The lock of the provider's runs.
        reason: Why there is a run.

    Returns:
        What became of it. One that was accepted before is not stored; `repeat` does that. Nothing is queued for a push
        that is older than another one to its branch, which was accepted before.
    """
    repeated = _accepted_before(connection, delivery)
    if repeated is not None:
        return repeated
    try:
        with connection.transaction():
            newer = (
                pushes.newer_push(connection, provider, dispatch) if reason is RunReason.DISPATCHED else None
            )
            if newer is not None:
                accepted = Accepted(newer.run_id, newer.run_waits, newer.told(dispatch))
                _insert(
                    connection,
                    delivery,
                    _Answer(204, detail=accepted.detail),
                    run_id=accepted.run_id,
                    coalesced=accepted.coalesced,
                )
                return accepted
            run_id, coalesced = run_changes.request(connection, provider, dispatch, reason=reason, lock=lock)
            _insert(connection, delivery, _Answer(204), run_id=run_id, coalesced=coalesced)
    except UniqueViolation as error:
        # The same delivery was accepted at the same time, by another request: what this one did is undone.
        repeated = _accepted_before(connection, delivery)
        if error.diag.constraint_name != _ONCE or repeated is None:
            raise
        return repeated
    return Accepted(run_id, coalesced)


def repeat(connection: Connection[Any], delivery: IncomingDelivery, repeated: Repeated) -> None:
    """Store a delivery that was accepted before, without its payload.

    Args:
        connection: A connection that is in no transaction, or in one that the caller commits.
        delivery: The delivery.
        repeated: The one that was accepted.
    """
    detail = (
        f"repeats the delivery {repeated.first_id}, so nothing was done; to have it carried out again: "
        f"POST /api/deliveries/{repeated.first_id}/redeliver"
    )
    with connection.transaction():
        run_id = repeated.run_id
        _insert(
            connection,
            replace(delivery, payload=None),
            _Answer(204, detail=detail),
            run_id=run_id if run_id is not None and runs.kept(connection, run_id) else None,
            repeats=repeated.first_id,
        )


def refuse(
    connection: Connection[Any],
    delivery: IncomingDelivery,
    *,
    status: int,
    refusal: str,
    detail: str,
    answer: Mapping[str, Any] | None = None,
) -> None:
    """Store a delivery that was refused.

    Args:
        connection: A connection that is in no transaction, or in one that the caller commits.
        delivery: The delivery.
        status: The HTTP status of the answer.
        refusal: The reason in a word, for programs.
        detail: The reason in a sentence, for people.
        answer: The body of the answer.
    """
    with connection.transaction():
        _insert(connection, delivery, _Answer(status, refusal, detail, answer))


def get(connection: Connection[Any], delivery_id: UUID) -> Delivery | None:
    """Return a delivery, or None if there is none."""
    columns = ", ".join(field.name for field in fields(Delivery))
    query = f"SELECT {columns} FROM deliveries WHERE id = %(id)s"  # noqa: S608 - constants
    with connection.cursor(row_factory=class_row(Delivery)) as cursor:
        return cursor.execute(query.encode(), {"id": delivery_id}).fetchone()


def of_runs(connection: Connection[Any], run_ids: Iterable[UUID]) -> dict[UUID, list[UUID]]:
    """Return the ids of the deliveries that each of some runs answers, oldest first."""
    found = defaultdict(list)
    rows = connection.execute(
        "SELECT run_id, id FROM deliveries WHERE run_id = ANY(%(runs)s) ORDER BY received_at, id",
        {"runs": list(run_ids)},
    )
    for run_id, delivery_id in rows:
        found[run_id].append(delivery_id)
    return found


def of_run(connection: Connection[Any], run_id: UUID) -> list[UUID]:
    """Return the ids of the deliveries that a run answers, oldest first."""
    return of_runs(connection, [run_id])[run_id]


def _accepted_before(connection: Connection[Any], delivery: IncomingDelivery) -> Repeated | None:
    """Return the accepted delivery of GitHub's with the same id, or None if there is none."""
    if delivery.source != Source.GITHUB or delivery.github_id is None:
        return None
    row = connection.execute(
        """
        SELECT id, run_id FROM deliveries
        WHERE source = 'github' AND github_id IS NOT NULL AND refusal IS NULL AND repeats IS NULL
          AND left(github_id, 100) = %(github_id)s
        """,
        {"github_id": delivery.github_id},
    ).fetchone()
    return None if row is None else Repeated(*row)


@dataclass(frozen=True)
class _Answer:
    status: int
    refusal: str | None = None
    detail: str | None = None
    document: Mapping[str, Any] | None = None


def _insert(
    connection: Connection[Any],
    delivery: IncomingDelivery,
    answer: _Answer,
    *,
    run_id: UUID | None = None,
    coalesced: bool = False,
    repeats: UUID | None = None,
) -> None:
    connection.execute(
        """
        INSERT INTO deliveries (id, source, github_id, sender, address, user_agent, repository, event_type, payload,
            status, refusal, detail, run_id, coalesced, repeats, headers, answer)
        VALUES (%(id)s, %(source)s, %(github_id)s, %(sender)s, %(address)s, %(user_agent)s, %(repository)s,
            %(event_type)s, %(payload)s, %(status)s, %(refusal)s, %(detail)s, %(run_id)s, %(coalesced)s, %(repeats)s,
            %(headers)s, %(answer)s)
        """,
        {
            **{name: getattr(delivery, name) for name in LONGEST},
            "id": delivery.id,
            "source": delivery.source,
            "payload": None if delivery.payload is None else Jsonb(delivery.payload),
            "status": answer.status,
            "refusal": answer.refusal,
            "detail": answer.detail and storable_text(answer.detail[:LONGEST_DETAIL]),
            "run_id": run_id,
            "coalesced": coalesced,
            "repeats": repeats,
            "headers": Jsonb(delivery.headers) if delivery.headers else None,
            "answer": Jsonb(answer.document) if answer.document else None,
        },
    )
