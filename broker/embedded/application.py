"""A Pact Broker in one SQLite file, for development, demos and tests.

It answers as the real one does (pact_broker 2.120.0 was the model) wherever it answers at all. It is no place for
contracts that must not be lost.
"""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING

from flask import Flask, g, request
from sqlalchemy.exc import OperationalError
from werkzeug.exceptions import RequestEntityTooLarge

import broker.embedded.deliveries.executions
import broker.embedded.deliveries.triggered
import broker.embedded.environments.deployments
import broker.embedded.environments.releases
import broker.embedded.environments.resource
import broker.embedded.index
import broker.embedded.matrix.resource
import broker.embedded.openapi
import broker.embedded.pacticipants.branches
import broker.embedded.pacticipants.integrations
import broker.embedded.pacticipants.labels
import broker.embedded.pacticipants.relationships
import broker.embedded.pacticipants.resource
import broker.embedded.pacticipants.tags
import broker.embedded.pacticipants.versions
import broker.embedded.pacts.lists
import broker.embedded.pacts.provider_lists
import broker.embedded.pacts.provider_states
import broker.embedded.pacts.resource
import broker.embedded.publishing.publication
import broker.embedded.verification.for_verification
import broker.embedded.verification.results
import broker.embedded.webhooks.resource
import broker.embedded.webhooks.user_secrets
from broker.embedded import pages
from broker.embedded.accounts import Access, protect
from broker.embedded.http import errors, negotiation
from broker.embedded.http.hal import json_response
from broker.embedded.http.other_sites import refuse_other_sites
from broker.embedded.http.paths import NameConverter, with_raw_path
from broker.embedded.storage.encryption import KeyUnusable
from broker.embedded.webhooks.settings import WebhookSettings
from broker.http.answer_headers import ANSWER_HEADERS
from broker.http.browsers import ServedHosts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from wsgiref.types import StartResponse, WSGIEnvironment

    from flask import Response
    from flask.typing import ResponseReturnValue

    from broker.embedded.storage.database import Database
    from broker.embedded.storage.encryption import Vault

MAX_BODY_BYTES = 20_000_000

READING_POSTS = frozenset({"for_verification.selected"})
"""Endpoints that only read, although they are sent by POST."""

ACTING_POSTS = frozenset({"webhook_executions.saved", "webhook_executions.unsaved"})
"""These write nothing either, but they act: a transaction that writes must not wait for a target's answer."""

_RESOURCES = (
    broker.embedded.index,
    broker.embedded.openapi,
    broker.embedded.pacticipants.resource,
    broker.embedded.pacticipants.versions,
    broker.embedded.pacticipants.branches,
    broker.embedded.pacticipants.tags,
    broker.embedded.pacts.resource,
    broker.embedded.pacts.lists,
    broker.embedded.pacts.provider_lists,
    broker.embedded.pacts.provider_states,
    broker.embedded.publishing.publication,
    broker.embedded.verification.results,
    broker.embedded.verification.for_verification,
    broker.embedded.matrix.resource,
    broker.embedded.environments.resource,
    broker.embedded.environments.deployments,
    broker.embedded.environments.releases,
    broker.embedded.pacticipants.labels,
    broker.embedded.pacticipants.integrations,
    broker.embedded.pacticipants.relationships,
    broker.embedded.webhooks.resource,
    broker.embedded.deliveries.executions,
    broker.embedded.deliveries.triggered,
    broker.embedded.webhooks.user_secrets,
)
"""The modules with a blueprint each."""


class Broker(Flask):
    """The Flask application: each request runs in one transaction, committed before its answer is sent."""

    def __init__(self, database: Database) -> None:
        super().__init__(__name__, static_folder=None)
        self.database = database
        self.on_triggered: Callable[[], None] = lambda: None
        """Called when there are webhooks to deliver, after what triggered them was committed."""

    def wsgi_app(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Serve a request by its path as it was sent."""
        return super().wsgi_app(with_raw_path(environ), start_response)

    def dispatch_request(self) -> ResponseReturnValue:
        """Run the view of a request in a session of its own."""
        if request.routing_exception is not None:
            return super().dispatch_request()
        # A slow sender must not hold the write lock: the body is read to its end before the transaction begins.
        body = request.get_data()
        # Of a body without a Content-Length, Werkzeug reads as much as is allowed and ignores the rest.
        if request.content_length is None and len(body) >= MAX_BODY_BYTES:
            raise RequestEntityTooLarge
        reads = (
            request.method in {"GET", "HEAD", "OPTIONS"} or request.endpoint in READING_POSTS | ACTING_POSTS
        )
        with self.database.session(write=not reads) as session:
            g.session = session
            answer = super().dispatch_request()
        if g.get("webhooks_triggered"):
            self.on_triggered()
        return answer


def create_app(
    database: Database,
    *,
    vault: Vault,
    base_url: str | None = None,
    webhooks_as: WebhookSettings = WebhookSettings(),  # noqa: B008 - it can't change
    accounts: Access = Access(),  # noqa: B008 - nor can this
    hosts: ServedHosts = ServedHosts(),  # noqa: B008 - nor this
) -> Broker:
    """Return the broker as a WSGI application.

    Args:
        database: The database, which is prepared already.
        vault: The encryption of passwords and secrets.
        base_url: The beginning of links; the request's own host if not given.
        webhooks_as: The allow-lists and timing of webhooks, which are stored until something delivers them.
        accounts: The accounts that may read and write; without any, everyone may.
        hosts: The host names that it is reached by; requests to others are refused.
    """
    app = Broker(database)
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
    app.config["VAULT"] = vault
    app.config["WEBHOOKS"] = webhooks_as
    app.config["BASE_URL"] = base_url.rstrip("/") if base_url else None
    app.url_map.converters["name"] = NameConverter
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False
    for module in _RESOURCES:
        app.register_blueprint(module.blueprint)
    pages.register(app)
    errors.register(app)
    _register_storage_errors(app)
    refuse_other_sites(app, hosts, base_url=base_url)
    protect(app, accounts, reading_posts=READING_POSTS)
    # who may not read is told nothing of what there is
    negotiation.register(app, pages.PAGES)
    server = f"pact-dispatch/{version('pact-dispatch')}"

    @app.after_request
    def common_headers(response: Response) -> Response:
        response.headers["Vary"] = "Accept"
        response.headers["Cache-Control"] = "no-cache"
        for name, value in ANSWER_HEADERS.items():
            response.headers.setdefault(name, value)
        response.headers["X-Pact-Broker-Version"] = server
        return response

    return app


def _register_storage_errors(app: Flask) -> None:
    """Answer 503 while the database, or the key of what is encrypted in it, can't be used."""

    @app.errorhandler(OperationalError)
    def no_database(error: OperationalError) -> Response:
        return json_response({"error": f"The database can't be used: {error.orig}"}, status=503)

    @app.errorhandler(KeyUnusable)
    def no_key(error: KeyUnusable) -> Response:
        return json_response({"error": str(error)}, status=503)
