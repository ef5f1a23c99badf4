"""A database that is away and a statement that is wrong are told apart; the application is served in this process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg

if TYPE_CHECKING:
    import pytest
    from flask.testing import FlaskClient
    from psycopg_pool import ConnectionPool

BROKER = "http://broker.example.org/base"
DISPATCHING = {"Authorization": "Bearer a-token-of-the-broker"}
READING = {"Authorization": "Bearer a-token-for-reading-the-api"}
DISPATCH: dict[str, Any] = {
    "event_type": "pact_changed",
    "client_payload": {"pact_url": f"{BROKER}/pacts/provider/A/consumer/C/latest"},
}


def break_table(database_url: str, name: str) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute(f"ALTER TABLE {name} RENAME TO {name}_of_another_version".encode())


def test_a_dispatch_that_a_wrong_statement_can_not_store_is_a_500_and_logged(
    client: FlaskClient, database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    break_table(database_url, "deliveries")
    answer = client.post("/repos/a/b/dispatches", json=DISPATCH, headers=DISPATCHING)
    assert (answer.status_code, answer.json) == (500, {"message": "Internal Server Error", "status": "500"})
    assert "Retry-After" not in answer.headers
    assert "UndefinedTable" in caplog.text


def test_a_dispatch_that_is_not_stored_in_time_is_a_503(
    client: FlaskClient, pool: ConnectionPool[Any], database_url: str
) -> None:
    with pool.connection() as one, pool.connection() as other:
        for connection in (one, other):
            connection.execute("SET statement_timeout = '100ms'")
    with psycopg.connect(database_url) as locking:
        locking.execute("LOCK TABLE deliveries")
        answer = client.post("/repos/a/b/dispatches", json=DISPATCH, headers=DISPATCHING)
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "5"


def test_a_value_that_can_not_be_stored_is_no_database_that_is_away(
    client: FlaskClient, database_url: str
) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute("CREATE INDEX of_another_version ON runs (pact_url)")
    long = f"{DISPATCH['client_payload']['pact_url']}?{''.join(map(chr, range(0x20000, 0x20000 + 4000)))}"
    body = {**DISPATCH, "client_payload": {"pact_url": long}}
    answer = client.post("/repos/a/b/dispatches", json=body, headers=DISPATCHING)
    assert (answer.status_code, "Retry-After" in answer.headers) == (422, False)
    [delivery] = client.get("/api/deliveries", headers=READING).get_json()["items"]
    assert (delivery["refusal"], delivery["detail"]) == (
        "unstorable",
        "it could not be stored: ProgramLimitExceeded",
    )


def test_a_look_up_by_a_wrong_statement_is_a_500_and_logged(
    client: FlaskClient, database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    break_table(database_url, "runs")
    answer = client.get("/api/runs", headers=READING)
    assert (answer.status_code, answer.json) == (500, {"message": "Internal Server Error", "status": "500"})
    assert "UndefinedTable" in caplog.text


def test_a_request_is_refused_also_when_a_wrong_statement_can_not_store_that(
    client: FlaskClient, database_url: str
) -> None:
    break_table(database_url, "deliveries")
    answer = client.post("/repos/a/b/dispatches", json={}, headers=DISPATCHING)
    assert answer.status_code == 422


def test_a_database_that_is_away_is_a_503(client: FlaskClient, pool: ConnectionPool[Any]) -> None:
    pool.close()
    for answer in (
        client.post("/repos/a/b/dispatches", json=DISPATCH, headers=DISPATCHING),
        client.get("/api/runs", headers=READING),
        client.get("/metrics", headers=READING),
    ):
        assert answer.status_code == 503
        assert answer.headers["Retry-After"] == "5"
    assert client.get("/readyz").get_json()["problems"] == ["the database is away"]
    assert client.get("/readyz?workers=0").status_code == 503, "a load balancer sends dispatches to others"
    assert client.post("/repos/a/b/dispatches", json={}, headers=DISPATCHING).status_code == 422
