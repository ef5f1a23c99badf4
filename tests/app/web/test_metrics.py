"""`/healthz`, `/readyz` and `/metrics`, also of several processes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_text

from app.intake.refusal_log import BURST
from app.records import retention
from tests.support.history_rows import add_history
from tests.support.processes import TIME_LIMIT
from tests.support.receiver import API_TOKEN, TOKEN, LocalReceiver, ReceiverProcess, configuration

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BROKER = "http://broker.example.org/base"
PACT = f"{BROKER}/pacts/provider/Products/consumer/Storefront/latest"


def config() -> str:
    return configuration(
        BROKER,
        {"base_url": "http://127.0.0.1:1", "version": "abc"},
        worker={"stalled_seconds": 2, "stop_seconds": 0.5},
    )


@pytest.fixture
def web(tmp_path: Path, database_url: str) -> Iterator[ReceiverProcess]:
    (tmp_path / "web").mkdir()
    with LocalReceiver(tmp_path / "web", config(), command="web", database_url=database_url) as process:
        yield process


@pytest.fixture
def processes(tmp_path: Path, database_url: str) -> Iterator[ReceiverProcess]:
    """Two processes of gunicorn, as is the default."""
    with ReceiverProcess(tmp_path, config(), command="web", database_url=database_url) as process:
        yield process


def metrics(web: ReceiverProcess) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    answer = web.session.get(
        f"{web.url}/metrics", headers={"Authorization": f"Bearer {API_TOKEN}"}, timeout=TIME_LIMIT
    )
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"].startswith("text/plain; version=")
    return {
        (sample.name.removeprefix("pact_dispatch_"), tuple(sorted(sample.labels.items()))): sample.value
        for family in read_text(answer.text)
        for sample in family.samples
    }


def ready(web: ReceiverProcess) -> tuple[int, Any]:
    answer = web.session.get(
        f"{web.url}/readyz", headers={"Authorization": f"Bearer {API_TOKEN}"}, timeout=TIME_LIMIT
    )
    return answer.status_code, answer.json()


def test_what_comes_in_is_counted(web: ReceiverProcess) -> None:
    assert metrics(web)["deliveries_coalesced_total", ()] == 0
    web.dispatch(PACT)
    web.dispatch(PACT)
    web.dispatch(f"{PACT}-main")
    web.dispatch(PACT, token="wrong-token")
    web.dispatch(PACT, token=None)
    web.dispatch("http://elsewhere.example.org/pacts")
    found = metrics(web)
    assert found["deliveries_accepted_total", (("source", "api"),)] == 3
    assert found["deliveries_coalesced_total", ()] == 1
    refused = {
        dict(labels)["reason"]: value
        for (name, labels), value in found.items()
        if name == "deliveries_refused_total"
    }
    assert refused == {"bad-token": 1, "no-token": 1, "other-broker": 1}
    assert found["runs_waiting", ()] == 2
    assert found["runs_running", ()] == 0
    assert found["workers_alive", ()] == 0
    assert found["oldest_waiting_run_seconds", ()] > 0


def test_a_flood_of_strangers_is_counted_and_not_kept(processes: ReceiverProcess) -> None:
    web = processes
    flood = 3 * BURST
    for _ in range(flood):
        assert web.dispatch(PACT, token=None).status_code == 404
    web.dispatch("http://elsewhere.example.org/pacts")  # of a sender with a token: always kept

    refused = ("deliveries_refused_total", (("reason", "no-token"),))
    web.wait_until(lambda: metrics(web).get(refused, 0) == flood, "each one is counted")
    kept = web.rows("SELECT refusal, count(*) AS number FROM deliveries GROUP BY refusal ORDER BY refusal")
    assert [row["refusal"] for row in kept] == ["no-token", "other-broker"]
    assert kept[0]["number"] < 2 * BURST + flood / 10
    assert len(web.logged("refused")) == sum(row["number"] for row in kept)


def test_what_ended_is_counted_also_when_it_is_deleted(web: ReceiverProcess) -> None:
    add_history(str(web.database_url), runs=70, refused=3, days=2)
    before = metrics(web)
    ended = {labels: value for (name, labels), value in before.items() if name == "runs_ended_total"}
    assert sum(ended.values()) == 70
    assert ended[("outcome", "failed"), ("provider", "Provider 3")] == 7
    assert before["publish_retries_total", ()] == 10
    buckets = {
        dict(labels)["le"]: value
        for (name, labels), value in before.items()
        if name == "run_duration_seconds_bucket"
    }
    assert (buckets["0.1"], buckets["+Inf"]) == (70, 70)  # the n-th took n milliseconds
    assert before["run_duration_seconds_count", ()] == 70
    assert before["run_duration_seconds_sum", ()] == pytest.approx(sum(range(1, 71)) / 1000)

    with psycopg.connect(str(web.database_url)) as connection:
        assert retention.delete_batch(connection, 1) == 73

    assert {key: value for key, value in metrics(web).items() if key[0] != "oldest_waiting_run_seconds"} == {
        key: value for key, value in before.items() if key[0] != "oldest_waiting_run_seconds"
    }


def test_no_label_and_no_text_tells_a_secret_or_a_pact(web: ReceiverProcess) -> None:
    add_history(str(web.database_url), runs=5)
    web.dispatch(PACT)
    text = web.session.get(
        f"{web.url}/metrics", headers={"Authorization": f"Bearer {API_TOKEN}"}, timeout=TIME_LIMIT
    ).text
    for secret in (TOKEN, API_TOKEN, "http://", "Storefront", "Consumer"):
        assert secret not in text


def test_openmetrics_is_answered_to_whom_asks_for_it(web: ReceiverProcess) -> None:
    add_history(str(web.database_url), runs=5)
    answer = web.session.get(
        f"{web.url}/metrics",
        headers={
            "Authorization": f"Bearer {API_TOKEN}",
            "Accept": "application/openmetrics-text;version=1.0.0,text/plain;q=0.5",
        },
        timeout=TIME_LIMIT,
    )
    assert answer.headers["Content-Type"].startswith("application/openmetrics-text")
    families = read_openmetrics(answer.text)  # type: ignore[no-untyped-call]
    names = {family.name for family in families}
    assert {"pact_dispatch_runs_ended", "pact_dispatch_run_duration_seconds"} <= names


def test_readiness_tells_whether_a_worker_is_alive(
    web: ReceiverProcess, tmp_path: Path, database_url: str
) -> None:
    web.dispatch(PACT)
    status, document = ready(web)
    assert (status, document["ready"]) == (503, False)
    assert "no worker is alive" in document["problems"][0]
    assert document["queue"]["waiting"] == 1
    assert document["queue"]["oldest_waiting_seconds"] > 0

    (tmp_path / "worker").mkdir()
    with ReceiverProcess(
        tmp_path / "worker", config(), command="worker", database_url=database_url
    ) as worker:
        found = worker.wait_until(
            lambda: (answer := ready(web))[0] == 200 and answer, "the receiver is ready"
        )
        assert found[1]["problems"] == []
        worker.wait_until(lambda: metrics(web)["workers_alive", ()] == 1, "it is counted")
    web.wait_until(lambda: ready(web)[0] == 503, "the worker is missed")


def test_a_killed_worker_is_not_alive_for_long(
    web: ReceiverProcess, tmp_path: Path, database_url: str
) -> None:
    (tmp_path / "worker").mkdir()
    worker = ReceiverProcess(tmp_path / "worker", config(), command="worker", database_url=database_url)
    with worker:
        web.wait_until(lambda: ready(web)[0] == 200, "the receiver is ready")
        worker.kill()
    web.wait_until(lambda: ready(web)[0] == 503, "the worker is missed")


def test_the_run_that_waits_for_its_next_attempt_isnt_late(web: ReceiverProcess) -> None:
    web.dispatch(PACT)
    with psycopg.connect(str(web.database_url)) as connection:
        connection.execute("UPDATE runs SET created_at = now() - interval '1 hour'")
    assert ready(web)[1]["queue"]["oldest_waiting_seconds"] >= 3600
    with psycopg.connect(str(web.database_url)) as connection:
        connection.execute("UPDATE runs SET retry_at = now() + interval '1 hour'")
    assert ready(web)[1]["queue"]["oldest_waiting_seconds"] == 0
