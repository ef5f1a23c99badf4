"""The schemas of the OpenAPI document: those of the models of answers, and those of what has GitHub's form."""

from __future__ import annotations

from typing import Any

from pydantic.json_schema import models_json_schema

from app.dispatch import MAX_EVENT_TYPE, MAX_PROPERTIES, MAX_URL, REPOSITORY
from app.web.api.documents import DeliveryList, RunList, WholeDelivery, WholeRun
from app.web.health import Health, Readiness
from app.web.problem import Problem
from broker.http.names import LONGEST_NAME

Json = dict[str, Any]

TEXT: Json = {"type": "string"}

_CLIENT_PAYLOAD: Json = {
    "type": "object",
    "required": ["pact_url"],
    "maxProperties": MAX_PROPERTIES,
    "properties": {
        "pact_url": {"type": "string", "format": "uri", "maxLength": MAX_URL},
        "sha": {"type": "string", "maxLength": LONGEST_NAME},
        "branch": {"type": "string", "maxLength": LONGEST_NAME},
        "message": {"type": "string"},
    },
}
_EVENT_TYPE: Json = {"type": "string", "minLength": 1, "maxLength": MAX_EVENT_TYPE}

_FORM_OF_GITHUB: Json = {
    "Dispatch": {
        "type": "object",
        "required": ["event_type", "client_payload"],
        "properties": {"event_type": _EVENT_TYPE, "client_payload": _CLIENT_PAYLOAD},
    },
    "Event": {
        "type": "object",
        "required": ["action", "client_payload", "repository"],
        "properties": {
            "action": _EVENT_TYPE,
            "client_payload": _CLIENT_PAYLOAD,
            "repository": {
                "type": "object",
                "required": ["full_name"],
                "properties": {"full_name": {"type": "string", "pattern": f"^{REPOSITORY}$"}},
            },
        },
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
    models = (RunList, WholeRun, DeliveryList, WholeDelivery, Health, Readiness, Problem)
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
