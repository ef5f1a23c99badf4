"""Requests that nobody sends by mistake: each is answered with what is wrong, and takes nothing from others."""

from __future__ import annotations

import base64
import io
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest

from app.web.application import create_app
from tests.app.web.dashboard.test_providers import with_providers
from tests.app.web.dashboard.test_run import add_run
from tests.app.web.dashboard.test_signing_in import PAGE, READER, form_token, receiver_of, sign_in

if TYPE_CHECKING:
    from flask.testing import FlaskClient
    from psycopg_pool import ConnectionPool

OPEN = {"HX-Request": "true"}
OPERATOR = {"Authorization": "Bearer a-token-for-reading-the-api"}


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/runs?path=x&status=", 303),  # the name of a parameter of ours
        ("/runs?until=9999-12-31", 422),  # a day whose end is in no calendar
        ("/api/runs?until=9999-12-31", 422),
        ("/providers/%00", 404),
        ("/providers/a%00b", 404),
        ("/providers?q=%00&after=%00", 200),
        ("/?q=%00", 200),
        ("/queue?provider=%00", 422),
        ("/pairs?provider=%00&consumer=a", 422),
    ],
)
def test_what_can_not_be_asked_is_refused(client: FlaskClient, path: str, status: int) -> None:
    sign_in(client)
    assert client.get(path, headers=PAGE).status_code == status


@pytest.mark.parametrize("path", ["/providers/a%00b/pause", "/providers/%00/resume", "/providers/%00/look"])
def test_nothing_is_done_to_a_name_that_can_not_be_stored(client: FlaskClient, path: str) -> None:
    sign_in(client)
    answer = client.post(path, data={"form_token": form_token(client)})
    assert answer.status_code in {404, 405}
    assert client.post(f"/api{path}", headers=OPERATOR).status_code in {404, 405}


@pytest.mark.parametrize("url", ["http://[", "http://[::1", "//[", "\xff"])
def test_a_page_that_says_that_it_is_no_url_is_led_to_the_sign_in(client: FlaskClient, url: str) -> None:
    answer = client.get("/runs", headers={**OPEN, "HX-Current-URL": url})
    assert answer.status_code == 401
    assert answer.headers["HX-Redirect"].startswith("/sign-in?next=")
    answer = client.post("/runs/x/cancel", headers={**PAGE, "Referer": url})
    assert answer.status_code in {303, 404}


@pytest.mark.parametrize("path", ["/sign-in", "/sign-out", "/queue/start-now"])
def test_a_form_of_any_size_is_not_received(client: FlaskClient, path: str) -> None:
    form_token_ = ""
    if path != "/sign-in":
        sign_in(client)
        form_token_ = form_token(client)
    large = {"token": (io.BytesIO(b"x" * 70_000), "a"), "form_token": form_token_}
    assert client.post(path, data=large, content_type="multipart/form-data").status_code == 413
    assert client.post(path, data={"token": "x" * 70_000, "form_token": form_token_}).status_code == 413


def test_a_button_after_the_end_of_a_session_leads_to_the_sign_in_and_back(client: FlaskClient) -> None:
    path = "/runs/3f1c9f5e-0000-4000-8000-000000000000"
    answer = client.post(f"{path}/cancel", headers={**PAGE, "Referer": f"http://localhost{path}?page=2"})
    assert (answer.status_code, answer.headers["Location"]) == (303, f"/sign-in?next={path}%3Fpage%3D2")
    assert "WWW-Authenticate" not in answer.headers
    # one with a password of basic auth, and a script
    assert client.post(f"{path}/cancel", headers={**PAGE, **OPERATOR}).status_code == 403
    assert client.post(f"{path}/cancel").status_code == 401


@pytest.mark.parametrize("name", ["a?b#c", "50%", "Order Service é"])
def test_an_open_page_and_the_sign_in_come_back_to_a_name_of_any_characters(
    client: FlaskClient, name: str
) -> None:
    one = with_providers(client, name, "a")
    found = re.search(r'class="first"><a href="(/providers/[^"]{2,})"', one.get("/providers").text)
    assert found is not None
    assert f'hx-get="{found[1]}"' in one.get(found[1]).text
    asked = one.application.test_client().get(f"{found[1]}?x=%3C", headers=PAGE)
    signed_in = one.post("/sign-in", data={"token": READER, "next": next_of(asked.headers["Location"])})
    assert signed_in.headers["Location"] == f"{found[1]}?x=%3C"


def next_of(location: str) -> str:
    return parse_qs(urlsplit(location).query)["next"][0]


def test_two_names_do_not_share_what_is_kept_for_a_moment(client: FlaskClient) -> None:
    two = with_providers(client, "a?b", "a")
    assert "<h1>a?b</h1>" in two.get("/providers/a%3Fb", headers=OPEN).text
    assert "<h1>a</h1>" in two.get("/providers/a?b?", headers=OPEN).text


def test_what_went_wrong_is_not_kept_for_others(client: FlaskClient) -> None:
    path = "/runs/3f1c9f5e-0000-4000-8000-000000000000/cancel"
    sign_in(client, READER)
    refused = client.post(path, data={"form_token": form_token(client)}, headers=OPEN)
    assert (refused.status_code, "may look things up" in refused.text) == (403, True)
    forged = client.post(path, data={"form_token": "x"}, headers=OPEN)
    assert "none of this session" in forged.text


def test_whoever_comes_by_basic_auth_is_shown_no_button_that_does_nothing(client: FlaskClient) -> None:
    password = base64.b64encode(b"x:a-token-for-reading-the-api").decode()
    basic = {"Authorization": f"Basic {password}"}
    assert "/providers/A/pause" not in client.get("/providers/A", headers=basic).text
    assert "/providers/A/pause" in client.get("/providers/A", headers=OPERATOR).text
    assert client.post("/providers/A/pause", headers=basic).status_code == 401


def test_whom_a_proxy_names_is_led_to_nothing_of_the_api(
    client: FlaskClient, pool: ConnectionPool[Any]
) -> None:
    run_id = add_run(pool)
    with pool.connection() as connection:
        statement = (
            "INSERT INTO run_log_chunks SELECT %s, n, 1, repeat('x', 15000) FROM generate_series(0, 2) AS n"
        )
        connection.execute(statement, [run_id])
    settings = receiver_of(client).settings
    server = type(settings.server).model_validate(
        {"trusted_proxies": ["127.0.0.1"], "user_header": "X-Forwarded-User"}
    )
    receiver = replace(receiver_of(client), settings=settings.model_copy(update={"server": server}))
    behind = create_app(receiver).test_client()
    page, named = f"/runs/{run_id}", {"X-Forwarded-User": "ann"}
    # what is kept for a moment is not theirs alone
    assert 'href="/api/' in behind.get(page, headers={**OPEN, **OPERATOR}).text
    assert 'href="/api/' not in behind.get(page, headers={**OPEN, **named}).text
    assert "for those with a token" in behind.get(page, headers=named).text
