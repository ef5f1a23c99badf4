"""The routes of the page: Runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Blueprint

from app.web.dashboard.rendering import show

if TYPE_CHECKING:
    from flask import Response

blueprint = Blueprint("runs", __name__)


@blueprint.get("/runs")
def show_runs() -> Response:
    """Answer with the page."""
    return show("runs/runs.html.jinja", dict, topics=("runs",))
