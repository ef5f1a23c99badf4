"""The schemas of the OpenAPI document: what comes in, and what is answered."""

from __future__ import annotations

from typing import Any

from app.dispatch import MAX_EVENT_TYPE, MAX_PROPERTIES, MAX_URL, REPOSITORY
from app.web.api.documents import OUTCOMES, PUBLISHING, SOURCES, STATUSES
from verifier.commit_id import COMMIT_ID

Json = dict[str, Any]


def _object(properties: Json, *, closed: bool = True, **more: Any) -> Json:
    """Describe an object that always has all of its properties."""
    closing = {"additionalProperties": False} if closed else {}
    return {"type": "object", "required": list(properties), "properties": properties, **closing, **more}


def _or_null(schema: Json) -> Json:
    if "enum" in schema:
        return {**schema, "type": [schema["type"], "null"], "enum": [*schema["enum"], None]}
    return {**schema, "type": [schema["type"], "null"]}


def _one_of(choices: tuple[str, ...]) -> Json:
    return {"type": "string", "enum": list(choices)}


TEXT: Json = {"type": "string"}
NUMBER: Json = {"type": "integer", "minimum": 0}
YES_OR_NO: Json = {"type": "boolean"}
ID: Json = {"type": "string", "format": "uuid"}
TIME: Json = {"type": "string", "format": "date-time"}
ANY_OBJECT: Json = {"type": "object"}

_CLIENT_PAYLOAD: Json = {
    "type": "object",
    "required": ["pact_url"],
    "maxProperties": MAX_PROPERTIES,
    "properties": {
        "pact_url": {"type": "string", "format": "uri", "maxLength": MAX_URL},
        "sha": {"type": "string", "pattern": f"^{COMMIT_ID}$"},
        "branch": {"type": "string", "maxLength": 255},
        "message": {"type": "string"},
    },
}
_EVENT_TYPE: Json = {"type": "string", "minLength": 1, "maxLength": MAX_EVENT_TYPE}

_RUN: Json = {
    "id": ID,
    "status": _one_of(STATUSES),
    "outcome": _or_null(_one_of(OUTCOMES)),
    "reason": _one_of(("dispatched", "redelivered", "reconciled")),
    "provider": TEXT,
    "provider_version": _or_null(TEXT),
    "provider_branch": _or_null(TEXT),
    "consumer": _or_null(TEXT),
    "consumer_version": _or_null(TEXT),
    "pact_url": TEXT,
    "repository": TEXT,
    "event_type": TEXT,
    "sha": _or_null(TEXT),
    "branch": _or_null(TEXT),
    "interaction_count": _or_null(NUMBER),
    "error": _or_null(TEXT),
    "error_kind": _or_null(TEXT),
    "attempts": NUMBER,
    "retry_at": _or_null(TIME),
    "cancel_requested": YES_OR_NO,
    "publishing": _one_of(PUBLISHING),
    "publish_attempts": NUMBER,
    "publish_error": _or_null(TEXT),
    "result_url": _or_null(TEXT),
    "created_at": TIME,
    "started_at": _or_null(TIME),
    "verified_at": _or_null(TIME),
    "finished_at": _or_null(TIME),
    "deliveries": {"type": "array", "items": ID},
}
_DELIVERY: Json = {
    "id": ID,
    "received_at": TIME,
    "source": _one_of(SOURCES),
    "github_id": _or_null(TEXT),
    "sender": _or_null(TEXT),
    "address": _or_null(TEXT),
    "repository": _or_null(TEXT),
    "event_type": _or_null(TEXT),
    "status": {"type": "integer", "description": "The HTTP status of the answer."},
    "refusal": _or_null({**TEXT, "description": "Why it was refused, in a word."}),
    "detail": _or_null(TEXT),
    "run_id": _or_null(ID),
    "coalesced": {**YES_OR_NO, "description": "Whether a run that waited already answers it."},
}
_RELAY = _object(
    {"repository": TEXT, "event_type": TEXT, "request_id": _or_null(TEXT), "relayed_at": TIME},
    description="Where its dispatch was passed on.",
)
_COMMIT_STATUS = _object(
    {
        "repository": TEXT,
        "sha": TEXT,
        "context": TEXT,
        "state": _one_of(("pending", "success", "failure", "error")),
        "description": TEXT,
        "result": _one_of(("waiting", "set", "superseded", "refused", "given-up")),
        "attempts": NUMBER,
        "error": _or_null(TEXT),
    }
)
_QUEUE = _object(
    {
        "waiting": NUMBER,
        "running": NUMBER,
        "to_publish": NUMBER,
        "oldest_waiting_seconds": {"type": "number", "minimum": 0},
        "workers": NUMBER,
    }
)

SCHEMAS: Json = {
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
                "items": _object({"resource": TEXT, "field": TEXT, "code": TEXT, "message": TEXT}),
            },
            "status": TEXT,
        },
    },
    "Problem": {
        "type": "object",
        "required": ["message", "status"],
        "properties": {
            "message": TEXT,
            "errors": {"type": "array", "items": _object({"field": TEXT, "message": TEXT})},
            "status": TEXT,
        },
    },
    "Run": _object(_RUN),
    "WholeRun": _object(
        {
            **_RUN,
            "worker": _or_null(TEXT),
            "error_output": _or_null(TEXT),
            "interactions": {"type": "array", "items": ANY_OBJECT},
            "relay": {"oneOf": [_RELAY, {"type": "null"}]},
            "commit_statuses": {"type": "array", "items": _COMMIT_STATUS},
        }
    ),
    "Verification": {
        "type": "object",
        "description": "As described by verifier/report/verification.schema.json.",
        "required": ["outcome", "interactions"],
    },
    "Delivery": _object(_DELIVERY),
    "WholeDelivery": _object({**_DELIVERY, "payload": {"description": "The body, without secrets."}}),
    "Health": _object({"status": {"const": "ok"}}),
    "Readiness": _object(
        {
            "ready": YES_OR_NO,
            "problems": {"type": "array", "items": TEXT},
            "queue": {"oneOf": [_QUEUE, {"type": "null"}]},
        }
    ),
    "Document": {"type": "object", "required": ["openapi", "info", "paths"]},
}
