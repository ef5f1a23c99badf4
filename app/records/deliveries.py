"""Deliveries: each HTTP request that carried a dispatch, what was answered, and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from app.database.storable import storable_text
from app.records import runs

if TYPE_CHECKING:
    from datetime import datetime

    from psycopg import Connection

    from app.dispatch import Dispatch


@dataclass(frozen=True)
class Arrival:
    """A request that came in, as far as it could be read.

    Attributes:
        source: `api`, `github`, `redelivery` or `reconcile`.
        id: of the delivery.
        github_id: `X-GitHub-Delivery`, where GitHub delivered it.
        sender: the name of its token.
        address: where it came from.
        repository: OWNER/REPO of its path or its body.
        event_type: as far as it could be read.
        payload: the body, without what may be a secret.
    """

    source: str
    id: UUID
    github_id: str | None = None
    sender: str | None = None
    address: str | None = None
    repository: str | None = None
    event_type: str | None = None
    payload: Any = None

    @staticmethod
    def new_id() -> UUID:
        """Make the id of a delivery."""
        return uuid4()


@dataclass(frozen=True)
class Delivery:
    """A delivery, as it is stored. The migration `0001_deliveries_and_runs.sql` explains its fields."""

    id: UUID
    received_at: datetime
    source: str
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


def accept(
    connection: Connection[Any],
    arrival: Arrival,
    dispatch: Dispatch,
    *,
    provider: str,
    lock: str | None,
    reason: str = "dispatched",
) -> tuple[UUID, bool]:
    """Store a delivery, its run and the run's job in one transaction.

    Args:
        connection: from a pool; the transaction is this function's.
        arrival: the request.
        dispatch: what it asks for.
        provider: whose it is.
        lock: of the provider's runs.
        reason: why there is a run: `dispatched`, `redelivered` or `reconciled`.

    Returns:
        The run's id, and whether it was waiting already.
    """
    with connection.transaction():
        run_id, coalesced = runs.request(connection, provider, dispatch, reason=reason, lock=lock)
        _insert(connection, arrival, status=204, run_id=run_id, coalesced=coalesced)
    return run_id, coalesced


def refuse(connection: Connection[Any], arrival: Arrival, *, status: int, refusal: str, detail: str) -> None:
    """Store a delivery that was refused.

    Args:
        connection: from a pool.
        arrival: the request.
        status: the HTTP status of the answer.
        refusal: why, in a word.
        detail: why, for people.
    """
    with connection.transaction():
        _insert(connection, arrival, status=status, refusal=refusal, detail=detail)


def get(connection: Connection[Any], delivery_id: UUID) -> Delivery | None:
    """Read a delivery."""
    with connection.cursor(row_factory=class_row(Delivery)) as cursor:
        return cursor.execute("SELECT * FROM deliveries WHERE id = %(id)s", {"id": delivery_id}).fetchone()


def of_run(connection: Connection[Any], run_id: UUID) -> list[UUID]:
    """Give the ids of the deliveries that a run answers, oldest first."""
    rows = connection.execute(
        "SELECT id FROM deliveries WHERE run_id = %(id)s ORDER BY received_at, id", {"id": run_id}
    )
    return [row[0] for row in rows]


def _insert(
    connection: Connection[Any],
    arrival: Arrival,
    *,
    status: int,
    refusal: str | None = None,
    detail: str | None = None,
    run_id: UUID | None = None,
    coalesced: bool = False,
) -> None:
    connection.execute(
        """
        INSERT INTO deliveries (id, source, github_id, sender, address, repository, event_type, payload, status,
            refusal, detail, run_id, coalesced)
        VALUES (%(id)s, %(source)s, %(github_id)s, %(sender)s, %(address)s, %(repository)s, %(event_type)s,
            %(payload)s, %(status)s, %(refusal)s, %(detail)s, %(run_id)s, %(coalesced)s)
        """,
        {
            "id": arrival.id,
            "source": arrival.source,
            "github_id": _text(arrival.github_id),
            "sender": arrival.sender,
            "address": arrival.address,
            "repository": _text(arrival.repository),
            "event_type": _text(arrival.event_type),
            "payload": None if arrival.payload is None else Jsonb(arrival.payload),
            "status": status,
            "refusal": refusal,
            "detail": _text(detail),
            "run_id": run_id,
            "coalesced": coalesced,
        },
    )


def _text(text: str | None) -> str | None:
    """Make a text storable, and not too long."""
    return text and storable_text(text[:2000])
