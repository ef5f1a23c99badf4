"""The webhook resource: created, shown, changed, deleted, and listed."""

from __future__ import annotations

import re
import secrets
from typing import TYPE_CHECKING, Any

from flask import Blueprint
from sqlalchemy import delete, select

from broker.embedded.http.bodies import json_object
from broker.embedded.http.errors import Refusal, invalid
from broker.embedded.http.hal import created, json_response, link, no_content, url
from broker.embedded.pacts.resource import PACT
from broker.embedded.storage.records import find_pacticipant, session
from broker.embedded.storage.tables import now
from broker.embedded.storage.webhook_tables import Webhook
from broker.embedded.webhooks.document import Before, Document, parse, with_what_a_put_keeps
from broker.embedded.webhooks.records import (
    events_of,
    exactly_for,
    find_webhook,
    parties,
    settings,
    shown_description,
    template_of,
    vault,
    webhook_with,
    write,
)
from broker.embedded.webhooks.triggered_records import give_up
from broker.text.secret_names import STARS, is_hidden_by_brokers

if TYPE_CHECKING:
    from flask import Response

    from broker.embedded.storage.tables import Pacticipant

blueprint = Blueprint("webhooks", __name__)

PAIR = "/webhooks/provider/<name:provider>/consumer/<name:consumer>"
PROVIDER = "/webhooks/provider/<name:provider>"
CONSUMER = "/webhooks/consumer/<name:consumer>"
PACT_WEBHOOKS = f"{PACT}/webhooks"

EXECUTE_TITLE = (
    "Test the execution of the webhook with the latest matching pact or verification by sending a POST request to "
    "this URL"
)
BAD_UUID = (
    "The UUID can only contain the characters A-Z, a-z, 0-9, _ and -, and must be 16 to 100 characters long"
)

_UUID = re.compile(r"[A-Za-z0-9_-]{16,100}")


@blueprint.get("/webhooks")
def show_all() -> Response:
    """Answer all webhooks, the oldest first."""
    return _answer_list(list(session().scalars(select(Webhook).order_by(Webhook.id))), url("webhooks"))


@blueprint.post("/webhooks")
def create() -> Response:
    """Create a webhook for the scope of its document."""
    return _create(json_object())


@blueprint.get(PAIR)
@blueprint.get(PROVIDER)
@blueprint.get(CONSUMER)
def show_scope(provider: str | None = None, consumer: str | None = None) -> Response:
    """Answer the webhooks of just this provider, this consumer, or both."""
    names = {"provider": provider, "consumer": consumer}
    segments = [segment for role, name in names.items() if name is not None for segment in (role, name)]
    return _answer_list(_of(provider, consumer), url("webhooks", *segments))


@blueprint.post(PAIR)
@blueprint.post(PROVIDER)
@blueprint.post(CONSUMER)
@blueprint.post(PACT_WEBHOOKS)
def create_in_scope(provider: str | None = None, consumer: str | None = None) -> Response:
    """Create a webhook for the provider and the consumer in the path."""
    found = {"provider": _named("provider", provider), "consumer": _named("consumer", consumer)}
    scope = {role: {"name": pacticipant.name} for role, pacticipant in found.items() if pacticipant}
    return _create({**json_object(), **scope})


@blueprint.get(PACT_WEBHOOKS)
def show_of_pact(provider: str, consumer: str) -> Response:
    """Answer the webhooks of a consumer with a provider."""
    href = url("pacts", "provider", provider, "consumer", consumer, "webhooks")
    return _answer_list(_of(provider, consumer), href, title="Pact webhooks")


@blueprint.get("/webhooks/<name:uuid>")
def show(uuid: str) -> Response:
    """Answer a webhook."""
    return json_response(represent(webhook_with(uuid)))


@blueprint.put("/webhooks/<name:uuid>")
def put(uuid: str) -> Response:
    """Replace a webhook, but for what a PUT keeps, or create one with a UUID of the client's."""
    fields = json_object()
    document = document_from(fields, events_required=True)
    webhook = find_webhook(uuid)
    if webhook is None:
        if _UUID.fullmatch(uuid) is None:
            raise invalid({"uuid": [BAD_UUID]})
        made = Webhook(uuid=uuid)
        write(made, document)
        return json_response(represent(made), status=201)
    before = Before(webhook.description, template_of(webhook, vault()))
    webhook.updated_at = now()
    write(webhook, with_what_a_put_keeps(document, fields, before))
    return json_response(represent(webhook))


