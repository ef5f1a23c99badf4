"""The pages of webhooks: all of them, one with what it has delivered, and which ones a pact has."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from broker.embedded.pages.deliveries import MOST_LISTED, deliveries, state_of
from broker.embedded.pages.rendering import render
from broker.embedded.storage.records import session
from broker.embedded.storage.webhook_tables import PublicationEvents, TriggeredWebhook, Webhook
from broker.embedded.webhooks.records import applying_to, events_of, shown_description, webhook_with
from broker.embedded.webhooks.resource import represent, scope_of
from broker.embedded.webhooks.triggered_records import by_webhook

if TYPE_CHECKING:
    from collections.abc import Collection

    from flask import Response

    from broker.embedded.storage.tables import Publication


def show_all() -> Response:
    """Answer the page of all webhooks."""
    webhooks = session().scalars(select(Webhook).order_by(Webhook.id)).all()
    last = {one.id: session().scalar(by_webhook(one).limit(1)) for one in webhooks}
    shown = [{**_listed(one), "last": state_of(last[one.id])} for one in webhooks]
    return render("webhooks.html", webhooks=shown)


def show(uuid: str) -> Response:
    """Answer the page of a webhook, with its last deliveries; what is secret has stars."""
    webhook = webhook_with(uuid)
    document = represent(webhook)
    request = document["request"]
    body = request.get("body")
    return render(
        "webhook.html",
        **_listed(webhook),
        method=request["method"],
        target=request["url"],
        headers=request.get("headers", {}),
        user_name=request.get("username"),
        body=body
        if body is None or isinstance(body, str)
        else json.dumps(body, indent=2, ensure_ascii=False),
        created_at=webhook.created_at,
        updated_at=webhook.updated_at,
        deliveries=deliveries(by_webhook(webhook)),
        most=MOST_LISTED,
    )


def publications_events(publication: Publication) -> list[PublicationEvents]:
    """Return what happened each time a pact was published for its version, the last first."""
    query = select(PublicationEvents).where(PublicationEvents.publication_id == publication.id)
    return list(session().scalars(query.order_by(PublicationEvents.id.desc()).limit(MOST_LISTED)))


def webhooks_of(publication: Publication, happened: Collection[PublicationEvents]) -> list[dict[str, Any]]:
    """Return the webhooks that are there for a pact, and of each why it was triggered by its publication or not.

    Args:
        publication: The publication of the pact.
        happened: Each time that it was published.
    """
    pact = publication.pact_version
    query = select(TriggeredWebhook.webhook_id).where(
        TriggeredWebhook.publication_id == publication.id, TriggeredWebhook.verification_result_id.is_(None)
    )
    triggered = set(session().scalars(query))
    return [
        {**_listed(one), "reason": _reason(one, happened, triggered=one.id in triggered)}
        for one in applying_to(pact.consumer, pact.provider)
    ]


def _listed(webhook: Webhook) -> dict[str, Any]:
    return {
        "uuid": webhook.uuid,
        "name": shown_description(webhook),
        "enabled": webhook.enabled,
        "scope": scope_of(webhook),
        "events": events_of(webhook),
    }


def _reason(webhook: Webhook, happened: Collection[PublicationEvents], *, triggered: bool) -> str:
    if triggered:
        return "triggered"
    if not happened:
        return "not known: published before events were kept"
    if not set(events_of(webhook)).intersection(name for one in happened for name in one.names()):
        return "not triggered: none of its events happened"
    if all(webhook.created_at > one.created_at for one in happened):
        return "not triggered: created after the publication"
    if not webhook.enabled:
        return "not triggered: disabled"
    return "not triggered: when the pact was published, it was not there, disabled, or for other events"
