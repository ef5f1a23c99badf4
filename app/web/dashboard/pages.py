"""The pages of the dashboard, and what they share: who may see them, and how they say that something went wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Blueprint
from werkzeug.exceptions import HTTPException

from app.web.dashboard import rendering
from app.web.dashboard.deliveries import page as deliveries
from app.web.dashboard.overview import page as overview
from app.web.dashboard.pairs import page as pairs
from app.web.dashboard.providers import page as providers
from app.web.dashboard.queue import page as queue
from app.web.dashboard.run import page as run
from app.web.dashboard.runs import page as runs
from app.web.dashboard.signing_in import page as signing_in
from app.web.dashboard.static import files
from app.web.dashboard.system import page as system
from app.web.problem import HttpProblem
from app.web.viewer import admit, admit_to_run, bound_form

if TYPE_CHECKING:
    from flask import Flask

KNOWN_VIEWERS_ALONE = (overview, runs, deliveries, providers, pairs, queue, system)


def register(app: Flask) -> None:
    """Add the pages to the application."""
    pages = Blueprint("dashboard", __name__)
    pages.before_request(bound_form)
    pages.before_request(admit)
    for page in KNOWN_VIEWERS_ALONE:
        pages.register_blueprint(page.blueprint)
    of_run = Blueprint("dashboard_run", __name__)
    of_run.before_request(bound_form)
    of_run.before_request(admit_to_run)
    of_run.register_blueprint(run.blueprint)
    open_to_all = Blueprint("dashboard_open", __name__)
    open_to_all.before_request(bound_form)
    open_to_all.register_blueprint(signing_in.blueprint)
    for blueprint in (pages, of_run, open_to_all):
        blueprint.register_error_handler(HttpProblem, rendering.show_problem)
        blueprint.register_error_handler(HTTPException, rendering.show_exception)
        app.register_blueprint(blueprint)
    app.register_blueprint(files.blueprint)
