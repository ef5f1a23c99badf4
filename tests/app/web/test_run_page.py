"""The way to the page of a run without a session."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from flask.testing import FlaskClient

TOKEN = "a-token-for-reading-the-api"
READING = {"Authorization": f"Bearer {TOKEN}"}


def test_who_follows_the_link_of_a_result_is_told_what_is_asked_for(client: FlaskClient) -> None:
    page = {"Accept": "text/html"}
    answer = client.get("/runs/3f1c9f5e-0000-4000-8000-000000000000", headers=page, follow_redirects=True)
    assert answer.mimetype == "text/html"
    text = answer.get_data(as_text=True)
    assert "PACT_DISPATCH_API_TOKENS" in text
    assert "Whoever runs this receiver" in text


@pytest.mark.parametrize("path", ["/api/runs", "/metrics", "/runs/3f1c9f5e-0000-4000-8000-000000000000"])
def test_a_token_may_come_as_the_password_wherever_one_is_needed(client: FlaskClient, path: str) -> None:
    def answer(password: str) -> int:
        basic = base64.b64encode(f"anybody:{password}".encode()).decode()
        return client.get(path, headers={"Authorization": f"Basic {basic}"}).status_code

    assert answer(TOKEN) == (404 if path.startswith("/runs/") else 200)
    assert answer("another-token-of-nobody") == 401
    for nonsense in ("ÿ", "!!!", "", "AA=", "ÿ" * 5000):
        headers = {"Authorization": f"Basic {nonsense}"}
        assert client.get(path, headers=headers).status_code == 401, nonsense


def test_a_browser_that_is_logged_in_changes_nothing_by_it(client: FlaskClient) -> None:
    """A browser sends the password along by itself, whichever page asks for the request."""
    basic = base64.b64encode(f"anybody:{TOKEN}".encode()).decode()
    path = "/api/runs/3f1c9f5e-0000-4000-8000-000000000000/cancel"
    assert client.post(path, headers={"Authorization": f"Basic {basic}"}).status_code == 401
    assert client.post(path, headers=READING).status_code == 404
