"""A paused provider, and a look at one in the broker, with a real worker and a real broker."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from app.records import pauses, provider_looks
from app.records.run_changes import RunChanges
from tests.app.worker.test_process import GOOD, RUNNING, VERSION, receiver
from tests.support.broker_records import publish
from tests.support.processes import EmbeddedBroker
from tests.support.receiver import wait_until
from tests.support.running import PROVIDER
from tests.support.webhook_documents import OPEN, all_are, create, triggered, webhook

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.receiver import ReceiverProcess


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedBroker]:
    with EmbeddedBroker(tmp_path_factory.mktemp("broker"), *OPEN) as started:
        yield started


def waits_for_its_provider(server: ReceiverProcess) -> bool:
    run = server.runs()[-1]
    return (run["status"], run["attempt"], run["error_kind"]) == ("waiting", 0, "paused-provider")


def test_a_paused_provider_ends_what_runs_and_starts_nothing_whatever_happens_to_the_worker(
    tmp_path: Path, database_url: str, broker: EmbeddedBroker
) -> None:
    flag = tmp_path / "go"
    slow = f"sh -c 'while ! test -e {flag}; do sleep 0.05; done; exec {PROVIDER}'"
    with receiver(tmp_path, database_url, broker.url, {"command": slow, **RUNNING}, concurrency=2) as server:
        server.dispatch(publish(broker, GOOD, "Running"))
        server.wait_until(lambda: server.runs() and server.runs()[0]["status"] == "running", "it runs")
        with psycopg.connect(database_url) as connection:
            pauses.add(connection, "Products", "ann")
        server.dispatch(publish(broker, GOOD, "Waiting"))
        flag.touch()
        server.wait_until(lambda: server.runs()[0]["publishing"] == "published", "what ran has ended")
        server.wait_until(lambda: waits_for_its_provider(server), "the other one waits")
        server.kill()
        server.dispatch(publish(broker, GOOD, "WhileAway"))
        server.stop()
        server.start()
        server.wait_until(lambda: waits_for_its_provider(server), "the one that came meanwhile waits too")
        assert [run["attempt"] for run in server.runs()] == [1, 0, 0]
        with psycopg.connect(database_url) as connection:
            RunChanges().resume(connection, "Products")
        runs = server.wait_for_runs(3)
    assert [(run["outcome"], run["publishing"], run["attempt"]) for run in runs] == [
        ("passed", "published", 1)
    ] * 3


def test_a_worker_looks_at_a_provider_in_the_broker_and_queues_what_lacks_a_result(
    tmp_path: Path, database_url: str, broker: EmbeddedBroker
) -> None:
    def look(*, queues: bool) -> Any:
        with psycopg.connect(database_url) as connection:
            assert provider_looks.ask(connection, "Products", "ann", queues=queues)

        def answer() -> Any:
            with psycopg.connect(database_url) as connection:
                found = provider_looks.get(connection, "Products")
            return found.answer if found is not None and not found.under_way else None

        return server.wait_until(answer, "it is answered")

    publish(broker, GOOD, "First")
    url = "http://127.0.0.1:1/repos/acme/products/dispatches?token=s3cret"
    create(broker, {**webhook(url), "provider": {"name": "Products"}})
    publish(broker, GOOD, "Looked")
    wait_until(
        lambda: all_are("retrying")(triggered(broker, "/pacts/provider/Products/consumer/Looked")),
        "it was tried to deliver that",
    )
    with receiver(tmp_path, database_url, broker.url, {"command": PROVIDER, **RUNNING}) as server:
        found = look(queues=False)
        assert found["problems"] == []
        [missing] = [one for one in found["missing"] if one["consumer"] == "Looked"]
        assert (missing["provider_version"], missing["state"]) == (VERSION, "would be queued")
        [hook] = found["webhooks"]
        assert (hook["description"], hook["scope"], hook["enabled"]) == (
            "a webhook",
            "provider Products",
            True,
        )
        assert "s3cret" not in str(found)
        by_consumer = {chain["pact"]["consumer"]: chain for chain in found["doctor"]["chains"]}
        checks = {check["id"]: check for check in by_consumer["Looked"]["checks"]}
        assert checks["delivery"]["status"] == "broken"
        assert checks["delivery"]["link"] == "it was delivered"
        assert checks["receiver"]["found"] == "RECEIVER_URL is ready: 1 worker, 0 runs wait"
        assert checks["receiver-deliveries"]["found"].startswith("it got no dispatch for acme/products")
        assert server.runs() == []

        assert [one["state"] for one in look(queues=True)["missing"] if one["consumer"] == "Looked"] == [
            "queued"
        ]
        server.wait_for_runs(1)
        broker.stop()
        assert look(queues=False)["problems"]
