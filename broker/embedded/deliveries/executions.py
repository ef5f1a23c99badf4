"""Executions of a webhook on demand: its request is sent at once, and the outcome is the answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Blueprint
from sqlalchemy import select

from broker.embedded.deliveries.attempt import attempt
from broker.embedded.http.bodies import json_object
from broker.embedded.http.hal import json_response, link, url
from broker.embedded.storage.deployment_tables import Label
from broker.embedded.storage.records import find_pacticipant, publications, session
from broker.embedded.storage.tables import PactVersion, VerificationResult
from broker.embedded.webhooks.records import (
    events_of,
    parties,
    secrets_for,
    settings,
    template_of,
    vault,
    webhook_with,
)
from broker.embedded.webhooks.resource import document_from
from broker.embedded.webhooks.variables import TEST, Occasion, context_of_test, placeholders, values
from broker.events import VERIFICATION_EVENTS

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from flask import Response

    from broker.embedded.storage.tables import Publication
    from broker.embedded.webhooks.document import Party
    from broker.embedded.webhooks.template import Template

blueprint = Blueprint("webhook_executions", __name__)


@blueprint.post("/webhooks/<name:uuid>/execute")
def saved(uuid: str) -> Response:
    """Send a webhook's request once, also while it is disabled."""
    webhook = webhook_with(uuid)
    href = url("webhooks", uuid)
    document = _execute(template_of(webhook, vault()), parties(webhook), events_of(webhook), uuid=uuid)
    return _answer(document, f"{href}/execute", {"webhook": link(href)})


@blueprint.post("/webhooks/execute")
def unsaved() -> Response:
    """Send the request of a webhook that isn't saved."""
    webhook = document_from(json_object())
    named = {"consumer": webhook.consumer, "provider": webhook.provider}
    found = {role: party for role, party in named.items() if party is not None}
    document = _execute(webhook.template, found, webhook.events, uuid=None)
    return _answer(document, url("webhooks", "execute"), {})


def _execute(
    template: Template, parties: Mapping[str, Party], events: Collection[str], *, uuid: str | None
) -> dict[str, Any]:
    """Send a request with the latest pact that the webhook is for; without one, with placeholders."""
    publication = _latest_pact(parties)
    if publication is None:
        names = {role: party.name for role, party in parties.items()}
        known = placeholders(names.get("consumer"), names.get("provider"))
    else:
        result = _latest_result(publication) if VERIFICATION_EVENTS.intersection(events) else None
        known = values(Occasion(TEST, publication, result))
    secrets = secrets_for(template, session(), vault())
    made = attempt(template, known, secrets, context_of_test(), settings(), uuid=uuid)
    logs = made.logs() if made.success else made.logs("Webhook execution failed")
    return {**made.document(), "logs": logs, "success": made.success}


def _latest_pact(parties: Mapping[str, Party]) -> Publication | None:
    query = publications()
    for role, column in (("consumer", PactVersion.consumer_id), ("provider", PactVersion.provider_id)):
        party = parties.get(role)
        if party is not None and party.name is not None:
            pacticipant = find_pacticipant(party.name)
            query = query.where(column == (pacticipant.id if pacticipant else None))
        elif party is not None:
            query = query.where(column.in_(select(Label.pacticipant_id).where(Label.name == party.label)))
    return session().scalar(query.limit(1))


def _latest_result(publication: Publication) -> VerificationResult | None:
    pact = publication.pact_version
    query = select(VerificationResult).join(VerificationResult.pact_version)
    query = query.where(
        PactVersion.consumer_id == pact.consumer_id, PactVersion.provider_id == pact.provider_id
    )
    return session().scalar(query.order_by(VerificationResult.id.desc()).limit(1))


def _answer(document: dict[str, Any], again: str, links: dict[str, Any]) -> Response:
    try_again = link(again, title="Execute the webhook again")
    return json_response({**document, "_links": {**links, "try-again": try_again}})
