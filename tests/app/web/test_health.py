"""`/healthz` and `/readyz`, served in this process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from app.dispatch import Dispatch
from app.records import run_changes

if TYPE_CHECKING:
    from flask.testing import FlaskClient
    from psycopg_pool import ConnectionPool

BROKER = "http://broker.example.org/base"


def test_a_process_that_is_up_says_so(client: FlaskClient) -> None:
    answer = client.get("/healthz")
    assert (answer.status_code, answer.get_json()) == (200, {"status": "ok"})


def test_a_provider_that_runs_wait_for_and_that_is_not_configured_is_named(
    client: FlaskClient, pool: ConnectionPool[Any]
) -> None:
    assert client.get("/readyz").get_json()["details"] == []
    for provider in ("A", "Removed"):
        pact = f"{BROKER}/pacts/provider/{provider}/consumer/C/latest"
        with pool.connection() as connection:
            run_changes.request(connection, provider, Dispatch("a/b", "pact_changed", pact), lock=None)
    [detail] = client.get("/readyz").get_json()["details"]
    assert "'Removed'" in detail
    assert "not in the configuration" in detail
