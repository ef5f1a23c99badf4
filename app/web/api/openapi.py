"""`/openapi.json`: all that the receiver answers, as an OpenAPI 3.1 document."""

from __future__ import annotations

import json
from functools import cache
from importlib.metadata import version
from typing import Any

from flask import Blueprint, Response

from app.dispatch import DRY_RUN_HEADER, PUSH
from app.records.deliveries import LONGEST_GITHUB_ID
from app.web.api.schemas import schemas
from app.web.context import receiver
from app.web.dispatches import IGNORED_EVENTS, MAX_BYTES, MAX_DELIVERED_BYTES
from app.web.health import MOST_WORKERS
from app.web.paging import (
    DEFAULT_LIMIT,
    DEFAULT_PROVIDERS,
    DELIVERY_FILTERS,
    MAX_LIMIT,
    RUN_FILTERS,
    Filter,
)

Json = dict[str, Any]

blueprint = Blueprint("openapi", __name__)

_DESCRIPTION = """\
Takes dispatches as GitHub's API and GitHub's events do, verifies the pacts they name, and tells what became of them.
Lists are newest first, that of providers is by their names; follow `next` until it is null.
"""
_API: list[Json] = [{"apiToken": []}]
_DISPATCH: list[Json] = [{"dispatchToken": []}]
_SIGNED: list[Json] = [{"signature": []}]
_DISPATCH_REFUSALS = {
    "400": "The body is no JSON, or did not arrive as a whole.",
    "401": "The token, or the signature, is wrong.",
    "403": "A page of another site has a browser send it.",
    "404": "There is no token, or none for this repository, or no provider with it.",
    "408": "The body did not arrive in time.",
    "413": (
        f"The body has more than {MAX_BYTES // 1024} KB; of an event: more than {MAX_DELIVERED_BYTES // 1024}, or its "
        f"client payload more than {MAX_BYTES // 1024}."
    ),
    "415": "The body is of another media type.",
    "422": "The dispatch can't be accepted; `errors` names the fields.",
    "503": "It can't be stored: send it again.",
}
_MAY_ONLY_READ = "The token is one of the API that may only read."


@blueprint.get("/openapi.json")
def openapi() -> Response:
    """Answer with the document."""
    return Response(_text(receiver().settings.server.public_url), mimetype="application/json")


@cache
def _text(public_url: str | None) -> str:
    """Return the document as text, which is made once: anybody may ask for it."""
    return json.dumps(document(public_url), ensure_ascii=False)


def document(public_url: str | None = None) -> Json:
    """Return the document.

    Args:
        public_url: Where the receiver is reached; where it listens unless given.
    """
    return {
        "openapi": "3.1.0",
        **({"servers": [{"url": public_url.rstrip("/")}]} if public_url else {}),
        "info": {
            "title": "pact-dispatch",
            "version": version("pact-dispatch"),
            "description": _DESCRIPTION,
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "paths": {
            "/repos/{owner}/{repository}/dispatches": _dispatch(),
            "/github/events": _event(),
            "/api/runs": _list("Run", "runs", RUN_FILTERS),
            "/api/runs/{id}": _get("WholeRun", "run", "Look up a run, with its interactions"),
            "/api/runs/{id}/log": _log(),
            "/api/runs/{id}/verification": _get(
                "Verification", "run", "Look up a run's verification, as `verify --json` writes it"
            ),
            "/api/runs/{id}/cancel": _cancel(),
            "/api/deliveries": _list("Delivery", "deliveries", DELIVERY_FILTERS),
            "/api/deliveries/{id}": _get("WholeDelivery", "delivery", "Look up a delivery, with its payload"),
            "/api/deliveries/{id}/redeliver": _redeliver(),
            "/api/providers": _list(
                "Provider",
                "providers",
                (),
                limit=DEFAULT_PROVIDERS,
                summary="List the providers by their names, and which of them are paused",
            ),
            "/api/providers/{name}/notifications": _notifications(),
            "/api/providers/{name}/pause": _pausing("pause", "Keep the runs of a provider waiting"),
            "/api/providers/{name}/resume": _pausing("resume", "Start the runs that wait for a provider"),
            "/healthz": {
                "get": _operation(
                    "healthz", "Is the process up?", {"200": _json("Health", "It is.")}, security=[]
                )
            },
            "/readyz": _ready(),
            "/metrics": _metrics(),
            "/openapi.json": {
                "get": _operation(
                    "openapi", "This document", {"200": _json("Document", "The document.")}, security=[]
                )
            },
        },
        "components": {
            "schemas": schemas(),
            "securitySchemes": {
                "apiToken": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "One of PACT_DISPATCH_API_TOKENS; one that is read-only for GET alone.",
                },
                "dispatchToken": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "One of PACT_DISPATCH_TOKENS, perhaps limited to repositories; or as a password.",
                },
                "signature": {
                    "type": "apiKey",
                    "in": "header",
                    "name": "X-Hub-Signature-256",
                    "description": "`sha256=` and the HMAC-SHA256 of the body with PACT_DISPATCH_WEBHOOK_SECRET.",
                },
            },
        },
    }


