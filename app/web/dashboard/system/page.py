"""The routes of the page: System."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Blueprint

from app.web.dashboard.rendering import show

if TYPE_CHECKING:
    from flask import Response

blueprint = Blueprint("system", __name__)


@blueprint.get("/system")
def show_system() -> Response:
    """Answer with the page."""
    return show("system/system.html.jinja", dict, topics=())
