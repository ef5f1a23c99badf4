"""The JSON API as its users meet it: over HTTP, with a real PostgreSQL and real runs."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from shlex import quote
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin
from uuid import uuid4

import psycopg
import pytest

from tests.support import scripted_provider
from tests.support.history_rows import add_history
from tests.support.pacts import interaction, pact
from tests.support.processes import TIME_LIMIT, EmbeddedBroker
from tests.support.receiver import API_TOKEN, PROVIDER, TOKEN, LocalReceiver, ReceiverProcess, configuration

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import requests

BROKER = "http://broker.example.org/base"
PACT = f"{BROKER}/pacts/provider/Products/consumer/Storefront/latest"
SHA = "0123456789abcdef0123456789abcdef01234567"
RUN_FIELDS = {
    "id",
    "status",
    "outcome",
    "provider",
    "consumer",
    "pact_url",
    "provider_version",
    "result_url",
    "error",
    "created_at",
    "started_at",
    "finished_at",
    "deliveries",
}
SERVE_COMMAND = f"{quote(sys.executable)} {quote(scripted_provider.__file__)} --port {{port}}"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, module_database_url: str) -> Iterator[ReceiverProcess]:
    config = configuration(BROKER, {"base_url": "http://127.0.0.1:1", "version": SHA})
    folder = tmp_path_factory.mktemp("web")
    with LocalReceiver(folder, config, command="web", database_url=module_database_url) as process:
        yield process


@pytest.fixture
def web(running: ReceiverProcess) -> ReceiverProcess:
    """A receiver without a worker, and without a history."""
    with psycopg.connect(str(running.database_url)) as connection:
        connection.execute("TRUNCATE runs, deliveries, totals, procrastinate_jobs CASCADE")
    return running


def call(
    web: ReceiverProcess, path: str, *, method: str = "GET", token: str | None = API_TOKEN, **options: Any
) -> requests.Response:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return web.session.request(method, urljoin(web.url, path), headers=headers, timeout=TIME_LIMIT, **options)


def items(web: ReceiverProcess, path: str) -> list[dict[str, Any]]:
    answer = call(web, path)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


def test_a_dispatch_can_be_followed_from_its_delivery_to_its_run(web: ReceiverProcess) -> None:
    delivery_id = web.dispatch(PACT, sha=SHA, branch="main").headers["X-GitHub-Request-Id"]

    delivery = call(web, f"/api/deliveries/{delivery_id}").json()
    assert delivery["status"] == 204
    assert delivery["sender"] == "broker"
    assert delivery["payload"]["client_payload"] == {"pact_url": PACT, "sha": SHA, "branch": "main"}

    run = call(web, f"/api/runs/{delivery['run_id']}").json()
    assert run.keys() >= RUN_FIELDS
    assert (run["status"], run["provider"], run["consumer"]) == ("waiting", PROVIDER, "Storefront")
    assert run["deliveries"] == [delivery_id]
    assert run["interactions"] == []

    (listed,) = items(web, "/api/runs")
    assert listed.items() <= run.items()
    assert [found["id"] for found in items(web, "/api/deliveries")] == [delivery_id]
    assert call(web, f"/api/runs/{run['id']}/log").text == ""
    missing = call(web, f"/api/runs/{run['id']}/verification")
    assert (missing.status_code, missing.json()["message"]) == (
        404,
        "the run has no verification: it is waiting",
    )


def test_nobody_gets_in_without_a_token_of_the_api(web: ReceiverProcess) -> None:
    for method, path in (
        ("GET", "/api/runs"),
        ("GET", f"/api/runs/{uuid4()}"),
        ("GET", f"/api/runs/{uuid4()}/log"),
        ("GET", f"/api/runs/{uuid4()}/verification"),
        ("POST", f"/api/runs/{uuid4()}/cancel"),
        ("GET", "/api/deliveries"),
        ("GET", f"/api/deliveries/{uuid4()}"),
        ("POST", f"/api/deliveries/{uuid4()}/redeliver"),
        ("GET", "/metrics"),
    ):
        for token in (None, TOKEN, "${user.githubToken}", "wrong", f"{API_TOKEN}x"):
            answer = call(web, path, method=method, token=token)
            assert answer.status_code == 401, (path, token)
            assert answer.headers["WWW-Authenticate"].startswith('Bearer realm="pact-dispatch"')
            assert API_TOKEN not in answer.text
        assert call(web, path, method=method).status_code in {200, 404}


def test_pages_hold_each_item_once_newest_first_whatever_comes_in_meanwhile(web: ReceiverProcess) -> None:
    add_history(str(web.database_url), runs=25, refused=12)
    with psycopg.connect(str(web.database_url)) as connection:  # of one moment: the id tells them apart
        connection.execute(
            "UPDATE runs SET created_at = '2026-01-01T00:00:00.123456Z' WHERE consumer_version::int > 10"
        )
    for path, table, time_of in (
        ("/api/runs", "runs", "created_at"),
        ("/api/deliveries", "deliveries", "received_at"),
    ):
        expected = [
            str(row["id"]) for row in web.rows(f"SELECT id FROM {table} ORDER BY {time_of} DESC, id DESC")
        ]
        seen: list[str] = []
        url: str | None = f"{path}?limit=4"
        while url is not None:
            page = call(web, url).json()
            assert len(page["items"]) == 4 or page["next"] is None
            seen += [item["id"] for item in page["items"]]
            url = page["next"]
            web.dispatch(f"{PACT}?{len(seen)}")
        assert seen == expected


def test_filters_hold_on_every_page(web: ReceiverProcess) -> None:
    add_history(str(web.database_url), runs=60, refused=3)
    web.dispatch(PACT)
    for query, number in (
        ("status=waiting", 1),
        ("status=finished", 60),
        ("status=finished&outcome=failed", 12),
        ("provider=Provider 3", 6),
        ("consumer=Consumer 42", 1),
        ("repository=acme/provider-7&outcome=failed", 0),
        (f"pact_url={PACT}", 1),
    ):
        found: list[dict[str, Any]] = []
        url: str | None = f"/api/runs?limit=5&{query}"
        while url is not None:
            page = call(web, url).json()
            found += page["items"]
            url = page["next"]
        assert len(found) == number, query
        wanted = dict(part.split("=", 1) for part in query.split("&"))
        assert all(wanted.items() <= item.items() for item in found)
    assert len(items(web, "/api/deliveries?refusal=unknown-repository")) == 3
    assert len(items(web, "/api/deliveries?repository=acme/nothing&source=api")) == 3
    assert items(web, "/api/deliveries?source=reconcile") == []


def test_a_parameter_that_cant_be_used_is_named(web: ReceiverProcess) -> None:
    for query, field in (
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("limit=-1", "limit"),
        ("limit=1e2", "limit"),
        ("limit=\N{ARABIC-INDIC DIGIT ONE}", "limit"),
        ("limit=", "limit"),
        ("limit=1&limit=2", "limit"),
        ("cursor=", "cursor"),
        ("cursor=abc", "cursor"),
        ("cursor=%00", "cursor"),
        ("cursor=%ff%fe", "cursor"),
        ("cursor=" + "f" * 32, "cursor"),
        ("cursor=" + "A" * 5000, "cursor"),
        ("status=done", "status"),
        ("outcome=null", "outcome"),
        ("provider=%00", "provider"),
        ("provider=", "provider"),
        ("provider=" + "a" * 2001, "provider"),
        ("page=2", "page"),
        ("status[]=waiting", "status[]"),
        ("offset=%27%3B%20DROP%20TABLE%20runs", "offset"),
    ):
        answer = call(web, f"/api/runs?{query}")
        assert answer.status_code == 422, query
        assert [error["field"] for error in answer.json()["errors"]] == [field]


def test_any_text_can_be_looked_for(web: ReceiverProcess) -> None:
    web.dispatch(PACT)
    for text in ("' OR 1=1 --", "%", "\\", "\ud7ff", "\N{PILE OF POO}", "a" * 255):
        answer = call(web, "/api/runs", params={"provider": text})
        assert answer.json() == {"items": [], "next": None}


def test_what_isnt_there_is_not_found(web: ReceiverProcess) -> None:
    for identity in ("1", "%2e%2e%2fruns", "%00", "x" * 3000, str(uuid4()).replace("-", ""), str(uuid4())):
        for method, path in (
            ("GET", "runs/{}"),
            ("GET", "runs/{}/log"),
            ("POST", "runs/{}/cancel"),
            ("GET", "deliveries/{}"),
            ("POST", "deliveries/{}/redeliver"),
        ):
            answer = call(web, "/api/" + path.format(identity), method=method)
            assert (answer.status_code, answer.json()["status"]) == (404, "404"), (identity, path)


def test_a_wrong_method_is_told_the_right_ones(web: ReceiverProcess) -> None:
    answer = call(web, "/api/runs", method="DELETE")
    assert (answer.status_code, "GET" in answer.headers["Allow"]) == (405, True)


def test_a_waiting_run_is_cancelled_at_once_and_only_once(web: ReceiverProcess) -> None:
    web.dispatch(PACT)
    (run,) = items(web, "/api/runs")
    for _ in range(2):
        answer = call(web, f"/api/runs/{run['id']}/cancel", method="POST")
        assert (answer.status_code, answer.json()["status"]) == (200, "cancelled")
    assert web.rows("SELECT status FROM procrastinate_jobs WHERE status IN ('todo', 'doing')") == []
    assert answer.json()["outcome"] is None


def test_a_finished_run_cant_be_cancelled(web: ReceiverProcess) -> None:
    add_history(str(web.database_url), runs=1)
    (run,) = items(web, "/api/runs")
    answer = call(web, f"/api/runs/{run['id']}/cancel", method="POST")
    assert (answer.status_code, answer.json()["message"]) == (
        409,
        "the run is finished: there is nothing to cancel",
    )


def test_a_delivery_is_delivered_again_as_a_new_one(web: ReceiverProcess) -> None:
    first = web.dispatch(PACT, sha=SHA, branch="main", message="again, please").headers["X-GitHub-Request-Id"]
    (run,) = items(web, "/api/runs")
    call(web, f"/api/runs/{run['id']}/cancel", method="POST")

    answer = call(web, f"/api/deliveries/{first}/redeliver", method="POST")

    assert answer.status_code == 201
    delivery = answer.json()
    assert (delivery["source"], delivery["sender"], delivery["coalesced"]) == ("redelivery", "tests", False)
    assert call(web, answer.headers["Location"]).json() == delivery
    again = call(web, f"/api/runs/{delivery['run_id']}").json()
    assert (again["reason"], again["sha"], again["branch"]) == ("redelivered", SHA, "main")
    assert again["id"] != run["id"]

    # one of a redelivery meets the run that waits
    third = call(web, f"/api/deliveries/{delivery['id']}/redeliver", method="POST").json()
    assert (third["run_id"], third["coalesced"]) == (again["id"], True)
    assert third["payload"] == delivery["payload"]


def test_a_refused_delivery_is_delivered_again_once_the_configuration_allows_it(
    web: ReceiverProcess,
) -> None:
    refused = web.dispatch(PACT, event_type="check_me")
    assert refused.status_code == 422
    path = f"/api/deliveries/{refused.headers['X-GitHub-Request-Id']}/redeliver"
    answer = call(web, path, method="POST")
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "event_type")
    assert len(items(web, "/api/deliveries")) == 1

    web.stop()
    web.config.write_text(web.config.read_text() + '[dispatches]\nevent_types = ["check_me"]\n')
    web.start()
    answer = call(web, path, method="POST")
    assert answer.status_code == 201, answer.text
    assert [run["event_type"] for run in items(web, "/api/runs")] == ["check_me"]


def test_what_was_not_kept_cant_be_delivered_again(web: ReceiverProcess) -> None:
    for refused, why in (
        (web.dispatch(PACT, token="wrong-token"), "bad-token"),
        (web.dispatch(PACT, repository="acme/unknown"), "unknown-repository"),
        (web.dispatch(PACT, sha=".."), "client_payload.sha"),
        (web.dispatch(PACT, branch="https://user:password@example.org/"), None),
    ):
        if why is None:
            assert refused.status_code == 204  # accepted, so that the run knows what the delivery doesn't
        path = f"/api/deliveries/{refused.headers['X-GitHub-Request-Id']}/redeliver"
        answer = call(web, path, method="POST")
        if why is None:
            assert answer.status_code == 201
        else:
            assert answer.status_code == 409
            assert why in answer.json()["message"]


def test_a_relayed_dispatch_is_delivered_again_as_a_whole(tmp_path: Path, database_url: str) -> None:
    config = configuration(BROKER, {"relay": True})
    payload = {"pact_url": PACT, "api_token": "hidden-value", "nested": {"numbers": [1, 2.5]}}
    credentials = {"PACT_DISPATCH_GITHUB_TOKEN": "ghp_" + "a" * 36}
    with LocalReceiver(
        tmp_path, config, command="web", database_url=database_url, environment=credentials
    ) as web:
        accepted = web.dispatch(**payload)  # type: ignore[arg-type]
        (run,) = items(web, "/api/runs")
        call(web, f"/api/runs/{run['id']}/cancel", method="POST")
        again = call(
            web, f"/api/deliveries/{accepted.headers['X-GitHub-Request-Id']}/redeliver", method="POST"
        )
        assert again.status_code == 201, again.text
        assert "hidden-value" not in again.text
        relays = web.rows("SELECT client_payload FROM relays")
        web.rows(
            "UPDATE relays SET repository = 'a/b', event_type = 'pact_changed', relayed_at = now() RETURNING 1"
        )
        relay = call(web, f"/api/runs/{run['id']}").json()["relay"]
    assert [one["client_payload"] for one in relays] == [payload, payload]
    assert (relay["repository"], relay["event_type"], relay["request_id"]) == ("a/b", "pact_changed", None)


def test_secrets_of_a_payload_are_not_shown(web: ReceiverProcess) -> None:
    secret = "ghp_" + "a" * 36
    web.dispatch(PACT, message=f"with {secret}", github_token="hidden-value")
    for path in ("/api/deliveries", f"/api/deliveries/{items(web, '/api/deliveries')[0]['id']}", "/api/runs"):
        text = call(web, path).text
        assert secret not in text
        assert "hidden-value" not in text


def test_links_begin_with_the_public_url(tmp_path: Path, database_url: str) -> None:
    config = configuration(
        BROKER,
        {"base_url": "http://127.0.0.1:1", "version": SHA},
        server={"public_url": "https://receiver.example.org/pact/"},
    )
    with LocalReceiver(tmp_path, config, command="web", database_url=database_url) as web:
        add_history(database_url, runs=2)
        answer = web.session.get(
            f"{web.url}/api/runs?limit=1",
            headers={"Authorization": f"token {API_TOKEN}", "Host": "evil.example.org"},
            timeout=TIME_LIMIT,
        )
    assert answer.json()["next"].startswith("https://receiver.example.org/pact/api/runs?limit=1&cursor=")


def test_lists_answer_with_a_long_history(web: ReceiverProcess) -> None:
    add_history(str(web.database_url), runs=20_000, refused=2000)
    last = items(web, "/api/runs?limit=1")[0]["id"]
    for path in (
        "/api/runs",
        "/api/runs?limit=200",
        "/api/runs?status=running",
        "/api/runs?status=finished&outcome=error",
        "/api/runs?consumer=Consumer 42",
        "/api/runs?provider=Provider 3&consumer=Consumer 42",
        "/api/runs?provider=Nobody",
        "/api/runs?repository=acme/provider-3&outcome=passed",
        "/api/deliveries",
        "/api/deliveries?refusal=unknown-repository",
        "/api/deliveries?refusal=nothing",
        f"/api/runs/{last}",
        "/readyz",
        "/metrics",
    ):
        assert call(web, path).status_code in {200, 503}, path


def test_runs_of_a_whole_receiver_can_be_looked_up_and_stopped(tmp_path: Path, database_url: str) -> None:
    with EmbeddedBroker(tmp_path) as broker:
        good = broker.publish(pact(interaction("a thing", "/things/1"), provider=PROVIDER), "1")
        broker.publish(
            pact(interaction("what never comes", "/hang"), provider=PROVIDER, consumer="Patient"), "1"
        )
        config = configuration(
            broker.url,
            {"command": SERVE_COMMAND, "version": SHA, "health_path": "/health", "request_timeout": 60},
        )
        base = f"{broker.url}/pacts/provider/{PROVIDER}/consumer"
        with LocalReceiver(tmp_path, config, database_url=database_url) as receiver:
            receiver.dispatch(f"{base}/Storefront/latest")
            receiver.wait_for_runs()
            (run,) = items(receiver, "/api/runs?outcome=passed")
            whole = call(receiver, f"/api/runs/{run['id']}").json()
            verification = call(receiver, f"/api/runs/{run['id']}/verification").json()
            log = call(receiver, f"/api/runs/{run['id']}/log")

            receiver.dispatch(f"{base}/Patient/latest")
            receiver.wait_until(lambda: items(receiver, "/api/runs?status=running"), "it runs")
            (hanging,) = items(receiver, "/api/runs?status=running")
            told = call(receiver, f"/api/runs/{hanging['id']}/cancel", method="POST")
            receiver.wait_until(lambda: items(receiver, "/api/runs?status=cancelled"), "it is cancelled")

    assert good
    assert (whole["publishing"], whole["attempts"], whole["error"]) == ("published", 1, None)
    assert whole["result_url"].startswith(broker.url)
    assert [one["description"] for one in whole["interactions"]] == ["a thing"]
    assert verification["interactions"] == whole["interactions"]
    assert log.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert "Outcome: passed" in log.text
    assert told.status_code == 202
    assert told.json()["cancel_requested"] is True


def test_a_database_that_is_away_is_said_so(web: ReceiverProcess) -> None:
    with psycopg.connect(str(web.database_url), autocommit=True) as connection:
        name = connection.info.dbname
    admin = str(web.database_url).replace(f"/{name}", "/postgres", 1)
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {name} WITH ALLOW_CONNECTIONS false".encode())
        try:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name]
            )
            paths = ("/api/runs", f"/api/deliveries/{uuid4()}", "/metrics", "/readyz")
            with ThreadPoolExecutor(len(paths)) as pool:  # each waits 3 s for a connection
                answers = list(pool.map(lambda path: call(web, path), paths))
            for answer in answers:
                assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
            assert call(web, "/healthz").json() == {"status": "ok"}
        finally:
            connection.execute(f"ALTER DATABASE {name} WITH ALLOW_CONNECTIONS true".encode())
    web.wait_until(lambda: call(web, "/api/runs").status_code == 200, "it is back")
