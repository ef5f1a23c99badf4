"""The routes of the page: Overview."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Blueprint

from app.web.dashboard.rendering import show

if TYPE_CHECKING:
    from flask import Response

blueprint = Blueprint("overview", __name__)


@blueprint.get("/")
def show_overview() -> Response:
    """Answer with the page."""
    return show("overview/overview.html.jinja", dict, topics=("runs",))
