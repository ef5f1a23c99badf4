"""The web side of the receiver: a Flask application on a database."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from flask import Flask, Response
from werkzeug.exceptions import HTTPException

from app.web import dispatches, health, metrics
from app.web.api import openapi
from app.web.api import routes as api
from app.web.dashboard import run
from app.web.problem import Problem

if TYPE_CHECKING:
    from app.web.context import Receiver


def create_app(receiver: Receiver) -> Flask:
    """Make the application. Its pool is opened by the caller, in the process that serves."""
    app = Flask("pact-dispatch", static_folder=None)
    app.extensions["receiver"] = receiver
    app.url_map.merge_slashes = False
    app.register_blueprint(dispatches.blueprint)
    app.register_blueprint(api.blueprint)
    app.register_blueprint(health.blueprint)
    app.register_blueprint(metrics.blueprint)
    app.register_blueprint(run.blueprint)
    app.register_blueprint(openapi.blueprint)
    app.register_error_handler(Problem, Problem.response)
    app.register_error_handler(HTTPException, _problem)
    return app


def _problem(error: HTTPException) -> Response:
    """Answer what no route answers, as GitHub does: in JSON, with a message."""
    status = error.code or 500
    response = Response(
        json.dumps({"message": error.name, "status": str(status)}), status, mimetype="application/json"
    )
    for name, value in error.get_headers():
        if name == "Allow":
            response.headers[name] = value
    return response
