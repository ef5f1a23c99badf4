"""Deliveries: the requests that carried a dispatch, what was answered, and why."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from app.database.storable import storable_text
from app.records import run_changes
from app.records.run import RunReason

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from psycopg import Connection

    from app.dispatch import Dispatch


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
        repository: OWNER/REPO of its path or its body.
        event_type: The event type, or as much of it as could be read.
        payload: The body, without what may be a secret.
    """

    source: Source
    id: UUID = field(default_factory=uuid4)
    github_id: str | None = None
    sender: str | None = None
    address: str | None = None
    repository: str | None = None
    event_type: str | None = None
    payload: Any = None


@dataclass(frozen=True)
class Delivery:
    """A delivery as it is stored. The migration `0001_deliveries_and_runs.sql` explains its fields."""

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

    def __post_init__(self) -> None:
        object.__setattr__(self, "source", Source(self.source))  # the database knows it as text


def accept(
    connection: Connection[Any],
    delivery: IncomingDelivery,
    dispatch: Dispatch,
    *,
    provider: str,
    lock: str | None,
    reason: RunReason = RunReason.DISPATCHED,
) -> tuple[UUID, bool]:
    """Store a delivery, its run and the run's job in one transaction.

    Args:
        connection: A connection that is in no transaction, or in one that the caller commits.
        delivery: The delivery.
        dispatch: What it asks for.
        provider: The name of the provider that is verified.
        lock: The lock of the provider's runs.
        reason: Why there is a run.

    Returns:
        The run's id, and whether it was waiting already.
    """
    with connection.transaction():
        run_id, coalesced = run_changes.request(connection, provider, dispatch, reason=reason, lock=lock)
        _insert(connection, delivery, status=204, run_id=run_id, coalesced=coalesced)
    return run_id, coalesced


def refuse(
    connection: Connection[Any], delivery: IncomingDelivery, *, status: int, refusal: str, detail: str
) -> None:
    """Store a delivery that was refused.

    Args:
        connection: A connection that is in no transaction, or in one that the caller commits.
        delivery: The delivery.
        status: The HTTP status of the answer.
        refusal: The reason in a word, for programs.
        detail: The reason in a sentence, for people.
    """
    with connection.transaction():
        _insert(connection, delivery, status=status, refusal=refusal, detail=detail)


def get(connection: Connection[Any], delivery_id: UUID) -> Delivery | None:
    """Return a delivery, or None if there is none."""
    with connection.cursor(row_factory=class_row(Delivery)) as cursor:
        return cursor.execute("SELECT * FROM deliveries WHERE id = %(id)s", {"id": delivery_id}).fetchone()


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


def _insert(
    connection: Connection[Any],
    delivery: IncomingDelivery,
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
            "id": delivery.id,
            "source": delivery.source,
            "github_id": _text(delivery.github_id),
            "sender": delivery.sender,
            "address": delivery.address,
            "repository": _text(delivery.repository),
            "event_type": _text(delivery.event_type),
            "payload": None if delivery.payload is None else Jsonb(delivery.payload),
            "status": status,
            "refusal": refusal,
            "detail": _text(detail),
            "run_id": run_id,
            "coalesced": coalesced,
        },
    )


def _text(text: str | None) -> str | None:
    """Return a text that the database can store, shortened to a limit."""
    return text and storable_text(text[:2000])
