"""Hostile requests for the pages of the dashboard, through the receiver's WSGI application in this process."""

from __future__ import annotations

import re
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from app.database.connections import open_pool
from app.intake.credentials import Tokens
from app.intake.wrong_credentials import WrongCredentials
from app.web.application import create_app
from fuzz.outcomes import check_text
from fuzz.receiver.database import receiver_database, with_history
from fuzz.receiver.requests import API_TOKEN
from fuzz.receiver.terminal import shown_log
from fuzz.receiver.visits import MARK, VIEWERS, Visit, visits
from fuzz.receiver.wsgi import receiver_of
from fuzz.target import Target, Violation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flask import Flask
    from flask.testing import FlaskClient
    from psycopg import Connection

    from fuzz.target import Check

READER = "a-token-that-only-reads"
LARGEST = 150_000
"""Characters of a page, at most, where the history is small."""
_OPEN = re.compile(r"/(sign-in|static/.*)")
"""The paths that anybody may see."""
_FORM_TOKEN = re.compile(r'name="form_token" value="([0-9a-f]+)"')


class _Visitor:
    """Somebody who comes to the pages."""

    def __init__(self, app: Flask, token: str | None) -> None:
        self._app = app
        self.token = token
        self.cookie = ""
        self.form_token = ""
        if token is not None:
            client = self.client()
            client.post("/sign-in", data={"token": token})
            found = client.get_cookie("pact_dispatch_session")
            assert found is not None
            self.cookie = f"pact_dispatch_session={found.value}"
            shown = _FORM_TOKEN.search(client.get("/").text)
            assert shown is not None
            self.form_token = shown[1]

    def client(self) -> FlaskClient:
        return self._app.test_client()


@contextmanager
def _open() -> Iterator[Check]:
    with (
        receiver_database() as url,
        open_pool(url, size=2) as pool,
        shown_log() as terminal,
        patch.object(WrongCredentials, "seconds_to_wait", return_value=0.0),
        ExitStack() as opened,
    ):
        run, delivery = with_history(url)
        given = {"API_TOKENS": f"me:{API_TOKEN},reader:{READER}@read-only"}
        tokens_of_all = Tokens("API_TOKENS", given, for_api=True)
        receiver = opened.enter_context(closing(replace(receiver_of(pool), api_tokens=tokens_of_all)))
        app = create_app(receiver)
        tokens = {"operator": API_TOKEN, "reader": READER, "stranger": None}
        visitors = {name: _Visitor(app, tokens[name]) for name in VIEWERS}

        def check(visit: Visit) -> None:
            with pool.connection() as connection:
                before = _actions(connection)
            answer = _answer(visitors[visit.viewer], visit, run, delivery)
            with pool.connection() as connection:
                acted = _actions(connection) != before
            _check(visit, answer, acted=acted)
            terminal.check()

        yield check


def _actions(connection: Connection[Any]) -> int:
    row = connection.execute("SELECT count(*) FROM actions").fetchone()
    return 0 if row is None else int(row[0])


def _answer(visitor: _Visitor, visit: Visit, run: str, delivery: str) -> Any:
    headers = {"Accept": "text/html", **dict(visit.headers)}
    if visitor.token is not None and visit.by_header:
        headers["Authorization"] = f"Bearer {visitor.token}"
    elif visitor.cookie and "Cookie" not in headers:
        headers["Cookie"] = visitor.cookie
    fields = list(visit.parameters)
    if visit.has_form_token:
        fields.append((b"form_token", visitor.form_token.encode()))
    target = visit.target(run, delivery)
    if not visit.is_form:
        return visitor.client().get(target, headers=headers)
    body: dict[str, list[bytes]] = {}
    for name, value in fields:
        body.setdefault(name.decode("latin-1"), []).append(value)
    return visitor.client().post(
        target, data={n: [v.decode("latin-1") for v in vs] for n, vs in body.items()}, headers=headers
    )


def _check(visit: Visit, answer: Any, *, acted: bool) -> None:
    """Raise unless an answer is one that may be given.

    Raises:
        Violation: It isn't.
    """
    path = answer.request.path
    where = f"{answer.request.method} {path} by {visit.viewer}"
    if answer.status_code >= 500:
        raise Violation(f"status {answer.status_code}", f"{where}: {answer.data[:500]!r}")
    text = answer.data.decode()
    check_text(text, "a page")
    if MARK in text and answer.mimetype == "text/html":
        raise Violation(
            "a text that is not escaped", f"{where}: {text[max(0, text.index(MARK) - 300) :][:600]}"
        )
    if len(text) > LARGEST:
        raise Violation("a large page", f"{where}: {len(text)} characters")
    if answer.mimetype == "text/html" and answer.status_code not in {303, 308}:
        if "default-src 'none'" not in answer.headers.get("Content-Security-Policy", ""):
            raise Violation("a page without a policy", where)
        if answer.headers.get("Cache-Control") != "no-store":
            raise Violation("a page that may be kept", where)
    location = answer.headers.get("Location", "/")
    if not re.fullmatch(r"/(?![/\\]).*", location):
        raise Violation("a redirect to elsewhere", f"{where}: {location!r}")
    if visit.viewer == "stranger" and answer.status_code == 200 and not _OPEN.fullmatch(path):
        raise Violation("a page for a stranger", where)
    if acted and not (visit.viewer == "operator" and visit.is_form and visit.has_form_token):
        raise Violation("something was done by somebody who may not", where)


PAGES = Target(
    name="pages",
    about="requests for the dashboard's pages, and forms, through the receiver's WSGI application",
    share=40,
    kind=Visit,
    inputs=visits(),
    open=_open,
)
