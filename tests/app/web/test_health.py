"""`/healthz` and `/readyz`, served in this process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from app.dispatch import Dispatch
from app.records import run_changes
from tests.support.receiver import API_TOKEN

if TYPE_CHECKING:
    from flask.testing import FlaskClient
    from psycopg_pool import ConnectionPool

KNOWN = {"Authorization": f"Bearer {API_TOKEN}"}
BROKER = "http://broker.example.org/base"


def test_a_process_that_is_up_says_so(client: FlaskClient) -> None:
    answer = client.get("/healthz")
    assert (answer.status_code, answer.get_json()) == (200, {"status": "ok"})


def test_a_provider_that_runs_wait_for_and_that_is_not_configured_is_named(
    client: FlaskClient, pool: ConnectionPool[Any]
) -> None:
    assert client.get("/readyz", headers=KNOWN).get_json()["details"] == []
    for provider in ("A", "Removed"):
        pact = f"{BROKER}/pacts/provider/{provider}/consumer/C/latest"
        with pool.connection() as connection:
            run_changes.request(connection, provider, Dispatch("a/b", "pact_changed", pact), lock=None)
    [detail] = client.get("/readyz", headers=KNOWN).get_json()["details"]
    assert "'Removed'" in detail
    assert "not in the configuration" in detail


def test_a_stranger_is_told_a_status_and_no_more(client: FlaskClient) -> None:
    answer = client.get("/readyz")
    assert answer.get_json() == {
        "ready": False,
        "problems": ["no worker is alive: dispatches are accepted and queued, and none is run"],
    }
    assert answer.status_code == 503
    known = client.get("/readyz", headers=KNOWN)
    assert (known.status_code, known.get_json()["queue"]["waiting"]) == (503, 0)


def test_who_asks_for_no_worker_is_told_whether_a_dispatch_would_be_accepted(
    client: FlaskClient, pool: ConnectionPool[Any]
) -> None:
    answer = client.get("/readyz?workers=0")
    assert (answer.status_code, answer.get_json()) == (200, {"ready": True, "problems": []})
    known = client.get("/readyz?workers=0", headers=KNOWN)
    assert (known.status_code, known.get_json()["queue"]["workers"]) == (200, 0)
    with pool.connection() as connection:
        connection.execute("INSERT INTO procrastinate_workers DEFAULT VALUES")
    assert client.get("/readyz").status_code == 200
    two = client.get("/readyz?workers=2")
    assert (two.status_code, two.get_json()["problems"]) == (503, ["fewer than 2 workers are alive: 1"])


@pytest.mark.parametrize(
    "query", ["workers=-1", "workers=x", "workers=", "workers=1001", "workers=1&workers=0"]
)
def test_a_number_of_workers_is_one(client: FlaskClient, query: str) -> None:
    answer = client.get(f"/readyz?{query}")
    assert answer.status_code == 422
    assert "workers must be a number from 0 to 1000" in answer.get_json()["message"]


def test_a_wrong_token_is_no_strangers_question(client: FlaskClient) -> None:
    assert client.get("/readyz", headers={"Authorization": "Bearer wrong"}).status_code == 401
