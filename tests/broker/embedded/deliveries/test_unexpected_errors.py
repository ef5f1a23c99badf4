"""Whatever goes wrong in a delivery, it ends with a reason, and the other deliveries go on."""

from __future__ import annotations

import math
import sqlite3
from typing import TYPE_CHECKING, Any

import pytest

from broker.embedded.deliveries import threads
from broker.embedded.deliveries.attempt import Attempt
from broker.http.waits import RetryPlan
from tests.support.processes import EmbeddedBroker
from tests.support.webhook_documents import OPEN, all_are, create, logs, wait_for, webhook
from tests.support.webhook_target import Target

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

RETRIES = ("--webhook-retry-seconds", ",".join(["0.01"] * (threads.THREADS + 1)))


@pytest.fixture
def target() -> Iterator[Target]:
    with Target() as listening:
        yield listening


def change(broker: EmbeddedBroker, statement: str) -> None:
    connection = sqlite3.connect(broker.database)
    with connection:
        connection.execute(statement)
    connection.close()


def test_a_delivery_that_can_not_be_read_ends_with_a_reason_after_the_ordinary_tries(
    tmp_path: Path, pact: dict[str, Any], target: Target, caplog: pytest.LogCaptureFixture
) -> None:
    with EmbeddedBroker(tmp_path, *OPEN, "--webhook-delay", "3600") as broker:
        create(broker, webhook(f"{target.url}/hook"))
        broker.publish(pact, "1")
    change(broker, "UPDATE triggered_webhooks SET due_at = 0, variables = '{secret'")
    with EmbeddedBroker(tmp_path, *OPEN, *RETRIES) as broker:
        (delivery,) = wait_for(broker, all_are("failure"))
        attempts = logs(broker, delivery)
        assert delivery["attemptsMade"] == len(attempts) == threads.THREADS + 2
        reason = "The delivery ended with an unexpected error (JSONDecodeError): see the broker's own log\n"
        assert attempts[0]["logs"] == f"{reason}Retrying webhook in 0.01 seconds\n"
        assert attempts[-1]["logs"].startswith(reason)
        assert not target.received
        broker.publish(pact | {"metadata": {}}, "2")
        target.wait_for(1)
    assert "A delivery ended unexpectedly: JSONDecodeError" in caplog.text
    assert "{secret" not in caplog.text


def test_a_request_is_not_sent_again_while_its_outcome_can_not_be_stored(
    tmp_path: Path,
    pact: dict[str, Any],
    target: Target,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(threads, "STORE_AGAIN", RetryPlan((0.01,), math.inf))
    with EmbeddedBroker(tmp_path, *OPEN) as broker:
        create(broker, webhook(f"{target.url}/hook"))
        change(
            broker,
            "CREATE TRIGGER full BEFORE INSERT ON webhook_executions BEGIN SELECT RAISE(ABORT, 'disk is full'); END",
        )
        broker.publish(pact, "1")
        while caplog.text.count("can't be stored for now: disk is full") < 3:
            pass
        change(broker, "DROP TRIGGER full")
        wait_for(broker, all_are("success"))
    assert len(target.received) == 1


def test_an_outcome_that_can_not_be_stored_is_a_failure_with_a_reason(
    tmp_path: Path, pact: dict[str, Any], target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(threads, "STORE_AGAIN", RetryPlan((0.01,), math.inf))
    monkeypatch.setattr(Attempt, "logs", lambda *_: "half of a pair: \ud800")
    with EmbeddedBroker(tmp_path, *OPEN, "--webhook-retry-seconds", "3600") as broker:
        create(broker, webhook(f"{target.url}/hook"))
        broker.publish(pact, "1")
        (delivery,) = wait_for(broker, all_are("retrying"))
        (attempt,) = logs(broker, delivery)
    assert attempt["logs"].startswith("The delivery ended with an unexpected error (UnicodeEncodeError)")


def test_no_thread_ends_by_what_happens_while_it_looks_for_work(
    tmp_path: Path, pact: dict[str, Any], target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(threads, "WAIT_AFTER_ERROR_SECONDS", 0.01)
    failures = iter([ValueError("one"), OSError("two"), RuntimeError("three")] * threads.THREADS)
    real = threads.Deliveries._claim

    def claim(deliveries: threads.Deliveries) -> int | None:
        for error in failures:
            raise error
        return real(deliveries)

    monkeypatch.setattr(threads.Deliveries, "_claim", claim)
    with EmbeddedBroker(tmp_path, *OPEN) as broker:
        create(broker, webhook(f"{target.url}/hook"))
        broker.publish(pact, "1")
        wait_for(broker, all_are("success"))
