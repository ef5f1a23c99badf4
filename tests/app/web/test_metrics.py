"""`/healthz`, `/readyz` and `/metrics`, also of several processes."""

from __future__ import annotations

from datetime import UTC, datetime
from importlib.metadata import version
from typing import TYPE_CHECKING, Any
from uuid import UUID

import psycopg
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_text

from app.intake.refusal_log import BURST
from app.queue import turns
from app.records import sightings
from app.records.processes import Kind, ProcessState, note
from app.records.sightings import Seen
from tests.support.history_rows import add_history, delete_old
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


def test_configurations_that_differ_are_counted(web: ReceiverProcess, database_url: str) -> None:
    states = (
        ProcessState(Kind.WEB, "one:1", "1.0", "aaaaaaaaaaaa", 5),
        ProcessState(Kind.WORKER, "one:2", "1.0", "aaaaaaaaaaaa", 5, refused="broker: is missing"),
        ProcessState(Kind.WORKER, "two:1", "1.0", "bbbbbbbbbbbb", 5),
    )
    assert metrics(web)["configurations", ()] == 0
    with psycopg.connect(database_url) as connection:
        for number, state in enumerate(states):
            note(connection, UUID(int=number), state)
    assert metrics(web)["configurations", ()] == 2
    assert metrics(web)["configuration_refused", ()] == 1


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
        assert delete_old(connection, 1) == 73

    assert {key: value for key, value in metrics(web).items() if key[0] != "oldest_waiting_run_seconds"} == {
        key: value for key, value in before.items() if key[0] != "oldest_waiting_run_seconds"
    }


def test_what_workers_saw_of_the_broker_and_of_the_token_is_told(web: ReceiverProcess) -> None:
    before = metrics(web)
    assert before["build_info", (("version", version("pact-dispatch")),)] == 1
    assert not [name for name, _ in before if name in {"broker_answers", "token_expires_timestamp_seconds"}]
    expires = datetime(2026, 12, 1, tzinfo=UTC)
    for error, date in (("it is away", None), (None, expires.isoformat())):
        with psycopg.connect(str(web.database_url)) as connection:
            sightings.note(connection, Seen.BROKER, {"error": error})
            sightings.note(connection, Seen.GITHUB_TOKEN, {"expires": date})
        found = metrics(web)
        assert found["broker_answers", ()] == (error is None)
        assert found.get(("token_expires_timestamp_seconds", (("token", "github"),))) == (
            expires.timestamp() if date else None
        )


def test_the_runs_that_could_go_on_are_one_for_each_provider_that_has_any(web: ReceiverProcess) -> None:
    assert metrics(web)["runs_possible", ()] == 0
    for consumer in ("A", "B", "C"):
        web.dispatch(f"{BROKER}/pacts/provider/Products/consumer/{consumer}/latest")
    found = metrics(web)
    assert (found["runs_waiting", ()], found["runs_possible", ()]) == (3, 1)
    with psycopg.connect(str(web.database_url)) as connection:
        connection.execute(
            "UPDATE procrastinate_jobs SET status = 'doing' WHERE id = (SELECT min(id) FROM procrastinate_jobs)"
        )
    assert metrics(web)["runs_possible", ()] == 0, "the others wait for it, and not for a worker"
    with psycopg.connect(str(web.database_url)) as connection:
        connection.execute(
            "UPDATE procrastinate_jobs SET status = 'todo', scheduled_at = now() + interval '1 hour'"
        )
    assert metrics(web)["runs_possible", ()] == 0


def test_a_run_that_begins_while_the_runs_are_counted_is_counted(
    web: ReceiverProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    web.dispatch(PACT)
    count = turns.beginnable

    def meanwhile(connection: psycopg.Connection[Any]) -> int:
        web.execute("UPDATE procrastinate_jobs SET status = 'doing'")
        web.execute("UPDATE runs SET status = 'running', started_at = now()")
        return count(connection)

    monkeypatch.setattr(turns, "beginnable", meanwhile)
    assert metrics(web)["runs_possible", ()] == 1


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


def test_figures_are_compressed_for_whom_takes_that(web: ReceiverProcess) -> None:
    add_history(str(web.database_url), runs=50)
    found = {}
    for encoding in ("identity", "gzip"):
        headers = {"Authorization": f"Bearer {API_TOKEN}", "Accept-Encoding": encoding}
        answer = web.session.get(f"{web.url}/metrics", headers=headers, timeout=TIME_LIMIT)
        found[answer.headers.get("Content-Encoding", "identity")] = answer
    assert int(found["gzip"].headers["Content-Length"]) < int(found["identity"].headers["Content-Length"]) / 4
    assert found["gzip"].text.splitlines()[:50] == found["identity"].text.splitlines()[:50]
    assert "Accept-Encoding" in found["identity"].headers["Vary"]


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
