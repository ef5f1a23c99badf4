"""A delivery of GitHub's that comes again, by its Redeliver button or from somebody who has recorded it."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from app.records import counters
from app.records.counters import Series
from tests.app.web.conftest import WEBHOOK_SECRET
from tests.support.history_rows import delete_old

if TYPE_CHECKING:
    from flask.testing import FlaskClient
    from psycopg_pool import ConnectionPool
    from werkzeug.test import TestResponse

PACT = "http://broker.example.org/base/pacts/provider/A/consumer/C/latest"
READING = {"Authorization": "Bearer a-token-for-reading-the-api"}
DELIVERY = "72d3162e-cc78-11e3-81ab-4c9367dc0958"


def send(
    client: FlaskClient, delivery: str | None = DELIVERY, *, secret: str = WEBHOOK_SECRET, **more: Any
) -> TestResponse:
    body = json.dumps(
        {
            "action": "pact_changed",
            "client_payload": {"pact_url": PACT},
            "repository": {"full_name": "a/b"},
            **more,
        }
    ).encode()
    signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    headers = {"X-GitHub-Event": "repository_dispatch", "X-Hub-Signature-256": f"sha256={signature}"}
    if delivery is not None:
        headers["X-GitHub-Delivery"] = delivery
    return client.post(
        "/github/events",
        data=body,
        content_type="application/json",
        headers={**headers, "User-Agent": "GitHub-Hookshot/1"},
    )


def deliveries(client: FlaskClient) -> list[dict[str, Any]]:
    """Give all deliveries, oldest first."""
    items: list[dict[str, Any]] = client.get("/api/deliveries", headers=READING).get_json()["items"]
    return items[::-1]


def runs(client: FlaskClient) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = client.get("/api/runs", headers=READING).get_json()["items"]
    return items


def end_runs(database_url: str) -> None:
    """Have no run wait, which a repeated delivery would be joined to."""
    with psycopg.connect(database_url) as connection:
        connection.execute("UPDATE runs SET status = 'finished', outcome = 'passed', finished_at = now()")


def test_a_delivery_that_is_sent_three_times_makes_one_run(client: FlaskClient, database_url: str) -> None:
    for _ in range(3):
        assert send(client).status_code == 204
        end_runs(database_url)

    assert len(runs(client)) == 1
    first, *repeated = deliveries(client)
    assert (first["repeats"], first["run_id"]) == (None, runs(client)[0]["id"])
    for one in repeated:
        assert (one["status"], one["refusal"], one["repeats"]) == (204, None, first["id"])
        assert (one["run_id"], one["github_id"], one["user_agent"]) == (
            first["run_id"],
            DELIVERY,
            "GitHub-Hookshot/1",
        )
        assert one["detail"] == (
            f"repeats the delivery {first['id']}, so nothing was done; to have it carried out again: "
            f"POST /api/deliveries/{first['id']}/redeliver"
        )
    with psycopg.connect(database_url) as connection:
        counts = counters.read(connection)
    assert counts[Series.of(counters.ACCEPTED, source="github")] == 1
    assert counts[Series.of(counters.REPEATED)] == 2


def test_the_page_of_a_run_shows_who_sent_its_deliveries_and_which_repeat_one(client: FlaskClient) -> None:
    for _ in range(2):
        send(client)
    [run] = runs(client)
    page = client.get(f"/runs/{run['id']}", headers=READING).get_data(as_text=True)
    assert page.count('github, by github, from 127.0.0.1 <span class="soft">(GitHub-Hookshot/1)') == 2
    assert page.count(f"repeats the delivery {deliveries(client)[0]['id']}, so nothing was done") == 1


def test_deliveries_with_other_ids_and_those_without_one_are_not_repetitions(
    client: FlaskClient, database_url: str
) -> None:
    for delivery in ("one", "two", None, None):
        assert send(client, delivery).status_code == 204
        end_runs(database_url)
    assert len(runs(client)) == 4


def test_repetitions_at_the_same_moment_make_one_run(
    client: FlaskClient, pool: ConnectionPool[Any], database_url: str
) -> None:
    pool.resize(8, 8)
    # a trigger keeps the first one from being committed until all have looked for an earlier one
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("SELECT pg_advisory_lock(7)")
        connection.execute(
            "CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN PERFORM pg_advisory_xact_lock_shared(7); RETURN NEW; END $$"
        )
        connection.execute("CREATE TRIGGER hold BEFORE INSERT ON runs FOR EACH ROW EXECUTE FUNCTION hold()")
        with ThreadPoolExecutor(6) as threads:
            answers = [threads.submit(send, client.application.test_client()) for _ in range(6)]
            waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
            pause = threading.Event()
            while connection.execute(waiting).fetchone() != (6,):
                pause.wait(0.01)
            connection.execute("SELECT pg_advisory_unlock(7)")
            assert [answer.result().status_code for answer in answers] == [204] * 6

    assert len(runs(client)) == 1
    assert sorted(delivery["repeats"] is None for delivery in deliveries(client)) == [False] * 5 + [True]


def test_a_delivery_that_was_refused_or_not_stored_may_come_again(
    client: FlaskClient, pool: ConnectionPool[Any], database_url: str
) -> None:
    assert send(client, secret="another-secret").status_code == 401
    assert send(client, action="not-configured").status_code == 422
    limit_statements(pool, "100ms")
    with psycopg.connect(database_url) as locking:
        locking.execute("LOCK TABLE runs")
        assert send(client).status_code == 503
    limit_statements(pool, "60s")
    assert send(client).status_code == 204
    assert len(runs(client)) == 1


def limit_statements(pool: ConnectionPool[Any], longest: str) -> None:
    """Have the statements of both connections end after that time."""
    with pool.connection() as one, pool.connection() as other:
        for connection in (one, other):
            connection.execute(f"SET statement_timeout = '{longest}'".encode())


def test_a_delivery_is_carried_out_again_by_the_api(client: FlaskClient, database_url: str) -> None:
    send(client)
    end_runs(database_url)
    send(client)
    for delivery in deliveries(client):
        end_runs(database_url)
        again = client.post(f"/api/deliveries/{delivery['id']}/redeliver", headers=READING)
        assert (again.status_code, again.get_json()["repeats"]) == (201, None)
    assert len(runs(client)) == 3


def test_a_delivery_is_forgotten_with_its_run(client: FlaskClient, pool: ConnectionPool[Any]) -> None:
    send(client)
    with pool.connection() as connection:
        connection.execute("UPDATE runs SET status = 'finished', finished_at = now() - interval '31 days'")
    with pool.connection() as connection:
        assert delete_old(connection, 30) == 1
    assert send(client).status_code == 204
    assert [delivery["repeats"] for delivery in deliveries(client)] == [None]


@pytest.mark.parametrize("delivery", ["x" * 101, "a b", "\x7f"])
def test_an_id_that_is_none_is_refused_by_its_field(client: FlaskClient, delivery: str) -> None:
    answer = send(client, delivery)

    assert (answer.status_code, answer.get_json()["errors"][0]["field"]) == (422, "X-GitHub-Delivery")
    assert len(deliveries(client)[0]["github_id"]) <= 100
