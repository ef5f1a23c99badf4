"""Answers that refuse a request, in a Pact Broker's words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from flask import request

from broker.embedded.http.hal import json_response
from broker.embedded.http.negotiation import PROBLEM, problem, wants_problems

if TYPE_CHECKING:
    from flask import Flask, Response
    from werkzeug.exceptions import HTTPException

T = TypeVar("T")

EMPTY_NAME = "Empty path component found"
NOT_FOUND = "The requested document was not found on this server."


class Refusal(Exception):
    """A request that is answered with a status of 400 or more; its changes are rolled back."""

    def __init__(self, status: int, body: dict[str, Any], *, content_type: str | None = None) -> None:
        super().__init__(status, body)
        self.status = status
        self.body = body
        self.content_type = content_type


def not_found() -> Refusal:
    """Return the answer to the URL of a resource that doesn't exist."""
    return Refusal(404, {"error": NOT_FOUND}, content_type="application/json;charset=utf-8")


def or_not_found(found: T | None) -> T:
    """Return what was found.

    Raises:
        Refusal: 404 for None.
    """
    if found is None:
        raise not_found()
    return found


def no_such_pacticipant(name: str) -> Refusal:
    """Return the answer to the URL of an unknown pacticipant."""
    return Refusal(404, {"error": f"No pacticipant with name '{name}' found"})


def bad_request(reason: str) -> Refusal:
    """Return the answer to a request that can't be read."""
    return Refusal(400, {"error": reason})


def invalid(errors: dict[str, list[str]] | list[str]) -> Refusal:
    """Return the answer to a document or a query with mistakes in it, field by field."""
    return Refusal(400, {"errors": errors})


def register(app: Flask) -> None:
    """Have the application answer its own refusals, and Werkzeug's, as a Pact Broker does."""

    @app.errorhandler(Refusal)
    def refused(error: Refusal) -> Response:
        if wants_problems() and (document := problem(error.status, error.body)):
            return json_response(document, status=error.status, content_type=f"{PROBLEM};charset=utf-8")
        return json_response(error.body, status=error.status, content_type=error.content_type)

    @app.errorhandler(404)
    def unknown_path(_: HTTPException) -> Response:
        if "//" in request.path:
            body = {"title": "Not Found", "type": "/problem/not-found", "detail": EMPTY_NAME, "status": 404}
            return json_response(body, status=404, content_type=PROBLEM)
        return refused(not_found())

    @app.errorhandler(405)
    def method_not_allowed(error: HTTPException) -> Response:
        allowed = ", ".join(sorted(getattr(error, "valid_methods", None) or ()))
        return app.response_class(status=405, headers={"Allow": allowed}, content_type="")

    @app.errorhandler(413)
    def too_large(_: HTTPException) -> Response:
        limit = app.config["MAX_CONTENT_LENGTH"] // 1_000_000
        return json_response({"error": f"The body is larger than {limit} MB."}, status=413)

    @app.errorhandler(400)
    def unreadable(error: HTTPException) -> Response:
        return json_response({"error": error.description}, status=400)
