"""What the tokens of requests let them do; the application is served in this process."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

import pytest

if TYPE_CHECKING:
    from flask.testing import FlaskClient

NOBODY = UUID(int=1)
DISPATCH = {
    "event_type": "pact_changed",
    "client_payload": {"pact_url": "http://broker.example.org/base/pacts/provider/A/consumer/C/latest"},
}
OF_ANOTHER_TEAM = {"Authorization": "Bearer a-token-of-another-team"}
READING = {"Authorization": "Bearer a-token-for-reading-the-api"}
ONLY_READING = {"Authorization": "Bearer a-token-that-only-reads"}


def test_a_token_starts_no_runs_of_repositories_that_it_is_not_for(client: FlaskClient) -> None:
    answer = client.post("/repos/a/b/dispatches", json=DISPATCH, headers=OF_ANOTHER_TEAM)
    unknown = client.post("/repos/a/nothing/dispatches", json=DISPATCH, headers=OF_ANOTHER_TEAM)

    assert answer.status_code == 404
    assert answer.get_json() == unknown.get_json()  # it can't be told apart from one that isn't there
    assert client.get("/api/runs", headers=READING).get_json()["items"] == []
    refused = client.get("/api/deliveries?repository=a/b", headers=READING).get_json()["items"]
    assert [(one["sender"], one["status"], one["refusal"], one["detail"]) for one in refused] == [
        ("team", 404, "other-repository", "the token team may not dispatch for the repository a/b")
    ]


@pytest.mark.parametrize(
    "path",
    [f"/api/runs/{NOBODY}/cancel", f"/api/deliveries/{NOBODY}/redeliver"],
    ids=["cancel", "redeliver"],
)
def test_a_token_that_is_read_only_changes_nothing(client: FlaskClient, path: str) -> None:
    answer = client.post(path, headers=ONLY_READING)

    assert answer.status_code == 403
    assert (
        answer.get_json()["message"]
        == "the token grafana is read-only: it may look things up, and change none"
    )
    assert client.post(path, headers=READING).status_code == 404


@pytest.mark.parametrize("path", ["/api/runs", "/api/deliveries", "/metrics", f"/runs/{NOBODY}"])
def test_a_token_that_is_read_only_reads_everything(client: FlaskClient, path: str) -> None:
    assert client.get(path, headers=ONLY_READING).status_code == client.get(path, headers=READING).status_code
    assert client.head(path, headers=ONLY_READING).status_code in {200, 404}
