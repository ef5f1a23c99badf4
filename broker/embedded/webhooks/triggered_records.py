"""Triggered webhooks in the database."""

from __future__ import annotations

import json
import time
import uuid
from typing import TYPE_CHECKING

from flask import g
from sqlalchemy import Select, func, select, update

from broker.embedded.storage.records import between, publications, session
from broker.embedded.storage.tables import Publication
from broker.embedded.storage.webhook_tables import TriggeredWebhook, Webhook, WebhookExecution
from broker.embedded.webhooks.records import applying_to, events_of, settings
from broker.embedded.webhooks.variables import Occasion, context, values

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

NOT_RUN, RETRYING, SUCCESS, FAILURE = "not_run", "retrying", "success", "failure"
PENDING = (NOT_RUN, RETRYING)


def trigger(occasions: Iterable[Occasion]) -> list[TriggeredWebhook]:
    """Store what each enabled webhook for the occasions has to deliver, to be sent after the commit.

    The occasions have one consumer and one provider.
    """
    webhooks: Sequence[Webhook] | None = None
    triggered = []
    for occasion in occasions:
        pact = occasion.publication.pact_version
        if webhooks is None:
            webhooks = [one for one in applying_to(pact.consumer, pact.provider) if one.enabled]
        triggered += [_triggered(one, occasion) for one in webhooks if occasion.event in events_of(one)]
    if triggered:
        session().add_all(triggered)
        session().flush()
        g.webhooks_triggered = True
    return triggered


def give_up(webhook: Webhook, reason: str) -> None:
    """Deliver nothing more of what a webhook has been triggered for, and say why in the logs."""
    query = select(TriggeredWebhook).where(
        TriggeredWebhook.webhook == webhook, TriggeredWebhook.status.in_(PENDING)
    )
    for triggered in session().scalars(query).all():
        session().add(WebhookExecution(triggered_webhook_id=triggered.id, success=False, logs=f"{reason}\n"))
        session().execute(
            update(TriggeredWebhook).where(TriggeredWebhook.id == triggered.id).values(status=FAILURE)
        )
    session().flush()


def by_publication(publication: Publication) -> Select[TriggeredWebhook]:
    """Return the query for what the publication of a pact has triggered, the latest first."""
    return of_pact(publication).where(TriggeredWebhook.verification_result_id.is_(None))


def of_pact(publication: Publication) -> Select[TriggeredWebhook]:
    """Return the query for what a consumer version's pact has triggered, by its publication or by its results."""
    return _shown().where(TriggeredWebhook.publication_id == publication.id)


def by_result(result_id: int) -> Select[TriggeredWebhook]:
    """Return the query for what a verification result has triggered, the latest first."""
    return _shown().where(TriggeredWebhook.verification_result_id == result_id)


def by_webhook(webhook: Webhook) -> Select[TriggeredWebhook]:
    """Return the query for what a webhook was triggered for, the latest first."""
    return _shown().where(TriggeredWebhook.webhook == webhook)


def latest_of_pair(provider: str, consumer: str) -> Select[TriggeredWebhook]:
    """Return the query for the latest delivery of each webhook and event for a consumer with a provider."""
    pacts = between(publications(), provider=provider, consumer=consumer).with_only_columns(Publication.id)
    latest = (
        select(func.max(TriggeredWebhook.id))
        .where(TriggeredWebhook.publication_id.in_(pacts.order_by(None)))
        .group_by(TriggeredWebhook.webhook_id, TriggeredWebhook.event_name)
    )
    return _shown().where(TriggeredWebhook.id.in_(latest))


def _shown() -> Select[TriggeredWebhook]:
    """Return the query for all that still have their webhook."""
    return (
        select(TriggeredWebhook)
        .where(TriggeredWebhook.webhook_id.is_not(None))
        .order_by(TriggeredWebhook.id.desc())
    )


def _triggered(webhook: Webhook, occasion: Occasion) -> TriggeredWebhook:
    return TriggeredWebhook(
        uuid=str(uuid.uuid4()),
        webhook=webhook,
        publication=occasion.publication,
        verification_result=occasion.result,
        event_name=occasion.event,
        variables=json.dumps(values(occasion), ensure_ascii=False),
        context=json.dumps(context(occasion), ensure_ascii=False),
        status=NOT_RUN,
        due_at=time.time() + settings().delay_seconds,
    )
