"""What a client accepts: 406 for what a resource doesn't have, and problem documents for those who ask for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Response, request

from broker.embedded.http.hal import base_url

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from flask import Flask
    from werkzeug.datastructures import MIMEAccept

HAL, JSON, HTML, CSV, PROBLEM = (
    "application/hal+json",
    "application/json",
    "text/html",
    "text/csv",
    "application/problem+json",
)

OTHER_TYPES: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(
        (
            "pacts.by_consumer_version",
            "pacts.put_pact",
            "pacts.latest",
            "pacts.latest_old_style",
            "pacts.latest_tagged",
            "pacts.latest_untagged",
            "pacts.latest_on_branch",
            "pacts.previous_distinct",
            "pacts.by_content",
            "pacts.by_content_for_versions",
            "publishing.put_pact",
            "publishing.merge_pact",
        ),
        (HAL, JSON),
    ),
    "openapi.show": (JSON, HAL),
    "relationships.show_all": (CSV,),
    "relationships.show_group": (CSV,),
    # A real broker takes these, whatever the answer is to be.
    "integrations.remove": (HAL, JSON, HTML),
}
"""The media types of an endpoint's answers, where they are others than HAL."""


def register(app: Flask, pages: Collection[str]) -> None:
    """Have the application answer 406 to who accepts nothing that it has.

    Args:
        app: The application.
        pages: The endpoints that have a page, too.
    """

    @app.before_request
    def refuse_what_is_not_there() -> Response | None:
        endpoint = request.endpoint
        if endpoint is None or request.method == "OPTIONS" or not request.accept_mimetypes:
            return None
        offered = OTHER_TYPES.get(endpoint, (HAL,))
        if endpoint in pages:
            offered = (*offered, HTML)
        if any(request.accept_mimetypes[media_type] > 0 for media_type in offered):
            return None
        return Response(status=406, content_type="")


def prefers_json() -> bool:
    """Return whether the client accepts plain JSON, and no HAL."""
    accepted: MIMEAccept = request.accept_mimetypes
    return accepted.provided and accepted[JSON] > 0 and accepted[HAL] == 0


def wants_problems() -> bool:
    """Return whether errors are to be problem documents (RFC 9457): where the client names them."""
    return any(name == PROBLEM for name, quality in request.accept_mimetypes if quality > 0)


def problem(status: int, body: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return a refusal as a problem document; None where it has no such form."""
    errors = body.get("errors")
    if isinstance(errors, dict):
        return {
            "title": "Validation errors",
            "type": f"{base_url()}/problems/validation-error",
            "status": status,
            "instance": "/",
            "errors": [_entry(field, text) for field, texts in errors.items() for text in texts],
        }
    detail = body.get("error")
    if not isinstance(detail, str):
        return None
    title, kind = _KINDS.get(status, ("Bad Request", "bad-request"))
    return {"title": title, "type": f"{base_url()}/problem/{kind}", "detail": detail, "status": status}


_KINDS = {404: ("Not Found", "not-found"), 409: ("Conflict", "conflict"), 415: ("Unsupported", "media-type")}


def _entry(field: str, text: str) -> dict[str, str]:
    kind = "missing-body-property" if text == "is missing" else "invalid-body-property-value"
    entry = {"type": f"{base_url()}/problems/{kind}", "title": "Invalid body parameter", "detail": text}
    return {**entry, "pointer": f"/{field.replace('.', '/')}"} if field else entry
