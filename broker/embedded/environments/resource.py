"""Environments."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from flask import Blueprint, request
from sqlalchemy import delete

from broker.embedded.http.bodies import json_object
from broker.embedded.http.errors import invalid
from broker.embedded.http.hal import created, json_response, link, no_content, url
from broker.embedded.storage.deployment_records import environment_with, environments, find_environment
from broker.embedded.storage.deployment_tables import Environment
from broker.embedded.storage.records import session
from broker.embedded.storage.tables import now

if TYPE_CHECKING:
    from flask import Response

blueprint = Blueprint("environments", __name__)

ENVIRONMENT = "/environments/<name:uuid>"


@blueprint.get("/environments")
def show_all() -> Response:
    """Answer all environments, or the one of the name in the query."""
    name = request.args.get("name")
    found = [one for one in environments() if name in {None, one.name}]
    return json_response(
        {
            "_embedded": {"environments": [represent_environment(one) for one in found]},
            "_links": {
                "self": link(url("environments"), title="Environments"),
                "pb:environments": [
                    link(environment_url(one), title="Environment", name=one.name) for one in found
                ],
            },
        }
    )


@blueprint.post("/environments")
def create() -> Response:
    """Make an environment."""
    fields = json_object()
    _check(fields, None)
    environment = Environment(uuid=str(uuid4()))
    _update(environment, fields)
    session().add(environment)
    session().flush()
    return created(represent_environment(environment))


@blueprint.get(ENVIRONMENT)
def show(uuid: str) -> Response:
    """Answer an environment."""
    return json_response(represent_environment(environment_with(uuid)))


@blueprint.put(ENVIRONMENT)
def replace(uuid: str) -> Response:
    """Replace an environment's fields: one that isn't sent is emptied."""
    environment = environment_with(uuid)
    fields = json_object()
    _check(fields, environment)
    _update(environment, fields)
    environment.updated_at = now()
    return json_response(represent_environment(environment))


@blueprint.delete(ENVIRONMENT)
def remove(uuid: str) -> Response:
    """Delete an environment, with the deployments and releases in it; the versions stay."""
    session().execute(delete(Environment).where(Environment.id == environment_with(uuid).id))
    return no_content()


def environment_url(environment: Environment, *more: str) -> str:
    """Return the URL of an environment, or of what is below it."""
    return url("environments", environment.uuid, *more)


def represent_environment(environment: Environment) -> dict[str, Any]:
    """Return an environment as clients see it."""
    shown = environment.shown_name
    fields = {
        "uuid": environment.uuid,
        "name": environment.name,
        "displayName": shown,
        "production": environment.production,
        "contacts": json.loads(environment.contacts) if environment.contacts else None,
        "updatedAt": environment.updated_at,
        "createdAt": environment.created_at,
    }
    return {
        **{key: value for key, value in fields.items() if value is not None},
        "_links": {
            "self": link(environment_url(environment), title="Environment", name=environment.name),
            "pb:currently-deployed-deployed-versions": link(
                environment_url(environment, "deployed-versions", "currently-deployed"),
                title=f"Versions currently deployed to {shown} environment",
            ),
            "pb:currently-supported-released-versions": link(
                environment_url(environment, "released-versions", "currently-supported"),
                title=f"Versions released and supported in {shown} environment",
            ),
            "pb:environments": link(url("environments"), title="Environments"),
        },
    }


def _update(environment: Environment, fields: dict[str, Any]) -> None:
    environment.name = fields["name"]
    environment.display_name = fields.get("displayName")
    environment.production = fields["production"]
    contacts = fields.get("contacts")
    environment.contacts = json.dumps(contacts, ensure_ascii=False) if contacts else None


def _check(fields: dict[str, Any], existing: Environment | None) -> None:
    errors = {
        name: found
        for name, found in (
            ("name", _mistakes_in_name(fields, existing)),
            ("displayName", _mistakes_in_line(fields.get("displayName"))),
            ("production", _mistakes_in_production(fields)),
            ("contacts", _mistakes_in_contacts(fields.get("contacts"))),
        )
        if found
    }
    if errors:
        raise invalid(errors)


def _mistakes_in_name(fields: dict[str, Any], existing: Environment | None) -> list[str]:
    name = fields.get("name")
    if "name" not in fields:
        return ["is missing"]
    if not isinstance(name, str):
        return ["must be a string"]
    if not name.strip():
        return ["must be filled"]
    mistakes = _mistakes_in_line(name)
    if re.search(r"\s", name):
        mistakes.append("cannot contain spaces")
    same = find_environment(name)
    if same is not None and same is not existing:
        mistakes.append(f"name '{name}' is already used by an existing environment.")
    return mistakes


def _mistakes_in_line(text: object) -> list[str]:
    if text is None:
        return []
    if not isinstance(text, str):
        return ["must be a string"]
    return ["cannot contain multiple lines"] if re.search(r"[\r\n]", text) else []


def _mistakes_in_production(fields: dict[str, Any]) -> list[str]:
    if "production" not in fields:
        return ["is missing"]
    return [] if isinstance(fields["production"], bool) else ["must be one of: true, false"]


def _mistakes_in_contacts(contacts: object) -> list[str]:
    if contacts is None:
        return []
    if not isinstance(contacts, list):
        return ["must be an array"]
    mistakes = []
    for index, contact in enumerate(contacts):
        if not isinstance(contact, dict):
            mistakes.append(f"must be a hash (at index {index})")
            continue
        name = contact.get("name")
        if "name" not in contact:
            mistakes.append(f"name is missing (at index {index})")
        elif not isinstance(name, str) or not name.strip():
            mistakes.append(f"name must be filled (at index {index})")
        if not isinstance(contact.get("details"), dict | None):
            mistakes.append(f"details must be a hash (at index {index})")
    return mistakes
