"""What the pages of deliveries read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from psycopg.rows import class_row

from app.intake.redelivery import why_not
from app.intake.refusal_words import RefusalWords, words_of
from app.records import actions, deliveries, history
from app.records.run import RunStatus

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from uuid import UUID

    from psycopg import Connection

    from app.config.settings import Settings
    from app.records.actions import Action
    from app.records.deliveries import Delivery
    from app.records.history import Place


@dataclass(frozen=True)
class RunOfDelivery:
    """The run that answers a delivery, in a few words.

    Attributes:
        id: Its id.
        status: Where it stands.
        outcome: Its outcome; None if it has none.
        provider: Its provider.
        consumer: Its consumer, if it is for one pact.
    """

    id: UUID
    status: str
    outcome: str | None
    provider: str
    consumer: str | None

    @property
    def word(self) -> str:
        """Its outcome, or where it stands."""
        if self.status == RunStatus.FINISHED:
            return self.outcome or "passed on"
        return self.status


@dataclass(frozen=True)
class DeliveryPage:
    """A page of deliveries.

    Attributes:
        items: The deliveries, newest first.
        runs: Their runs, by the run's id.
        end: The place after which the next page begins; None if this is the last one.
    """

    items: list[Delivery]
    runs: dict[UUID, RunOfDelivery]
    end: Place | None


@dataclass(frozen=True)
class OneDelivery:
    """A delivery, and what belongs to it.

    Attributes:
        delivery: The delivery.
        run: The run that answers it.
        words: What its refusal means; None if it was accepted.
        actions: What people have done to it, or what it came from, oldest first.
        why_not_again: Why it can't be delivered again; None if it can.
    """

    delivery: Delivery
    run: RunOfDelivery | None
    words: RefusalWords | None
    actions: list[Action]
    why_not_again: str | None


def read_page(
    connection: Connection[Any], filters: Mapping[str, str], *, limit: int, after: Place | None
) -> DeliveryPage:
    """Read a page of deliveries; see `app.records.history.page_of_deliveries`."""
    page = history.page_of_deliveries(connection, filters, limit=limit, after=after)
    runs = _runs(connection, {one.run_id for one in page.items if one.run_id is not None})
    return DeliveryPage(page.items, runs, page.end)


def read_one(connection: Connection[Any], settings: Settings, delivery_id: UUID) -> OneDelivery | None:
    """Read a delivery; None if there is none of this id."""
    delivery = deliveries.get(connection, delivery_id)
    if delivery is None:
        return None
    runs = {} if delivery.run_id is None else _runs(connection, [delivery.run_id])
    words = None if delivery.refusal is None else words_of(delivery.refusal)
    return OneDelivery(
        delivery,
        next(iter(runs.values()), None),
        words,
        actions.of_delivery(connection, delivery_id),
        why_not(connection, settings, delivery),
    )


def _runs(connection: Connection[Any], ids: Iterable[UUID]) -> dict[UUID, RunOfDelivery]:
    with connection.cursor(row_factory=class_row(RunOfDelivery)) as cursor:
        found = cursor.execute(
            "SELECT id, status, outcome, provider, consumer FROM runs WHERE id = ANY(%(ids)s)",
            {"ids": list(ids)},
        ).fetchall()
    return {run.id: run for run in found}
