"""The schemas of the OpenAPI document: those of the models of answers, and those of what has GitHub's form."""

from __future__ import annotations

from typing import Any

from pydantic.json_schema import models_json_schema

from app.dispatch import MAX_EVENT_TYPE, MAX_PROPERTIES, MAX_URL, REPOSITORY
from app.web.api.documents import DeliveryList, RunList, WholeDelivery, WholeRun
from app.web.api.providers import ChangedProvider, NotificationList, Provider, ProviderList
from app.web.health import Health, Readiness
from app.web.problem import Problem
from broker.events import PROVIDER_CHANGED
from broker.http.names import LONGEST_NAME

Json = dict[str, Any]

TEXT: Json = {"type": "string"}

_OF_PROVIDER: Json = {
    "sha": {"type": "string", "maxLength": LONGEST_NAME},
    "branch": {"type": "string", "maxLength": LONGEST_NAME},
    "message": {"type": "string"},
}
_CLIENT_PAYLOAD: Json = {
    "type": "object",
    "required": ["pact_url"],
    "maxProperties": MAX_PROPERTIES,
    "properties": {"pact_url": {"type": "string", "format": "uri", "maxLength": MAX_URL}, **_OF_PROVIDER},
}
_PAYLOAD_OF_CHANGE: Json = {
    "type": "object",
    "maxProperties": MAX_PROPERTIES,
    "properties": {"pact_url": {"enum": ["", None]}, **_OF_PROVIDER},
}
_EVENT_TYPE: Json = {"type": "string", "minLength": 1, "maxLength": MAX_EVENT_TYPE}
_PACT_CHANGED: Json = {**_EVENT_TYPE, "not": {"const": PROVIDER_CHANGED}}
_PROVIDER_CHANGED: Json = {"const": PROVIDER_CHANGED}
_REPOSITORY: Json = {
    "type": "object",
    "required": ["full_name"],
    "properties": {"full_name": {"type": "string", "pattern": f"^{REPOSITORY}$"}},
}


def _either(type_field: str, *, required: list[str], **more: Json) -> Json:
    """Return the schema of a dispatch that names a pact, or tells that the provider has changed."""
    kinds: tuple[tuple[Json, Json, list[str]], ...] = (
        (_PACT_CHANGED, _CLIENT_PAYLOAD, ["client_payload"]),
        (_PROVIDER_CHANGED, _PAYLOAD_OF_CHANGE, []),
    )
    return {
        "anyOf": [
            {
                "type": "object",
                "required": [type_field, *payload_required, *required],
                "properties": {type_field: event_type, "client_payload": payload, **more},
            }
            for event_type, payload, payload_required in kinds
        ]
    }


_FORM_OF_GITHUB: Json = {
    "Dispatch": _either("event_type", required=[]),
    "Event": {
        "anyOf": [
            _either("action", required=["repository"], repository=_REPOSITORY),
            {
                "type": "object",
                "description": "A push.",
                "required": ["ref", "after", "repository"],
                "properties": {
                    "ref": {"type": "string", "pattern": "^refs/"},
                    "after": {"type": "string", "pattern": "^[0-9a-f]{40}$"},
                    "repository": _REPOSITORY,
                },
            },
        ]
    },
    "Refusal": {
        "type": "object",
        "required": ["message", "status"],
        "properties": {
            "message": TEXT,
            "documentation_url": TEXT,
            "errors": {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["resource", "field", "code", "message"],
                    "properties": {"resource": TEXT, "field": TEXT, "code": TEXT, "message": TEXT},
                    "additionalProperties": False,
                },
            },
            "status": TEXT,
        },
    },
}
_OTHERS: Json = {
    "Verification": {
        "type": "object",
        "description": "As described by verifier/report/verification.schema.json.",
        "required": ["outcome", "interactions"],
    },
    "Document": {"type": "object", "required": ["openapi", "info", "paths"]},
}


def schemas() -> Json:
    """Return all schemas by their names."""
    models = (
        RunList,
        WholeRun,
        DeliveryList,
        WholeDelivery,
        ProviderList,
        ChangedProvider,
        Provider,
        NotificationList,
        Health,
        Readiness,
        Problem,
    )
    _, found = models_json_schema(
        [(model, "serialization") for model in models], ref_template="#/components/schemas/{model}"
    )
    return {**_FORM_OF_GITHUB, **_tidied(found["$defs"]), **_OTHERS}


def _tidied(schema: Any) -> Any:
    """Leave out the titles that pydantic makes of names, and the part of docstrings that is for programmers."""
    if isinstance(schema, list):
        return [_tidied(member) for member in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        name: member.split("\n\n")[0]
        if name == "description" and isinstance(member, str)
        else _tidied(member)
        for name, member in schema.items()
        if not (name == "title" and isinstance(member, str))
    }
