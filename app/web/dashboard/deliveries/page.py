"""The routes of the page: Deliveries."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Blueprint

from app.web.dashboard.rendering import show

if TYPE_CHECKING:
    from flask import Response

blueprint = Blueprint("deliveries", __name__)


@blueprint.get("/deliveries")
def show_deliveries() -> Response:
    """Answer with the page."""
    return show("deliveries/deliveries.html.jinja", dict, topics=("deliveries",))
