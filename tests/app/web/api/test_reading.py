"""What is read from the database for an answer; the application is served in this process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

from app.dispatch import Dispatch
from app.records import run_changes

if TYPE_CHECKING:
    from flask.testing import FlaskClient
    from psycopg_pool import ConnectionPool

READING = {"Authorization": "Bearer a-token-for-reading-the-api"}
PACT = "http://broker.example.org/base/pacts/provider/A/consumer/C/latest"


def test_no_verification_is_read_for_a_list_a_404_or_a_cancellation_that_comes_too_late(
    client: FlaskClient, pool: ConnectionPool[Any]
) -> None:
    with pool.connection() as connection:
        run_id, _ = run_changes.request(connection, "A", Dispatch("a/b", "pact_changed", PACT), lock=None)
        connection.execute("UPDATE runs SET status = 'finished', finished_at = now()")
        connection.execute("ALTER TABLE runs DROP COLUMN verification")

    [listed] = client.get("/api/runs", headers=READING).get_json()["items"]
    assert listed["id"] == str(run_id)
    for path in ("", "/log", "/verification"):
        assert client.get(f"/api/runs/{uuid4()}{path}", headers=READING).status_code == 404
    assert client.get(f"/api/runs/{run_id}/log", headers=READING).status_code == 200
    assert client.post(f"/api/runs/{run_id}/cancel", headers=READING).status_code == 409
    assert client.get(f"/runs/{uuid4()}", headers=READING).status_code == 404


def test_times_are_utc_whatever_the_time_zone_of_the_connection(
    client: FlaskClient, pool: ConnectionPool[Any]
) -> None:
    with pool.connection() as connection:
        connection.execute("SET TIME ZONE 'Asia/Kathmandu'")
        run_changes.request(connection, "A", Dispatch("a/b", "pact_changed", PACT), lock=None)
        connection.execute("UPDATE runs SET created_at = '2026-01-02 03:04:05.678+00'")
        connection.execute(
            "UPDATE runs SET started_at = '2026-01-02 03:04:05+00', finished_at = '2026-01-02 03:04:05.600001+00'"
        )
    [run] = client.get("/api/runs", headers=READING).get_json()["items"]
    assert run["created_at"] == "2026-01-02T03:04:05.678000Z"
    assert run["started_at"] == "2026-01-02T03:04:05Z"
    assert run["finished_at"] == "2026-01-02T03:04:05.600001Z"
    page = client.get(f"/runs/{run['id']}", headers=READING).get_data(as_text=True)
    assert "2026-01-02 03:04:05 UTC" in page
