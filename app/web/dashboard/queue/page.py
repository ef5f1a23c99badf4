"""The routes of the page: Queue."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Blueprint

from app.web.dashboard.rendering import show

if TYPE_CHECKING:
    from flask import Response

blueprint = Blueprint("queue", __name__)


@blueprint.get("/queue")
def show_queue() -> Response:
    """Answer with the page."""
    return show("queue/queue.html.jinja", dict, topics=("runs",))
