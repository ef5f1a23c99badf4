"""Deliveries: what was accepted is delivered, whatever happens to the target or to the broker."""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import psutil
import pytest
import requests

from broker.embedded.deliveries.attempt import attempt
from broker.embedded.deliveries.http_request import MAX_ANSWER_BYTES
from broker.embedded.webhooks.settings import RETRY_SECONDS, WebhookSettings
from broker.embedded.webhooks.template import Template
from tests.support.processes import BrokerProcess, EmbeddedBroker
from tests.support.webhook_documents import OPEN, all_are, create, logs, wait_for, webhook
from tests.support.webhook_target import Target

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from http.server import BaseHTTPRequestHandler
    from pathlib import Path

FAST = (*OPEN, "--webhook-retry-seconds", "0.01,0.01,0.01")
LATER = (*OPEN, "--webhook-retry-seconds", "3600")


@pytest.fixture
def target() -> Iterator[Target]:
    with Target() as listening:
        yield listening


class Recovering(Target):
    """A target that answers 503 twice, and then 206."""

    def serve(self, handler: BaseHTTPRequestHandler, body: bytes) -> None:
        """Answer as it is its turn."""
        self.status = 503 if len(self.received) < 2 else 206
        super().serve(handler, body)


def test_retries_end_with_success_when_the_target_recovers(tmp_path: Path, pact: dict[str, Any]) -> None:
    options = (*OPEN, "--webhook-retry-seconds", "0.05,0.05,0.05,0.05,0.05")
    with Recovering() as target, EmbeddedBroker(tmp_path, *options) as broker:
        create(broker, webhook(f"{target.url}/hook"))
        broker.publish(pact, "1")
        (delivery,) = wait_for(broker, all_are("success"))
        attempts = logs(broker, delivery)
    assert delivery["attemptsRemaining"] == 0
    assert [one["success"] for one in attempts] == [False, False, True]
    assert "Retrying webhook in 0.05 seconds" in attempts[0]["logs"]
    assert attempts[-1]["logs"].endswith("Successfully executed webhook\n")
    assert len({received.body for received in target.received}) == 1


@pytest.mark.parametrize("path", ["/status/404", "/status/500", "/redirect", "/status/207"])
def test_anything_but_200_to_206_is_tried_again_and_no_redirect_is_followed(
    tmp_path: Path, pact: dict[str, Any], target: Target, path: str
) -> None:
    with EmbeddedBroker(tmp_path, *FAST) as broker:
        create(broker, webhook(f"{target.url}{path}"))
        broker.publish(pact, "1")
        (delivery,) = wait_for(broker, all_are("failure"))
        attempts = logs(broker, delivery)
    assert delivery["attemptsMade"] == 4
    assert attempts[-1]["logs"].endswith("Webhook execution failed after 4 attempts\n")
    assert [received.path for received in target.received] == [path] * 4


def test_the_recorded_schedule_is_the_default() -> None:
    assert WebhookSettings().retry_seconds == RETRY_SECONDS == (10, 60, 120, 300, 600, 1200)
    assert WebhookSettings().timeout_seconds == 15


@pytest.mark.parametrize("ending", ["stop", "kill"])
def test_a_delivery_that_waits_survives_the_end_of_the_broker(
    tmp_path: Path, pact: dict[str, Any], target: Target, ending: str
) -> None:
    with BrokerProcess(tmp_path, *OPEN, "--webhook-delay", "3600") as broker:
        create(broker, webhook(f"{target.url}/hook"))
        broker.publish(pact, "1")
        assert wait_for(broker, all_are("not_run"))[0]["attemptsRemaining"] == 7
        broker.kill() if ending == "kill" else broker.stop()
    assert target.received == []
    make_due(broker, 0)
    with EmbeddedBroker(tmp_path, *OPEN) as again:
        wait_for(again, all_are("success"))
    assert len(target.received) == 1


def test_a_clock_that_was_set_back_puts_no_delivery_off(
    tmp_path: Path, pact: dict[str, Any], target: Target
) -> None:
    with EmbeddedBroker(tmp_path, *OPEN, "--webhook-delay", "3600") as broker:
        create(broker, webhook(f"{target.url}/hook"))
        broker.publish(pact, "1")
    make_due(broker, time.time() + 1e9)
    with EmbeddedBroker(tmp_path, *OPEN, "--webhook-delay", "3600") as again:
        wait_for(again, all_are("success"))


