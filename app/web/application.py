"""The receiver's Flask application."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Flask
from werkzeug.exceptions import HTTPException
from werkzeug.routing import BaseConverter

from app.web import dispatches, health, live_events, metrics
from app.web.api import openapi, routes
from app.web.dashboard import pages
from app.web.dashboard.rendering import show_exception
from app.web.other_sites import refuse_other_sites
from app.web.problem import HttpProblem, Problem, answer
from app.web.sender_address import SenderAddress
from app.web.viewer import wants_page
from broker.http.answer_headers import ANSWER_HEADERS

if TYPE_CHECKING:
    from flask import Response

    from app.config.sections import ServerSettings
    from app.web.context import Receiver


class Name(BaseConverter):
    """A name in a path: it may have any character, slashes too, but NUL, which PostgreSQL can't store."""

    part_isolating = False
    regex = "[^\0]+"


def create_app(receiver: Receiver) -> Flask:
    """Make the application; the caller opens the receiver's pool, in the process that serves."""
    app = Flask("pact-dispatch", static_folder=None)
    app.extensions["receiver"] = receiver
    app.url_map.merge_slashes = False
    app.url_map.converters["name"] = Name
    app.register_blueprint(dispatches.blueprint)
    app.register_blueprint(routes.blueprint)
    app.register_blueprint(health.blueprint)
    app.register_blueprint(metrics.blueprint)
    pages.register(app)
    app.register_blueprint(live_events.blueprint)
    app.register_blueprint(openapi.blueprint)
    refuse_other_sites(app, public_url=lambda: _server(app).public_url)
    app.after_request(_with_headers)
    app.register_error_handler(HttpProblem, HttpProblem.response)
    app.register_error_handler(HTTPException, _problem)
    app.wsgi_app = SenderAddress(app.wsgi_app, lambda: _server(app).trusted_proxies)  # type: ignore[method-assign]
    return app


def _server(app: Flask) -> ServerSettings:
    found: Receiver = app.extensions["receiver"]
    return found.settings.server


def _with_headers(response: Response) -> Response:
    """Add the headers of every answer that this one lacks."""
    for name, value in ANSWER_HEADERS.items():
        response.headers.setdefault(name, value)
    return response


def _problem(error: HTTPException) -> Response:
    """Answer a request that no route answers, and an error that nobody expected, which Flask has logged."""
    if wants_page():
        return show_exception(error)
    status = error.code or 500
    headers = {name: value for name, value in error.get_headers() if name == "Allow"}
    return answer(Problem(message=error.name, status=str(status)), status, headers)
