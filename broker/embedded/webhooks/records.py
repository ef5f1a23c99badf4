"""Webhooks in the database: written, read, and found for what has happened."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from flask import current_app
from sqlalchemy import or_, select

from broker.embedded.http.errors import or_not_found
from broker.embedded.storage.deployment_tables import Label
from broker.embedded.storage.records import pacticipant_named, session
from broker.embedded.storage.webhook_tables import Secret, Webhook
from broker.embedded.webhooks.document import Document, Party
from broker.embedded.webhooks.template import Template

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import ColumnElement, Select
    from sqlalchemy.orm import Session

    from broker.embedded.storage.database import Database
    from broker.embedded.storage.encryption import Vault
    from broker.embedded.storage.tables import Pacticipant
    from broker.embedded.webhooks.settings import WebhookSettings


def vault() -> Vault:
    """Return what encrypts and decrypts in this application."""
    found: Vault = current_app.config["VAULT"]
    return found


def settings() -> WebhookSettings:
    """Return how this application delivers webhooks."""
    found: WebhookSettings = current_app.config["WEBHOOKS"]
    return found


def webhook_with(uuid: str) -> Webhook:
    """Return a webhook; raise a `Refusal` with 404 if there is none."""
    return or_not_found(find_webhook(uuid))


def find_webhook(uuid: str) -> Webhook | None:
    """Return a webhook, if there is one with the UUID."""
    return session().scalar(select(Webhook).where(Webhook.uuid == uuid))


def exactly_for(consumer: Pacticipant | None, provider: Pacticipant | None) -> Select[Webhook]:
    """Return the query for the webhooks of just this consumer, this provider, or both."""
    return select(Webhook).where(
        Webhook.consumer_id.is_(None) if consumer is None else Webhook.consumer == consumer,
        Webhook.provider_id.is_(None) if provider is None else Webhook.provider == provider,
        Webhook.consumer_label.is_(None),
        Webhook.provider_label.is_(None),
    )


def applying_to(consumer: Pacticipant, provider: Pacticipant) -> Sequence[Webhook]:
    """Return all webhooks that a pact of the two can trigger, also the disabled, the oldest first."""
    query = select(Webhook).where(
        _is_party(Webhook.consumer_id, Webhook.consumer_label, consumer),
        _is_party(Webhook.provider_id, Webhook.provider_label, provider),
    )
    return session().scalars(query.order_by(Webhook.id)).all()


def write(webhook: Webhook, document: Document) -> None:
    """Store a document in the webhook's row."""
    template = document.template
    webhook.description = document.description
    webhook.consumer, webhook.consumer_label = _pacticipant(document.consumer)
    webhook.provider, webhook.provider_label = _pacticipant(document.provider)
    webhook.enabled = document.enabled
    webhook.events = json.dumps(document.events)
    webhook.method, webhook.url = template.method, template.url
    webhook.headers = vault().encrypt(json.dumps(template.headers)) if template.headers else None
    webhook.body = None if template.body is None else json.dumps(template.body, ensure_ascii=False)
    webhook.username = template.username
    webhook.password = None if template.password is None else vault().encrypt(template.password)
    session().add(webhook)
    session().flush()


def template_of(webhook: Webhook, opener: Vault) -> Template:
    """Return the request of a webhook, with its secrets.

    Raises:
        KeyUnusable: They can't be read.
    """
    return Template(
        method=webhook.method,
        url=webhook.url,
        headers=json.loads(opener.decrypt(webhook.headers)) if webhook.headers else {},
        body=None if webhook.body is None else json.loads(webhook.body),
        username=webhook.username,
        password=None if webhook.password is None else opener.decrypt(webhook.password),
    )


def secrets_for(template: Template, database: Session, opener: Vault) -> dict[str, str]:
    """Return the values of the secrets that a request uses, by name; one that isn't there is left out.

    Raises:
        KeyUnusable: They can't be read.
    """
    query = select(Secret).where(Secret.name.in_(template.secret_names()))
    return {secret.name: opener.decrypt(secret.value) for secret in database.scalars(query)}


def check_key(database: Database, opener: Vault) -> None:
    """See that what is encrypted in the database can be read; where nothing is, no key is needed.

    Raises:
        KeyUnusable: They can't be read.
    """
    try:
        with database.session(write=False) as reading:
            for column in (Secret.value, Webhook.headers, Webhook.password):
                token = reading.scalar(select(column).where(column.is_not(None)).limit(1))
                if token is not None:
                    opener.decrypt(token)
    finally:
        # An open SQLite connection must not be carried into a forked worker.
        database.close()


def target_name(webhook: Webhook) -> str:
    """Return how a delivery is called: `POST example.org`."""
    return f"{webhook.method} {urlsplit(webhook.url).hostname}"


def shown_description(webhook: Webhook) -> str:
    """Return the description, or a text instead of none."""
    return webhook.description or target_name(webhook)


def events_of(webhook: Webhook) -> list[str]:
    """Return the names of the events that a webhook is for."""
    names: list[str] = json.loads(webhook.events)
    return names


def parties(webhook: Webhook) -> dict[str, Party]:
    """Return the scope of a webhook: the parties at `consumer` and `provider`, if there are any."""
    both = {
        "consumer": (webhook.consumer, webhook.consumer_label),
        "provider": (webhook.provider, webhook.provider_label),
    }
    return {
        role: Party(pacticipant.name if pacticipant else None, label)
        for role, (pacticipant, label) in both.items()
        if pacticipant or label
    }


def labels_of(pacticipant: Pacticipant) -> list[str]:
    """Return the labels of a pacticipant."""
    return list(
        session().scalars(select(Label.name).where(Label.pacticipant == pacticipant).order_by(Label.id))
    )


def _pacticipant(party: Party | None) -> tuple[Pacticipant | None, str | None]:
    if party is None:
        return None, None
    return (None if party.name is None else pacticipant_named(party.name)), party.label


def _is_party(pacticipant_id: Any, label: Any, pacticipant: Pacticipant) -> ColumnElement[bool]:
    return or_(
        pacticipant_id == pacticipant.id,
        pacticipant_id.is_(None) & label.is_(None),
        label.in_(select(Label.name).where(Label.pacticipant_id == pacticipant.id)),
    )