def test_a_delivery_under_way_is_made_again_after_a_kill(
    tmp_path: Path, pact: dict[str, Any], target: Target
) -> None:
    with BrokerProcess(tmp_path, *OPEN) as broker:
        hook = create(broker, webhook(f"{target.url}/slow"))
        broker.publish(pact, "1")
        target.wait_for(1)
        broker.request("PUT", f"/webhooks/{hook['uuid']}", json=webhook(f"{target.url}/hook"))
        broker.kill()
    with EmbeddedBroker(tmp_path, *OPEN) as again:
        wait_for(again, all_are("success"))
    assert [received.path for received in target.received] == ["/slow", "/hook"]
    assert target.received[0].body == target.received[1].body


@pytest.mark.parametrize("after", [1, 5, 12])
def test_a_kill_amid_publishing_and_delivering_forgets_nothing(
    tmp_path: Path, pact: dict[str, Any], target: Target, after: int
) -> None:
    answered: list[str] = []

    def publish(broker: EmbeddedBroker) -> None:
        with suppress(requests.RequestException):
            for version in range(100_000):
                broker.publish(pact, str(version))
                answered.append(str(version))

    with BrokerProcess(tmp_path, *OPEN) as broker:
        create(broker, webhook(f"{target.url}/hook", body="${pactbroker.consumerVersionNumber}"))
        publisher = threading.Thread(target=publish, args=[broker])
        publisher.start()
        target.wait_for(after)
        broker.kill()
        publisher.join()
    with EmbeddedBroker(tmp_path, *OPEN) as again:
        until(lambda: set(answered) <= {one.body for one in list(target.received)})
        for version in answered:
            path = f"/pacts/provider/Bar/consumer/Foo/version/{version}"
            assert again.get(path).status_code == 200


def test_kills_at_random_moments_lose_nothing_that_was_accepted(
    tmp_path: Path, pact: dict[str, Any], target: Target
) -> None:
    moments = random.Random(3)
    answered: dict[str, dict[str, Any]] = {}
    options = (*OPEN, "--webhook-retry-seconds", ",".join(["0.05"] * 200))
    hook = webhook(
        f"{target.url}/hook",
        "contract_published",
        "provider_verification_published",
        body="${pactbroker.eventName} ${pactbroker.consumerName} ${pactbroker.consumerVersionNumber}",
    )
    target.status = 503
    broker = BrokerProcess(tmp_path, *options)
    for life in range(3):
        broker.start()
        if life == 0:
            create(broker, hook)
        accepted_before, enough = len(answered), moments.randint(5, 25)
        publishers = [
            threading.Thread(
                target=publish_until_it_is_gone, args=[broker, pact, f"{life} {number}", answered]
            )
            for number in range(4)
        ]
        for one in publishers:
            one.start()
        until(lambda: len(answered) - accepted_before >= enough)  # noqa: B023 - called in this life
        broker.kill()
        for one in publishers:
            one.join()
    target.status = 200
    with BrokerProcess(tmp_path, *options) as again:
        for name in answered:
            consumer, _, version = name.rpartition(" ")
            assert again.get(f"/pacts/provider/Bar/consumer/{consumer}/version/{version}").status_code == 200
        for result in answered.values():
            assert again.get(urlsplit(result["_links"]["self"]["href"]).path).status_code == 200
        expected = {
            f"{event} {name}"
            for name in answered
            for event in ("contract_published", "provider_verification_published")
        }
        until(lambda: expected <= {one.body for one in list(target.received)})
        until(lambda: pending(again) == 0)
    with sqlite3.connect(again.database) as connection:
        assert connection.execute("pragma integrity_check").fetchall() == [("ok",)]
    connection.close()
    assert "Traceback" not in again.log.read_text()