def _dispatch() -> Json:
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
        for name in ("owner", "repository")
    ]
    operation = _operation(
        "dispatch",
        "Dispatch, as GitHub's API takes it",
        _dispatch_answers(),
        security=_DISPATCH,
        parameters=[
            {
                "name": DRY_RUN_HEADER,
                "in": "header",
                "description": "`true` has the dispatch checked, and nothing stored; the answer has the header too.",
                "schema": {"type": "string"},
            }
        ],
        requestBody={"required": True, "content": {"application/json": {"schema": _ref("Dispatch")}}},
    )
    return {"parameters": parameters, "post": operation}


def _event() -> Json:
    headers = [
        {
            "name": "X-GitHub-Event",
            "in": "header",
            "required": True,
            "schema": {"type": "string", "enum": ["repository_dispatch", PUSH, *sorted(IGNORED_EVENTS)]},
        },
        {
            "name": "X-GitHub-Delivery",
            "in": "header",
            "description": "One that was accepted is carried out once: sent again, it is noted as a repetition.",
            "schema": {"type": "string", "minLength": 1, "maxLength": LONGEST_GITHUB_ID},
        },
    ]
    form = {
        "type": "object",
        "required": ["payload"],
        "properties": {"payload": {"type": "string", "description": "The JSON document."}},
    }
    content = {
        "application/json": {"schema": _ref("Event")},
        "application/x-www-form-urlencoded": {"schema": form},
    }
    operation = _operation(
        "event",
        "Dispatch, as GitHub delivers it to an App or a webhook",
        _dispatch_answers(),
        security=_SIGNED,
        parameters=headers,
        requestBody={"required": True, "content": content},
    )
    return {"post": operation}


