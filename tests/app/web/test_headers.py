"""The headers of every answer of the receiver and of the embedded broker, errors among them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from app.dispatch import Dispatch
from app.records import run_changes
from tests.support.processes import EmbeddedBroker
from tests.support.receiver import API_TOKEN

if TYPE_CHECKING:
    from pathlib import Path

    from flask import Flask
    from flask.testing import FlaskClient
    from psycopg_pool import ConnectionPool

KNOWN = {"Authorization": f"Bearer {API_TOKEN}"}
PACT = "http://broker.example.org/base/pacts/provider/A/consumer/C/latest"


def check(headers: Any, *, of_page: bool = False) -> None:
    policy = headers["Content-Security-Policy"].replace(
        "script-src 'self'; style-src 'self'", "style-src 'self'"
    )
    assert policy.startswith("default-src 'none'")
    assert "frame-ancestors 'none'" in policy
    assert ("style-src" in policy) == of_page
    assert re.sub(r" script-src 'sha256-[A-Za-z0-9+/]{43}=';", "", policy).count("script") == 0
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] in {"no-referrer", "same-origin"}


def paths(app: Flask) -> list[tuple[str, str]]:
    """Return each route with each method, and a value for each parameter."""
    return [
        (method, "/".join("b" if "<" in part else part for part in rule.rule.split("/")))
        for rule in app.url_map.iter_rules()
        for method in sorted(rule.methods or ())
    ]


@pytest.mark.parametrize("headers", [{}, KNOWN], ids=["stranger", "known"])
def test_every_route_answers_with_them(client: FlaskClient, headers: dict[str, str]) -> None:
    asked = [
        *paths(client.application),
        ("GET", "/nothing"),
        ("DELETE", "/healthz"),
        ("GET", f"/runs/{uuid4()}"),
    ]
    statuses = set()
    for method, path in asked:
        answer = client.open(path, method=method, headers=headers)
        is_page = answer.mimetype == "text/html" and "Location" not in answer.headers and method != "OPTIONS"
        check(answer.headers, of_page=is_page)
        kept = {"no-store", "no-cache"} if path.startswith("/static/") else {"no-store"}
        assert answer.headers["Cache-Control"] in kept, path
        statuses.add(answer.status_code)
    assert {200, 404, 405} <= statuses


def test_an_error_that_nobody_expected_has_them(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(client.application.view_functions, "health.healthz", lambda: 1 / 0)
    answer = client.get("/healthz")
    assert answer.status_code == 500
    check(answer.headers)


def test_the_page_of_a_run_allows_its_style_and_nothing_else(
    client: FlaskClient, pool: ConnectionPool[Any]
) -> None:
    with pool.connection() as connection:
        run, _ = run_changes.request(connection, "A", Dispatch("a/b", "pact_changed", PACT), lock=None)
    answer = client.get(f"/runs/{run}", headers=KNOWN)
    assert answer.status_code == 200
    assert answer.mimetype == "text/html"
    check(answer.headers, of_page=True)
    assert answer.headers["Cache-Control"] == "no-store"


def test_the_embedded_broker_answers_with_them(tmp_path: Path) -> None:
    with EmbeddedBroker(tmp_path) as broker:
        for path in ("/", "/pacts/latest", "/nothing", "/diagnostic/status/heartbeat"):
            check(broker.get(path).headers)
            page = broker.session.get(broker.url + path, headers={"Accept": "text/html"}, timeout=30)
            check(page.headers, of_page=page.headers["Content-Type"].startswith("text/html"))
