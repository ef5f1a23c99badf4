"""Secrets for webhooks, as PactFlow has them: `${user.NAME}` stands for a value that nobody can read again."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from flask import Blueprint
from sqlalchemy import func, select

from broker.embedded.http.bodies import json_object
from broker.embedded.http.errors import invalid, or_not_found
from broker.embedded.http.hal import created, json_response, link, no_content, url
from broker.embedded.storage.records import session
from broker.embedded.storage.tables import now
from broker.embedded.storage.webhook_tables import Secret
from broker.embedded.webhooks.records import vault

if TYPE_CHECKING:
    from flask import Response

blueprint = Blueprint("user_secrets", __name__)

MAX_VALUE = 10_000

_NAME = re.compile(r"[A-Za-z0-9_]{1,100}")


@blueprint.get("/secrets")
def show_all() -> Response:
    """Answer all secrets by name, without their values."""
    found = session().scalars(select(Secret).order_by(func.lower(Secret.name))).all()
    return json_response(
        {
            "_embedded": {"secrets": [_represent(secret) for secret in found]},
            "_links": {
                "self": link(url("secrets"), title="Secrets"),
                "pb:create": link(url("secrets"), title="POST to create a secret"),
                "pb:secrets": [
                    link(url("secrets", one.uuid), title="Secret", name=one.name) for one in found
                ],
            },
        }
    )


@blueprint.post("/secrets")
def create() -> Response:
    """Create a secret."""
    fields = json_object()
    _check(fields, None)
    secret = Secret(uuid=str(uuid4()))
    _write(secret, fields)
    return created(_represent(secret))


@blueprint.get("/secrets/<name:uuid>")
def show(uuid: str) -> Response:
    """Answer a secret without its value."""
    return json_response(_represent(_secret_with(uuid)))


@blueprint.put("/secrets/<name:uuid>")
def put(uuid: str) -> Response:
    """Change a secret; without a value in the document it keeps its own."""
    secret = _secret_with(uuid)
    fields = json_object()
    _check(fields, secret)
    secret.updated_at = now()
    _write(secret, fields)
    return json_response(_represent(secret))


@blueprint.delete("/secrets/<name:uuid>")
def remove(uuid: str) -> Response:
    """Delete a secret. Where it was used, `${user.NAME}` is sent unchanged."""
    session().delete(_secret_with(uuid))
    return no_content()


def _secret_with(uuid: str) -> Secret:
    return or_not_found(session().scalar(select(Secret).where(Secret.uuid == uuid)))


def _check(fields: dict[str, Any], existing: Secret | None) -> None:
    errors: dict[str, list[str]] = {}
    name, value = fields.get("name"), fields.get("value")
    if not isinstance(name, str):
        errors["name"] = ["is missing" if name is None else "must be a string"]
    elif _NAME.fullmatch(name) is None:
        errors["name"] = ["can only contain the characters A-Z, a-z, 0-9 and _, 100 at most"]
    else:
        other = session().scalar(select(Secret).where(Secret.name == name))
        if other is not None and other is not existing:
            errors["name"] = ["is taken by another secret"]
    if value is None:
        if existing is None:
            errors["value"] = ["is missing"]
    elif not isinstance(value, str):
        errors["value"] = ["must be a string"]
    elif not value or len(value) > MAX_VALUE:
        errors["value"] = [f"must have 1 to {MAX_VALUE} characters"]
    description = fields.get("description")
    if not isinstance(description, str | None):
        errors["description"] = ["must be a string"]
    if errors:
        raise invalid(errors)


def _write(secret: Secret, fields: dict[str, Any]) -> None:
    secret.name, secret.description = fields["name"], fields.get("description")
    if fields.get("value") is not None:
        secret.value = vault().encrypt(fields["value"])
    session().add(secret)
    session().flush()


def _represent(secret: Secret) -> dict[str, Any]:
    document: dict[str, Any] = {"uuid": secret.uuid, "name": secret.name}
    if secret.description is not None:
        document["description"] = secret.description
    document["createdAt"] = secret.created_at
    if secret.updated_at is not None:
        document["updatedAt"] = secret.updated_at
    document["_links"] = {"self": link(url("secrets", secret.uuid), title="Secret", name=secret.name)}
    return document