@blueprint.delete("/webhooks/<name:uuid>")
def remove(uuid: str) -> Response:
    """Delete a webhook. What it had yet to deliver isn't delivered; its logs stay."""
    webhook = webhook_with(uuid)
    give_up(webhook, "Webhook was deleted before it was delivered")
    session().execute(delete(Webhook).where(Webhook.id == webhook.id))
    return no_content()


def represent(webhook: Webhook) -> dict[str, Any]:
    """Return a webhook as clients see it: with stars for its secrets."""
    template = template_of(webhook, vault())
    request: dict[str, Any] = {"method": template.method, "url": template.url}
    if template.headers:
        request["headers"] = {
            name: STARS if is_hidden_by_brokers(name) else value for name, value in template.headers.items()
        }
    if template.body is not None:
        request["body"] = template.body
    if template.username is not None:
        request["username"] = template.username
    if template.password is not None:
        request["password"] = STARS
    document: dict[str, Any] = {"uuid": webhook.uuid, "description": shown_description(webhook)}
    for role, party in parties(webhook).items():
        document[role] = {"name": party.name} if party.name else {"label": party.label}
    document["enabled"] = webhook.enabled
    document["request"] = request
    document["events"] = [{"name": name} for name in events_of(webhook)]
    if webhook.updated_at is not None:
        document["updatedAt"] = webhook.updated_at
    document["createdAt"] = webhook.created_at
    document["_links"] = _links(webhook)
    return document


def scope_of(webhook: Webhook) -> str:
    """Return the scope of a webhook in words."""
    names = {
        role: party.name or f"{role}s labeled '{party.label}'" for role, party in parties(webhook).items()
    }
    if len(names) == 2:
        return f"A webhook for the pact between {names['consumer']} and {names['provider']}"
    return "A webhook for all pacts" + "".join(f" with {role} {name}" for role, name in names.items())


def document_from(fields: dict[str, Any], *, events_required: bool = False) -> Document:
    """Return the webhook of a document.

    Raises:
        Refusal: 400.
    """
    return parse(
        fields,
        settings=settings(),
        is_known=lambda name: find_pacticipant(name) is not None,
        events_required=events_required,
    )


def _new_uuid() -> str:
    """Return a UUID in a real broker's form; it doesn't begin with `-`, which commands would take for an option."""
    while (uuid := secrets.token_urlsafe(16)).startswith("-"):
        pass
    return uuid


def _create(fields: dict[str, Any]) -> Response:
    webhook = Webhook(uuid=_new_uuid())
    write(webhook, document_from(fields))
    return created(represent(webhook))


def _named(role: str, name: str | None) -> Pacticipant | None:
    pacticipant = None if name is None else find_pacticipant(name)
    if name is not None and pacticipant is None:
        raise Refusal(404, {"error": f"No {role} with name '{name}' found"})
    return pacticipant


def _of(provider: str | None, consumer: str | None) -> list[Webhook]:
    query = exactly_for(_named("consumer", consumer), _named("provider", provider))
    return list(session().scalars(query.order_by(Webhook.id)))


def _links(webhook: Webhook) -> dict[str, Any]:
    href = url("webhooks", webhook.uuid)
    links: dict[str, Any] = {
        "self": link(href, title=shown_description(webhook)),
        "pb:execute": link(f"{href}/execute", title=EXECUTE_TITLE),
    }
    named = {role: party.name for role, party in parties(webhook).items() if party.name}
    for role, name in named.items():
        links[f"pb:{role}"] = link(url("pacticipants", name), title=role.capitalize(), name=name)
    if len(named) == 2:
        consumer, provider = named["consumer"], named["provider"]
        links["pb:pact-webhooks"] = link(
            url("webhooks", "provider", provider, "consumer", consumer),
            title=f"All webhooks for consumer {consumer} and provider {provider}",
        )
    links["pb:webhooks"] = link(url("webhooks"), title="All webhooks")
    return links


def _answer_list(webhooks: list[Webhook], href: str, title: str = "Webhooks") -> Response:
    return json_response(
        {
            "_links": {
                "self": link(href, title=title),
                "pb:create": link(href, title="POST to create a webhook"),
                "pb:webhooks": [
                    link(url("webhooks", one.uuid), title=scope_of(one), name=shown_description(one))
                    for one in webhooks
                ],
            }
        }
    )