def publish_until_it_is_gone(
    broker: EmbeddedBroker, pact: dict[str, Any], consumer: str, answered: dict[str, dict[str, Any]]
) -> None:
    """Publish version after version, each with a result, and keep what was answered."""
    with requests.Session() as session, suppress(requests.RequestException):
        session.trust_env = False
        mine = {**pact, "consumer": {"name": consumer}}
        for version in range(100_000):
            path = f"{broker.url}/pacts/provider/Bar/consumer/{consumer}/version/{version}"
            published = session.put(path, json={**mine, "x": version}, timeout=30)
            assert published.status_code == 201, published.text
            results = published.json()["_links"]["pb:publish-verification-results"]["href"]
            result = session.post(
                results, json={"success": True, "providerApplicationVersion": "9"}, timeout=30
            )
            assert result.status_code == 201, result.text
            answered[f"{consumer} {version}"] = result.json()


def pending(broker: EmbeddedBroker) -> int:
    """Return how many deliveries are still to be made, read beside the broker."""
    connection = sqlite3.connect(f"file:{broker.database}?mode=ro", uri=True)
    query = "select count(*) from triggered_webhooks where status in ('not_run', 'retrying')"
    (count,) = connection.execute(query).fetchone()
    connection.close()
    return int(count)


def until(holds: Callable[[], bool]) -> None:
    """Wait until something holds; fail after 60 seconds."""
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline
        threading.Event().wait(0.02)


def test_the_death_of_the_worker_alone_is_survived(
    tmp_path: Path, pact: dict[str, Any], target: Target
) -> None:
    with BrokerProcess(tmp_path, *OPEN) as broker:
        hook = create(broker, webhook(f"{target.url}/slow"))
        broker.publish(pact, "1")
        target.wait_for(1)
        broker.request("PUT", f"/webhooks/{hook['uuid']}", json=webhook(f"{target.url}/hook"))
        (worker,) = psutil.Process(broker.process.pid).children()
        os.kill(worker.pid, signal.SIGKILL)
        target.wait_for(2)


def test_a_slow_target_holds_up_neither_publishing_nor_others_nor_the_stop(
    tmp_path: Path, pact: dict[str, Any], target: Target
) -> None:
    with BrokerProcess(tmp_path, *OPEN) as broker:
        create(broker, webhook(f"{target.url}/slow"))
        create(broker, webhook(f"{target.url}/quick"))
        for version in ("1", "2", "3"):
            broker.publish(pact, version)
        # Of the slow ones, two are under way at a time.
        assert sorted(one.path for one in target.wait_for(5)) == ["/quick"] * 3 + ["/slow"] * 2
        assert broker.stop() == 0  # while these still wait for their answers
        assert broker.log.read_text() == ""


def test_a_target_that_does_not_answer_in_time_has_failed(target: Target) -> None:
    settings = WebhookSettings(hosts=("127.0.0.1",), schemes=("http",), timeout_seconds=0.2)
    made = attempt(Template("POST", f"{target.url}/slow", {}), {}, {}, {}, settings, uuid="x")
    assert not made.success
    assert made.error == "No answer within 0.2 seconds"


def test_what_is_not_allowed_any_more_is_not_sent(
    tmp_path: Path, pact: dict[str, Any], target: Target
) -> None:
    with EmbeddedBroker(tmp_path, *OPEN) as broker:
        create(broker, webhook(f"{target.url}/hook"))
    with EmbeddedBroker(tmp_path, "--webhook-retry-seconds", "none") as closed:
        closed.publish(pact, "1")
        (delivery,) = wait_for(closed, all_are("failure"))
        (only,) = logs(closed, delivery)
    assert "The request was not sent: scheme must be https" in only["logs"]
    assert target.received == []


def test_a_deleted_webhook_delivers_nothing_more_and_its_logs_stay(
    tmp_path: Path, pact: dict[str, Any], target: Target
) -> None:
    with EmbeddedBroker(tmp_path, *LATER) as broker:
        hook = create(broker, webhook(f"{target.url}/status/500"))
        broker.publish(pact, "1")
        (delivery,) = wait_for(broker, all_are("retrying"))
        assert broker.request("DELETE", f"/webhooks/{hook['uuid']}").status_code == 204
        assert wait_for(broker, lambda found: not found) == []
        texts = [one["logs"] for one in logs(broker, delivery)]
    assert len(texts) == 2
    assert texts[1] == "Webhook was deleted before it was delivered\n"


