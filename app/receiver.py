"""The web side of the receiver: a Flask application on a database."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from flask import Flask, Response
from werkzeug.exceptions import HTTPException

from app import api, dispatches, health, metrics, openapi
from app.kept_refusals import KeptRefusals
from app.pages import run
from app.problem import Problem

if TYPE_CHECKING:
    from psycopg_pool import ConnectionPool

    from app.auth import Tokens
    from app.config import Settings


@dataclass(frozen=True)
class Receiver:
    """What the routes work with.

    Attributes:
        settings: the configuration.
        pool: connections to the database.
        tokens: who may dispatch.
        api_tokens: who may read and steer by `/api`.
        webhook_secret: the key of GitHub's signatures.
    """

    settings: Settings
    pool: ConnectionPool[Any]
    tokens: Tokens
    api_tokens: Tokens
    webhook_secret: str | None = field(default=None, repr=False)

    @cached_property
    def refusals(self) -> KeptRefusals:
        """Where refusals are kept."""
        return KeptRefusals(self.pool)


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
