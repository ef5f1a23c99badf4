"""Damaged requests to the receiver, through its WSGI application in this process."""

from __future__ import annotations

import uuid
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING
from unittest.mock import patch

from app.database.connections import open_pool
from app.web.application import create_app
from app.web.context import sessions
from fuzz.receiver.answers import Answered
from fuzz.receiver.database import receiver_database, with_history
from fuzz.receiver.requests import Request, requests
from fuzz.receiver.terminal import shown_log
from fuzz.receiver.wsgi import called, receiver_of
from fuzz.target import Target, Violation
from tests.support.loopback import closed_port

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fuzz.target import Check


@contextmanager
def _open() -> Iterator[Check]:
    with (
        receiver_database() as url,
        open_pool(url, size=2) as pool,
        shown_log() as terminal,
        closing(receiver_of(pool)) as receiver,
    ):
        run, delivery = with_history(url)
        app = create_app(receiver)
        answered = Answered(app.url_map)
        with app.app_context():
            form_token = sessions().form_token("token me")

        def check(given: Request) -> None:
            path, status, headers, body = called(app, given, run, delivery, form_token=form_token)
            answered.check(given.sent_method, path, status, headers, body)
            terminal.check()

        yield check


@contextmanager
def _open_away() -> Iterator[Check]:
    with (
        patch("app.database.connections.POOL_SECONDS", 0.05),
        patch("app.database.connections.RECONNECT_SECONDS", 0.1),
        open_pool(f"postgresql://nobody@127.0.0.1:{closed_port()}/nothing", size=1) as pool,
        shown_log() as terminal,
        closing(receiver_of(pool)) as receiver,
    ):
        app = create_app(receiver)
        nothing = str(uuid.uuid4())

        def check(given: Request) -> None:
            path, status, headers, body = called(app, given, nothing, nothing)
            if status >= 500 and status != 503:
                raise Violation(f"status {status} without a database", f"{path}: {body[:500]!r}")
            if status == 503 and path != "/readyz" and "retry-after" not in headers:
                raise Violation("a 503 without Retry-After", f"{path}: {headers}")
            if status == 204 and (b"X-GitHub-Event", b"ping") not in given.headers:  # nothing of it is stored
                raise Violation("a dispatch is accepted without a database", path)
            terminal.check()

        yield check


PAYLOADS = Target(
    name="payloads",
    about="requests to the receiver, through its WSGI application",
    share=230,
    kind=Request,
    inputs=requests(),
    open=_open,
)
PAYLOADS_AWAY = Target(
    name="payloads-away",
    about="requests to the receiver while its database is away",
    share=10,
    kind=Request,
    inputs=requests(),
    open=_open_away,
)
