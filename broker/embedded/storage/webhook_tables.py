"""The tables of webhooks, their deliveries and their secrets."""

from __future__ import annotations

import json

from sqlalchemy import ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from broker.embedded.storage.tables import Base, Pacticipant, Publication, VerificationResult, now

_AUTOINCREMENT = {"sqlite_autoincrement": True}


class Webhook(Base):
    """A request to send when an event happens; headers and password are encrypted."""

    __tablename__ = "webhooks"
    __table_args__ = (UniqueConstraint("uuid"), _AUTOINCREMENT)

    id: Mapped[int] = mapped_column(primary_key=True)
    uuid: Mapped[str]
    description: Mapped[str | None]
    consumer_id: Mapped[int | None] = mapped_column(
        ForeignKey("pacticipants.id", ondelete="CASCADE"), index=True
    )
    consumer_label: Mapped[str | None]
    provider_id: Mapped[int | None] = mapped_column(
        ForeignKey("pacticipants.id", ondelete="CASCADE"), index=True
    )
    provider_label: Mapped[str | None]
    enabled: Mapped[bool]
    events: Mapped[str]  # a JSON array of names
    method: Mapped[str]
    url: Mapped[str]
    headers: Mapped[str | None]  # encrypted, a JSON object
    body: Mapped[str | None]  # JSON
    username: Mapped[str | None]
    password: Mapped[str | None]  # encrypted
    created_at: Mapped[str] = mapped_column(default=now)
    updated_at: Mapped[str | None]

    consumer: Mapped[Pacticipant | None] = relationship(foreign_keys=[consumer_id])
    provider: Mapped[Pacticipant | None] = relationship(foreign_keys=[provider_id])


class PublicationEvents(Base):
    """The events of one publication of a pact; publishing it again is another one."""

    __tablename__ = "publication_events"
    __table_args__ = (_AUTOINCREMENT,)

    id: Mapped[int] = mapped_column(primary_key=True)
    publication_id: Mapped[int] = mapped_column(ForeignKey("publications.id", ondelete="CASCADE"), index=True)
    events: Mapped[str]  # a JSON array of names
    comment: Mapped[str | None]  # why the content counts as changed, or as unchanged
    created_at: Mapped[str] = mapped_column(default=now)

    def names(self) -> list[str]:
        """Return the names of the events."""
        names: list[str] = json.loads(self.events)
        return names


class TriggeredWebhook(Base):
    """A webhook that an event triggered: the values to deliver, and the state of the delivery.

    It outlives its webhook, so that its logs can still be read.
    """

    __tablename__ = "triggered_webhooks"
    __table_args__ = (UniqueConstraint("uuid"), Index("due", "status", "due_at"), _AUTOINCREMENT)

    id: Mapped[int] = mapped_column(primary_key=True)
    uuid: Mapped[str]
    webhook_id: Mapped[int | None] = mapped_column(ForeignKey("webhooks.id", ondelete="SET NULL"), index=True)
    publication_id: Mapped[int] = mapped_column(ForeignKey("publications.id", ondelete="CASCADE"), index=True)
    verification_result_id: Mapped[int | None] = mapped_column(
        ForeignKey("verification_results.id", ondelete="CASCADE"), index=True
    )
    event_name: Mapped[str]
    variables: Mapped[str]  # a JSON object: the values of ${pactbroker.NAME} when it happened
    context: Mapped[str]  # a JSON object, as the logs show it
    status: Mapped[str]  # not_run, retrying, success or failure
    attempts_made: Mapped[int] = mapped_column(default=0)
    due_at: Mapped[float]  # seconds since 1970
    created_at: Mapped[str] = mapped_column(default=now)

    webhook: Mapped[Webhook | None] = relationship()
    publication: Mapped[Publication] = relationship()
    verification_result: Mapped[VerificationResult | None] = relationship()


class WebhookExecution(Base):
    """One attempt to deliver a triggered webhook, with its redacted logs."""

    __tablename__ = "webhook_executions"
    __table_args__ = (_AUTOINCREMENT,)

    id: Mapped[int] = mapped_column(primary_key=True)
    triggered_webhook_id: Mapped[int] = mapped_column(
        ForeignKey("triggered_webhooks.id", ondelete="CASCADE"), index=True
    )
    success: Mapped[bool]
    logs: Mapped[str]
    created_at: Mapped[str] = mapped_column(default=now)


class Secret(Base):
    """A value for `${user.NAME}`, encrypted."""

    __tablename__ = "secrets"
    __table_args__ = (UniqueConstraint("uuid"), UniqueConstraint("name"), _AUTOINCREMENT)

    id: Mapped[int] = mapped_column(primary_key=True)
    uuid: Mapped[str]
    name: Mapped[str]
    description: Mapped[str | None]
    value: Mapped[str]
    created_at: Mapped[str] = mapped_column(default=now)
    updated_at: Mapped[str | None]
