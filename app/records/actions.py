"""What people did by the dashboard or the API, and who did it."""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from psycopg.rows import class_row

from app.database.storable import storable_text

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from psycopg import Connection

LONGEST_NAME = 200
"""Characters of a name that a proxy gives, at most."""


class ActionKind(StrEnum):
    """What was done."""

    CANCEL = "cancel"
    START_NOW = "start-now"
    RUN_AGAIN = "run-again"
    PUBLISH_AGAIN = "publish-again"
    REDELIVER = "redeliver"
    PAUSE = "pause"
    RESUME = "resume"
    RECONCILE = "reconcile"


class Via(StrEnum):
    """By what it was done."""

    DASHBOARD = "dashboard"
    API = "api"


@dataclass(frozen=True)
class Doer:
    """Who does something.

    Attributes:
        name: The name of the token, or the user that a proxy named.
        via: By what.
        address: The address that the request came from.
    """

    name: str
    via: Via
    address: str | None = None


@dataclass(frozen=True)
class Action:
    """An action as it is stored.

    Attributes:
        id: Its number.
        at: When it was done.
        who: Who did it.
        action: What was done.
        via: By what.
        address: The address that the request came from.
        provider: The provider that it was done to, or that of the run.
        run_id: The run that it was done to.
        delivery_id: The delivery that it was done to.
        outcome_id: The run or the delivery that it led to.
        reason: Why, in the words of who did it.
    """

    id: int
    at: datetime
    who: str
    action: ActionKind
    via: Via
    address: str | None
    provider: str | None
    run_id: UUID | None
    delivery_id: UUID | None
    outcome_id: UUID | None
    reason: str | None

    def __post_init__(self) -> None:
        object.__setattr__(self, "action", ActionKind(self.action))
        object.__setattr__(self, "via", Via(self.via))


def add(
    connection: Connection[Any],
    doer: Doer,
    action: ActionKind,
    *,
    provider: str | None = None,
    run_id: UUID | None = None,
    delivery_id: UUID | None = None,
    outcome_id: UUID | None = None,
    reason: str | None = None,
) -> None:
    """Keep an action, in the transaction of what it does.

    Args:
        connection: The open connection; the caller commits.
        doer: Who does it.
        action: What is done.
        provider: The provider that it is done to, or that of the run.
        run_id: The run that it is done to.
        delivery_id: The delivery that it is done to.
        outcome_id: The run or the delivery that it led to.
        reason: Why it is done; short, and storable.
    """
    connection.execute(
        """
        INSERT INTO actions (who, action, via, address, provider, run_id, delivery_id, outcome_id, reason)
        VALUES (%(who)s, %(action)s, %(via)s, %(address)s, %(provider)s, %(run)s, %(delivery)s, %(outcome)s,
            %(reason)s)
        """,
        {
            "who": storable_text(doer.name[:LONGEST_NAME]),
            "action": action,
            "via": doer.via,
            "address": doer.address,
            "provider": provider,
            "run": run_id,
            "delivery": delivery_id,
            "outcome": outcome_id,
            "reason": reason,
        },
    )


def newest(connection: Connection[Any], *, limit: int) -> list[Action]:
    """Return the newest actions, newest first."""
    return _select(connection, "ORDER BY at DESC, id DESC LIMIT %(limit)s", limit=limit)


def of_run(connection: Connection[Any], run_id: UUID) -> list[Action]:
    """Return what was done to a run, oldest first."""
    return _select(connection, "WHERE run_id = %(run)s ORDER BY at, id LIMIT 100", run=run_id)


def of_delivery(connection: Connection[Any], delivery_id: UUID) -> list[Action]:
    """Return what was done to a delivery, or led to it, oldest first."""
    condition = "WHERE delivery_id = %(delivery)s OR outcome_id = %(delivery)s ORDER BY at, id LIMIT 100"
    return _select(connection, condition, delivery=delivery_id)


def latest_outcome(
    connection: Connection[Any], action: ActionKind, run_id: UUID, *, seconds: float
) -> UUID | None:
    """Return what an action has led to that was done to a run within the last seconds, whoever did it."""
    row = connection.execute(
        """
        SELECT outcome_id FROM actions
        WHERE run_id = %(run)s AND action = %(action)s AND at > now() - %(seconds)s * interval '1 second'
        ORDER BY at DESC, id DESC LIMIT 1
        """,
        {"run": run_id, "action": action, "seconds": seconds},
    ).fetchone()
    return None if row is None else row[0]


def that_led_to(connection: Connection[Any], action: ActionKind, outcome_id: UUID) -> Action | None:
    """Return the first action of a kind that has led to a run or a delivery; None if none has."""
    found = _select(
        connection,
        "WHERE outcome_id = %(outcome)s AND action = %(action)s ORDER BY at, id LIMIT 1",
        outcome=outcome_id,
        action=action,
    )
    return found[0] if found else None


def delete_old(connection: Connection[Any], days: float, most: int) -> int:
    """Delete old actions, and return how many there were; see `app.records.retention`."""
    return connection.execute(
        """
        DELETE FROM actions WHERE id IN (
            SELECT id FROM actions WHERE at < now() - %(days)s * interval '1 day'
            ORDER BY at LIMIT %(most)s FOR UPDATE SKIP LOCKED)
        """,
        {"days": days, "most": most},
    ).rowcount


def _select(connection: Connection[Any], rest: str, **values: Any) -> list[Action]:
    columns = ", ".join(field.name for field in fields(Action))
    with connection.cursor(row_factory=class_row(Action)) as cursor:
        return cursor.execute(f"SELECT {columns} FROM actions {rest}".encode(), values).fetchall()  # noqa: S608
