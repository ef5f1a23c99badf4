"""Old deliveries, their logs, and why they were triggered: deleted, so that a broker doesn't grow for ever."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import delete, func, select

from broker.embedded.storage.webhook_tables import PublicationEvents, TriggeredWebhook
from broker.embedded.webhooks.triggered_records import PENDING

if TYPE_CHECKING:
    from sqlalchemy import Select

    from broker.embedded.storage.database import Database

EVERY_SECONDS = 3600.0
AT_ONCE = 500
"""The rows in one transaction: those who write wait for it."""


def prune(database: Database, *, days: float) -> None:
    """Delete what is older than so many days, but for what is still to be delivered.

    Of each publication the latest events stay: a pact's page tells by them what its webhooks were triggered for.
    """
    before = (datetime.now(UTC) - timedelta(days=days)).isoformat(timespec="seconds")
    deliveries = select(TriggeredWebhook.id).where(
        TriggeredWebhook.created_at < before, TriggeredWebhook.status.not_in(PENDING)
    )
    latest = select(func.max(PublicationEvents.id)).group_by(PublicationEvents.publication_id)
    events = select(PublicationEvents.id).where(
        PublicationEvents.created_at < before, PublicationEvents.id.not_in(latest)
    )
    _delete(database, TriggeredWebhook, deliveries)
    _delete(database, PublicationEvents, events)


def _delete(database: Database, table: type[TriggeredWebhook | PublicationEvents], old: Select[int]) -> None:
    while True:
        # To look for nothing, nobody needs the lock of those who write.
        with database.session(write=False) as session:
            ids = session.scalars(old.limit(AT_ONCE)).all()
        if not ids:
            return
        with database.session(write=True) as session:
            session.execute(delete(table).where(table.id.in_(ids)))
