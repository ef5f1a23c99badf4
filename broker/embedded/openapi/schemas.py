"""The schemas of the documents that are sent."""

from __future__ import annotations

from typing import Any

from broker.embedded.webhooks.settings import METHODS
from broker.events import WebhookEvent

Schema = dict[str, Any]

_TEXT: Schema = {"type": "string"}
_TEXT_OR_NONE: Schema = {"type": ["string", "null"]}
_FLAG: Schema = {"type": "boolean"}
_OBJECT: Schema = {"type": "object"}


def _object(required: tuple[str, ...] = (), /, **properties: Schema) -> Schema:
    return {"type": "object", "properties": properties, **({"required": list(required)} if required else {})}


def _list(items: Schema) -> Schema:
    return {"type": "array", "items": items}


_PACTICIPANT = {"displayName": _TEXT_OR_NONE, "repositoryUrl": _TEXT_OR_NONE, "mainBranch": _TEXT_OR_NONE}
_SECRET = {"name": {"type": "string", "pattern": "^[A-Za-z0-9_]{1,100}$"}, "description": _TEXT_OR_NONE}
_PARTY = _object(name=_TEXT, label=_TEXT)

SCHEMAS: dict[str, Schema] = {
    "Nothing": _OBJECT,
    "NewPacticipant": _object(("name",), name=_TEXT, **_PACTICIPANT),
    "Pacticipant": _object(**_PACTICIPANT),
    "Version": _object(buildUrl=_TEXT_OR_NONE),
    "Publication": _object(
        ("pacticipantName", "pacticipantVersionNumber", "contracts"),
        pacticipantName=_TEXT,
        pacticipantVersionNumber=_TEXT,
        branch=_TEXT_OR_NONE,
        buildUrl=_TEXT_OR_NONE,
        tags=_list(_TEXT),
        contracts=_list(
            _object(
                ("consumerName", "providerName", "content", "contentType", "specification"),
                consumerName=_TEXT,
                providerName=_TEXT,
                content={"type": "string", "contentEncoding": "base64"},
                contentType={"type": "string", "examples": ["application/json"]},
                specification={"type": "string", "enum": ["pact"]},
            )
        ),
    ),
    "Pact": _object(
        consumer=_object(name=_TEXT),
        provider=_object(name=_TEXT),
        interactions=_list(_OBJECT),
        messages=_list(_OBJECT),
        metadata=_OBJECT,
    ),
    "Selection": _object(
        consumerVersionSelectors=_list(
            _object(
                **dict.fromkeys(
                    ("branch", "tag", "fallbackTag", "fallbackBranch", "consumer", "environment"), _TEXT
                ),
                **dict.fromkeys(
                    ("mainBranch", "latest", "matchingBranch", "deployed", "released", "deployedOrReleased"),
                    _FLAG,
                ),
            )
        ),
        providerVersionBranch=_TEXT,
        providerVersionTags=_list(_TEXT),
        includePendingStatus=_FLAG,
        includeWipPactsSince=_TEXT,
    ),
    "VerificationResult": _object(
        ("success", "providerApplicationVersion"),
        success=_FLAG,
        providerApplicationVersion=_TEXT,
        buildUrl=_TEXT_OR_NONE,
        testResults={},
        verifiedBy=_OBJECT,
    ),
    "Environment": _object(
        ("name", "production"),
        name={"type": "string", "pattern": r"^\S+$"},
        displayName=_TEXT_OR_NONE,
        production=_FLAG,
        contacts=_list(_object(("name",), name=_TEXT, details=_OBJECT)),
    ),
    "NewDeployment": _object(applicationInstance=_TEXT_OR_NONE, target=_TEXT_OR_NONE),
    "Deployment": _object(currentlyDeployed=_FLAG),
    "Release": _object(currentlySupported=_FLAG),
    "Webhook": _object(
        ("request",),
        description=_TEXT_OR_NONE,
        consumer=_PARTY,
        provider=_PARTY,
        enabled=_FLAG,
        events=_list(
            _object(("name",), name={"type": "string", "enum": [event.value for event in WebhookEvent]})
        ),
        request=_object(
            ("method", "url"),
            method={"type": "string", "enum": sorted(METHODS)},
            url=_TEXT,
            headers={"type": "object", "additionalProperties": _TEXT},
            body={},
            username=_TEXT_OR_NONE,
            password=_TEXT_OR_NONE,
        ),
    ),
    "NewSecret": _object(
        ("name", "value"), **_SECRET, value={"type": "string", "minLength": 1, "maxLength": 10_000}
    ),
    "Secret": _object(("name",), **_SECRET, value={"type": "string", "minLength": 1, "maxLength": 10_000}),
}
