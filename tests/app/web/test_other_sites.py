"""A page of another site changes nothing in the receiver, whatever credentials a browser adds for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.app.web.test_errors import DISPATCH, DISPATCHING, READING

if TYPE_CHECKING:
    from flask.testing import FlaskClient

ROUTES = [
    ("/repos/a/b/dispatches", DISPATCHING),
    ("/github/events", {}),
    ("/api/runs/3f1c9f5e-0000-4000-8000-000000000000/cancel", READING),
    ("/api/deliveries/3f1c9f5e-0000-4000-8000-000000000000/redeliver", READING),
    ("/no/such/path", {}),
]


@pytest.mark.parametrize(("path", "credentials"), ROUTES)
@pytest.mark.parametrize(
    "headers", [{"Origin": "http://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}]
)
def test_a_foreign_page_changes_nothing(
    client: FlaskClient, path: str, credentials: dict[str, str], headers: dict[str, str]
) -> None:
    answer = client.post(path, json=DISPATCH, headers={**credentials, **headers})
    assert answer.status_code == 403
    assert "may change nothing here" in answer.get_json()["message"]
    assert "server.public_url" in answer.get_json()["message"]
    assert client.get("/api/runs", headers=READING).get_json()["items"] == []


def test_a_page_of_its_own_and_a_client_may_write(client: FlaskClient) -> None:
    for headers in ({}, {"Origin": "http://localhost"}, {"Sec-Fetch-Site": "same-origin"}):
        answer = client.post("/repos/a/b/dispatches", json=DISPATCH, headers={**DISPATCHING, **headers})
        assert answer.status_code == 204


def test_reading_stays(client: FlaskClient) -> None:
    answer = client.get("/api/runs", headers={**READING, "Origin": "http://evil.example"})
    assert answer.status_code == 200
    assert "Access-Control-Allow-Origin" not in answer.headers