@pytest.mark.parametrize("path", ["/slow", "/slow/to-fail"])
def test_a_webhook_deleted_amid_a_delivery_delivers_that_and_no_more(
    tmp_path: Path, pact: dict[str, Any], target: Target, path: str
) -> None:
    target.status = 200 if path == "/slow" else 500
    with BrokerProcess(tmp_path, *FAST) as broker:
        hook = create(broker, webhook(f"{target.url}{path}"))
        broker.publish(pact, "1")
        target.wait_for(1)
        (delivery,) = wait_for(broker, all_are("not_run"))
        assert broker.request("DELETE", f"/webhooks/{hook['uuid']}").status_code == 204
        target.answer_the_slow()
        until(lambda: len(logs(broker, delivery)) == 2)
        until(lambda: pending(broker) == 0)
        texts = [one["logs"] for one in logs(broker, delivery)]
        assert broker.log.read_text() == ""
    assert texts[0] == "Webhook was deleted before it was delivered\n"
    last = "Successfully executed webhook" if path == "/slow" else "Webhook execution failed after 1 attempts"
    assert last in texts[1]
    assert len(target.received) == 1


def test_each_publication_is_delivered_once_to_each_webhook(
    tmp_path: Path, pact: dict[str, Any], target: Target
) -> None:
    with EmbeddedBroker(tmp_path, *OPEN) as broker:
        for name in ("a", "b"):
            create(broker, webhook(f"{target.url}/{name}"))
        for version in range(10):
            broker.publish(pact, str(version))
        target.wait_for(20)
        wait_for(broker, all_are("success"))
    numbers = [(one.path, json.loads(one.body)["pact"]) for one in target.received]
    assert len(numbers) == len(set(numbers)) == 20


def test_half_an_answer_is_none(target: Target) -> None:
    settings = WebhookSettings(hosts=("127.0.0.1",), schemes=("http",))
    made = attempt(Template("POST", f"{target.url}/cut", {}), {}, {}, {}, settings, uuid="x")
    assert (made.success, made.answer) == (False, None)
    assert made.error is not None
    assert "127.0.0.1" in made.error


def test_a_pact_deleted_meanwhile_ends_its_deliveries(
    tmp_path: Path, pact: dict[str, Any], target: Target
) -> None:
    with BrokerProcess(tmp_path, *OPEN) as broker:
        create(broker, webhook(f"{target.url}/slow"))
        broker.publish(pact, "1")
        target.wait_for(1)
        assert broker.request("DELETE", "/pacts/provider/Bar/consumer/Foo/version/1").status_code == 200
        target.answer_the_slow()
        broker.publish(pact, "2")
        wait_for(broker, all_are("success"))
        assert broker.log.read_text() == ""


def test_a_long_answer_is_cut_off(target: Target) -> None:
    settings = WebhookSettings(hosts=("127.0.0.1",), schemes=("http",))
    body = "x" * (2 * MAX_ANSWER_BYTES)
    made = attempt(Template("POST", f"{target.url}/echo", {}, body), {}, {}, {}, settings, uuid=None)
    assert made.success
    assert made.answer is not None
    assert len(made.answer.text) == MAX_ANSWER_BYTES


def make_due(broker: EmbeddedBroker, at: float) -> None:
    """Make everything due at that time, in seconds since 1970."""
    connection = sqlite3.connect(broker.database)
    with connection:
        connection.execute("UPDATE triggered_webhooks SET due_at = ?", [at])
    connection.close()


def test_a_target_that_never_answers_does_not_hold_up_other_webhooks(
    tmp_path: Path, pact: dict[str, Any], target: Target
) -> None:
    with EmbeddedBroker(tmp_path, *LATER) as broker:
        create(broker, webhook(f"{target.url}/slow"))
        for number in range(20):
            broker.publish(pact, str(number))
        create(broker, webhook(f"{target.url}/quick"))
        broker.publish(pact, "20")
        received = target.wait_for(3)
        target.answer_the_slow()
    assert sorted(one.path for one in received) == ["/quick", "/slow", "/slow"]
