"""Who gets into the dashboard, and what a session is good for."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from app.intake import sessions
from app.intake.credentials import Tokens
from app.web.application import create_app
from app.web.viewer import COOKIE

if TYPE_CHECKING:
    from flask.testing import FlaskClient
    from psycopg_pool import ConnectionPool
    from werkzeug.test import TestResponse

    from app.web.context import Receiver

OPERATOR, READER = "a-token-for-reading-the-api", "a-token-that-only-reads"
PAGE = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
PAGES = ["/", "/runs", "/deliveries", "/providers", "/queue", "/system"]


def sign_in(client: FlaskClient, token: str = OPERATOR, wanted: str = "") -> TestResponse:
    return client.post("/sign-in", data={"token": token, "next": wanted})


def form_token(client: FlaskClient, page: str = "/") -> str:
    found = re.search(r'name="form_token" value="([0-9a-f]+)"', client.get(page).text)
    assert found is not None
    return found[1]


def receiver_of(client: FlaskClient) -> Receiver:
    found: Receiver = client.application.extensions["receiver"]
    return found


@pytest.mark.parametrize("page", [*PAGES, "/runs/3f1c9f5e-0000-4000-8000-000000000000"])
def test_a_stranger_is_led_to_the_sign_in_and_back(client: FlaskClient, page: str) -> None:
    answer = client.get(page, headers=PAGE)
    assert answer.status_code == 303
    assert answer.headers["Location"] == f"/sign-in?next={page}"
    assert "pact_url" not in answer.text
    assert client.get(page).status_code == 401  # a script
    assert (
        client.get(page, headers={**PAGE, "Authorization": "Bearer another-token-of-nobody"}).status_code
        == 401
    )
    answer = sign_in(client, wanted=page)
    assert (answer.status_code, answer.headers["Location"]) == (303, page)
    assert client.get(page, headers=PAGE).status_code in {200, 404}


def test_the_cookie_is_for_this_server_alone(client: FlaskClient) -> None:
    cookie = sign_in(client).headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Path=/" in cookie
    assert "Max-Age=43200" in cookie
    assert "Secure" not in cookie
    settings = receiver_of(client).settings
    server = settings.server.model_copy(update={"public_url": "https://ci.example.org/pacts"})
    behind_tls = replace(receiver_of(client), settings=settings.model_copy(update={"server": server}))
    cookie = sign_in(create_app(behind_tls).test_client()).headers["Set-Cookie"]
    assert "Secure" in cookie
    assert "Path=/pacts/" in cookie


@pytest.mark.parametrize(
    "wanted",
    [
        "https://evil.example.org",
        "//evil.example.org",
        "/\\evil.example.org",
        "runs",
        "/\nx",
        "javascript:alert(1)",
        "",
    ],
)
def test_it_leads_to_no_other_server(client: FlaskClient, wanted: str) -> None:
    assert sign_in(client, wanted=wanted).headers["Location"] == "/"
    assert client.get("/sign-in", query_string={"next": wanted}).headers["Location"] == "/"


@pytest.mark.parametrize("token", ["", "x", "a-token-of-the-broker", "${a.token}", "ü" * 30, "a" * 100_000])
def test_nothing_else_signs_in(client: FlaskClient, token: str) -> None:
    answer = sign_in(client, token)
    assert answer.status_code in {401, 413, 422}
    assert "Set-Cookie" not in answer.headers
    assert 'role="alert"' in answer.text
    assert len(token) < 2 or token not in answer.text


def test_a_session_ends_with_its_time_its_token_and_the_sign_out(
    client: FlaskClient, pool: ConnectionPool[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    sign_in(client)
    assert client.get("/").status_code == 200
    monkeypatch.setattr(sessions, "SESSION_SECONDS", -1)
    assert client.get("/").status_code == 401
    monkeypatch.undo()
    cookie = client.get_cookie(COOKIE)
    assert cookie is not None
    changed = Tokens("T", {"T": f"me:{OPERATOR}-changed"}, for_api=True)
    other = create_app(replace(receiver_of(client), pool=pool, api_tokens=changed)).test_client()
    other.set_cookie(COOKIE, cookie.value)
    assert other.get("/").status_code == 401
    assert client.post("/sign-out", data={"form_token": "forged"}).status_code == 403
    assert client.post("/sign-out", data={"form_token": form_token(client)}).status_code == 303
    assert client.get("/").status_code == 401


@pytest.mark.parametrize(
    "change", [lambda text: text[:-1], lambda text: f"{text}A", lambda _: "ÿ.ÿ.ÿ", lambda _: ""]
)
def test_a_cookie_that_was_changed_is_none(client: FlaskClient, change: Any) -> None:
    sign_in(client)
    cookie = client.get_cookie(COOKIE)
    assert cookie is not None
    client.set_cookie(COOKIE, change(cookie.value))
    assert client.get("/").status_code == 401


def test_a_token_that_only_reads_signs_in_and_out(client: FlaskClient) -> None:
    sign_in(client, READER)
    page = client.get("/")
    assert "(read-only)" in page.text
    assert client.post("/sign-out", data={"form_token": form_token(client)}).status_code == 303


@pytest.mark.parametrize(
    ("peer", "header", "name"),
    [
        ("10.0.0.7", "ann@example.org", "ann@example.org"),
        ("10.0.0.7", "", None),
        ("10.0.0.8", "ann@example.org", None),
        ("10.0.0.7", "jos\u00c3\u00a9", "jos\u00e9"),  # its bytes are UTF-8
        ("10.0.0.7", "jos\u00e9", "jos\u00e9"),
    ],
)
def test_a_trusted_proxy_alone_names_users(
    client: FlaskClient, peer: str, header: str, name: str | None
) -> None:
    settings = receiver_of(client).settings
    server = type(settings.server).model_validate(
        {"trusted_proxies": ["10.0.0.7"], "user_header": "X-Forwarded-User", "user_operators": ["bob"]}
    )
    receiver = replace(receiver_of(client), settings=settings.model_copy(update={"server": server}))
    behind = create_app(receiver).test_client()
    # whatever a client claims about itself
    forwarded = {"X-Forwarded-User": header, "X-Forwarded-For": "10.0.0.7"}
    answer = behind.get("/", headers=forwarded, environ_base={"REMOTE_ADDR": peer})
    assert answer.status_code == (200 if name else 401)
    if name:
        assert f"{name} (read-only)" in answer.text
    # which the proxy passes without a sign-in, so that anybody may have written the header
    for path in ("/api/runs", "/api/providers", "/metrics"):
        assert behind.get(path, headers=forwarded, environ_base={"REMOTE_ADDR": peer}).status_code == 401


def test_files_are_kept_by_browsers_and_pages_are_not(client: FlaskClient) -> None:
    sign_in(client)
    page = client.get("/")
    assert page.headers["Cache-Control"] == "no-store"
    addresses = re.findall(r'"(/static/[^"]+)"', page.text)
    assert len(addresses) >= 5
    for address in addresses:
        answer = client.get(address)
        assert answer.status_code == 200
        assert "immutable" in answer.headers["Cache-Control"]
    assert client.get("/static/../rendering.py").status_code == 404
    assert client.get("/static/files.py").status_code == 404


def test_a_page_that_is_open_is_given_its_content_alone_and_is_led_to_the_sign_in(
    client: FlaskClient,
) -> None:
    asks = {"HX-Request": "true", "HX-Current-URL": "http://localhost/runs?status=waiting"}
    answer = client.get("/runs?status=waiting", headers=asks)
    assert answer.status_code == 401
    assert answer.headers["HX-Redirect"] == "/sign-in?next=/runs%3Fstatus%3Dwaiting"
    sign_in(client)
    content = client.get("/runs?status=waiting", headers=asks).text
    assert content.startswith("<title>")
    assert "<nav" not in content


def test_events_are_for_those_who_have_signed_in(client: FlaskClient) -> None:
    for headers in ({}, {"Authorization": "Bearer another-token-of-nobody"}, {"Authorization": "Basic ÿ"}):
        assert client.get("/live?topic=runs", headers=headers).status_code == 401
    sign_in(client)
    assert client.get("/live").status_code == 422
    assert client.get("/live?topic=" + "x" * 1000).status_code == 422


def test_a_session_reads_the_api_and_changes_nothing_by_it(client: FlaskClient) -> None:
    assert client.get("/api/runs").status_code == 401
    sign_in(client)
    assert client.get("/api/runs").status_code == 200
    run = "3f1c9f5e-0000-4000-8000-000000000000"
    assert client.post(f"/api/runs/{run}/cancel").status_code == 401
    assert (
        client.get("/api/runs", headers={"Authorization": "Bearer another-token-of-nobody"}).status_code
        == 401
    )
    client.delete_cookie(COOKIE)
    assert client.get("/api/runs").status_code == 401


def test_a_browser_is_told_on_a_page_that_there_is_none(client: FlaskClient) -> None:
    for path, status in (("/nothing", 404), ("/runs/0", 404), ("/sign-out", 405)):
        answer = client.get(path, headers=PAGE)
        assert (answer.status_code, answer.mimetype) == (status, "text/html")
        assert "<h1>" in answer.text
        assert client.get(path).mimetype == "application/json"
