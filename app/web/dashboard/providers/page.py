"""The routes of the page: Providers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Blueprint

from app.web.dashboard.rendering import show

if TYPE_CHECKING:
    from flask import Response

blueprint = Blueprint("providers", __name__)


@blueprint.get("/providers")
def show_providers() -> Response:
    """Answer with the page."""
    return show("providers/providers.html.jinja", dict, topics=("runs",))
