"""The routes of the page: Pair."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Blueprint

from app.web.dashboard.rendering import show

if TYPE_CHECKING:
    from flask import Response

blueprint = Blueprint("pairs", __name__)


@blueprint.get("/pairs")
def show_pairs() -> Response:
    """Answer with the page."""
    return show("pairs/pairs.html.jinja", dict, topics=("runs",))
