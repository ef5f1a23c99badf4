"""The OpenAPI document of this broker at `/openapi.json`; a real broker has none.

Paths, methods and summaries come from the routes themselves; what a route takes and answers is in `operations`.
"""

from __future__ import annotations

import re
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from flask import Blueprint, current_app

from broker.embedded.http.hal import base_url, json_response
from broker.embedded.openapi.operations import OPERATIONS, Operation
from broker.embedded.openapi.schemas import SCHEMAS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from flask import Flask, Response

blueprint = Blueprint("openapi", __name__)

_VARIABLE = re.compile(r"<(?P<converter>\w+):(?P<name>\w+)>")
_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")

_OF_ANY = {
    400: "The request can't be read, or has mistakes, told field by field.",
    401: "Credentials are needed, or others than these.",
    503: "The database or the key of the secrets can't be used.",
}
"""The answers that any request may get."""
_TEXTS = {
    200: "What was asked for, or what it has become.",
    201: "It was made.",
    204: "It was deleted.",
    404: "It isn't there.",
    409: "It is there already, and is something else.",
    413: "The body is too large.",
    415: "The body is no JSON.",
}


@blueprint.get("/openapi.json")
def show() -> Response:
    """Answer the OpenAPI document of this broker."""
    return json_response(document(current_app), content_type="application/json")


def document(app: Flask) -> dict[str, Any]:
    """Return the OpenAPI document of an application with the broker's routes, in a request to it."""
    paths: dict[str, dict[str, Any]] = {}
    for rule in sorted(app.url_map.iter_rules(), key=lambda rule: rule.rule):
        summary = (app.view_functions[rule.endpoint].__doc__ or "").partition("\n")[0]
        variables = [(match["name"], match["converter"]) for match in _VARIABLE.finditer(rule.rule)]
        at_path = paths.setdefault(_VARIABLE.sub(r"{\g<name>}", rule.rule), {})
        if variables:
            at_path["parameters"] = [_path_parameter(*one) for one in variables]
        for method in _METHODS:
            if method in (rule.methods or ()):
                described = _described(OPERATIONS[rule.endpoint], variables)
                at_path[method.lower()] = {
                    "tags": [rule.endpoint.partition(".")[0]],
                    "summary": summary,
                    **described,
                }
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Pact Broker (embedded, for development)",
            "version": version("pact-dispatch"),
            "description": "Answers are HAL: JSON with links. Names in paths are percent-encoded, slashes too.",
        },
        "servers": [{"url": base_url()}],
        "security": [{}, {"basic": []}, {"bearer": []}],
        "paths": paths,
        "components": {
            "schemas": SCHEMAS,
            "securitySchemes": {
                "basic": {"type": "http", "scheme": "basic"},
                "bearer": {"type": "http", "scheme": "bearer"},
            },
        },
    }


def _path_parameter(name: str, converter: str) -> dict[str, Any]:
    schema: dict[str, Any] = (
        {"type": "integer", "minimum": 0} if converter == "int" else {"type": "string", "minLength": 1}
    )
    return {"name": name, "in": "path", "required": True, "schema": schema}


def _described(operation: Operation, variables: Iterable[object]) -> dict[str, Any]:
    """Return the parameters, the body and the answers of an operation."""
    answers = {status: _answer(_TEXTS[status], operation) for status in operation.answers}
    refusals = {*_OF_ANY, *operation.refusals}
    if variables:
        refusals.add(404)
    if operation.body is not None:
        refusals |= {413, 415}
    described: dict[str, Any] = {}
    if operation.query:
        described["parameters"] = [one.described() for one in operation.query]
    if operation.body is not None:
        schema = {"$ref": f"#/components/schemas/{operation.body}"}
        described["requestBody"] = {
            "required": not operation.body_optional,
            "content": {"application/json": {"schema": schema}},
        }
    texts = {**_TEXTS, **_OF_ANY}
    answers |= {status: {"description": texts[status]} for status in refusals}
    described["responses"] = {str(status): answers[status] for status in sorted(answers)}
    return described


def _answer(text: str, operation: Operation) -> dict[str, Any]:
    if operation.answers == (204,):
        return {"description": text}
    anything: dict[str, Any] = {"schema": {"type": "object"}}
    return {"description": text, "content": {operation.media_type: anything}}