def _list(
    schema: str,
    name: str,
    filters: tuple[Filter, ...],
    *,
    limit: int = DEFAULT_LIMIT,
    summary: str | None = None,
) -> Json:
    parameters: list[Json] = [
        {
            "name": "limit",
            "in": "query",
            "description": "The most items of a page.",
            "schema": {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": limit},
        },
        {
            "name": "cursor",
            "in": "query",
            "description": "Where the page begins; it stands in `next`.",
            "schema": {"type": "string"},
        },
    ]
    for one in filters:
        value: Json = (
            {"enum": list(one.choices)} if one.choices else {"minLength": 1, "maxLength": one.longest}
        )
        about: Json = {"description": one.meaning} if one.meaning else {}
        parameters.append({"name": one.name, "in": "query", **about, "schema": {"type": "string", **value}})
    answers = {
        "200": _json(f"{schema}List", "A page."),
        "414": {"description": "The URL has more than 8190 bytes."},
        "422": _problem("A parameter can't be used; `errors` names it."),
    }
    summary = summary or f"List {name}, newest first"
    return {"get": _operation(f"list_{name}", summary, answers, security=_API, parameters=parameters)}


def _get(schema: str, name: str, summary: str) -> Json:
    answers = {"200": _json(schema, "It."), "404": _problem("There is none.")}
    return {
        "parameters": [_id()],
        "get": _operation(f"get_{schema.lower()}", summary, answers, security=_API, tags=[name]),
    }


def _log() -> Json:
    text = {"description": "The log.", "content": {"text/plain": {"schema": {"type": "string"}}}}
    answers = {"200": text, "404": _problem("There is no such run.")}
    operation = _operation("get_log", "Look up a run's log", answers, security=_API)
    return {"parameters": [_id()], "get": operation}


def _cancel() -> Json:
    answers = {
        "200": _json("WholeRun", "It is cancelled."),
        "202": _json("WholeRun", "It runs, and its worker was told to stop it."),
        "403": _problem(_MAY_ONLY_READ),
        "404": _problem("There is no such run."),
        "409": _problem("It is finished."),
    }
    operation = _operation("cancel", "Cancel a run that waits or runs", answers, security=_API)
    return {"parameters": [_id()], "post": operation}


def _redeliver() -> Json:
    answers = {
        "201": _json("WholeDelivery", "The new delivery."),
        "403": _problem(_MAY_ONLY_READ),
        "404": _problem("There is no such delivery."),
        "409": _problem("Too little of it was kept."),
        "422": _problem("It would be refused by the configuration as it is now."),
    }
    operation = _operation("redeliver", "Carry a delivery's dispatch out again", answers, security=_API)
    return {"parameters": [_id()], "post": operation}


_NAME: Json = {
    "name": "name",
    "in": "path",
    "required": True,
    "schema": {"type": "string", "minLength": 1},
}

_REASON: Json = {
    "name": "reason",
    "in": "query",
    "description": "Why, for those who wonder. It takes the place of the former one, if there is one.",
    "schema": {"type": "string"},
}


def _pausing(name: str, summary: str) -> Json:
    answers = {
        "200": _json("ChangedProvider", "It is done, or was before: see `change`."),
        "403": _problem(_MAY_ONLY_READ),
        "404": _problem("There is no such provider."),
    }
    parameters = [_NAME, *([_REASON] if name == "pause" else [])]
    return {"parameters": parameters, "post": _operation(name, summary, answers, security=_API)}


def _notifications() -> Json:
    summary = "Look up the latest message about a provider to each of those who are told of its changes"
    answers = {"200": _json("NotificationList", "They.")}
    return {"parameters": [_NAME], "get": _operation("list_notifications", summary, answers, security=_API)}


def _ready() -> Json:
    answers = {
        "200": _json("Readiness", "It would."),
        "401": _problem("There is a token, and it is none of the API."),
        "422": _problem("A parameter can't be used."),
        "503": _json("Readiness", "The database is away, or too few workers are alive."),
    }
    workers = {
        "name": "workers",
        "in": "query",
        "description": "How many workers must be alive. 0: would a dispatch be accepted?",
        "schema": {"type": "integer", "minimum": 0, "maximum": MOST_WORKERS, "default": 1},
    }
    operation = _operation("readyz", "Would a dispatch be carried out now?", answers, security=[{}, *_API])
    return {"get": {**operation, "parameters": [workers]}}


def _metrics() -> Json:
    text = {"schema": {"type": "string"}}
    content = {"text/plain": text, "application/openmetrics-text": text}
    answers = {"200": {"description": "The figures.", "content": content}}
    return {"get": _operation("metrics", "Figures for Prometheus", answers, security=_API)}


def _operation(name: str, summary: str, answers: Json, *, security: list[Json], **more: Any) -> Json:
    if security == _API:
        answers = {
            **answers,
            "401": _problem("There is no token of the API, or a wrong one."),
            "503": _problem("The database is away: try again."),
        }
    return {"operationId": name, "summary": summary, "security": security, **more, "responses": answers}


def _dispatch_answers() -> Json:
    refused = {
        status: {"description": text, "content": {"application/json": {"schema": _ref("Refusal")}}}
        for status, text in _DISPATCH_REFUSALS.items()
    }
    return {"204": {"description": "It is stored and queued, or repeats a delivery that was."}, **refused}


def _json(schema: str, description: str) -> Json:
    return {"description": description, "content": {"application/json": {"schema": _ref(schema)}}}


def _problem(description: str) -> Json:
    return _json("Problem", description)


def _id() -> Json:
    return {"name": "id", "in": "path", "required": True, "schema": {"type": "string", "format": "uuid"}}


def _ref(schema: str) -> Json:
    return {"$ref": f"#/components/schemas/{schema}"}
