"""Publishing, whatever comes in between: no database and no broker."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from app.records.run_log import RunLog
from broker.http.access import BrokerAccess
from tests.support.raw_server import RawServer
from tests.support.worker_parts import SECRET, Changes, a_run, passed, publisher
from verifier.errors import PublishFailed
from verifier.publishing import publish

if TYPE_CHECKING:
    from app.records.run import Failure


def not_published(changes: Changes) -> tuple[Failure, float | None]:
    name, (_, failure), options = changes.made[-1]
    assert name == "not_published"
    return failure, options["wait"]


@pytest.mark.parametrize(
    ("error", "kind", "message", "wait"),
    [
        (PublishFailed("the broker is away", retryable=True), "not-published", "the broker is away", 5),
        (PublishFailed("403", retryable=False), "not-published", "403", None),
        (ValueError(f"Invalid URL {SECRET}"), "internal-error", "ValueError: Invalid URL ***", 5),
    ],
)
def test_a_result_that_is_not_taken_is_tried_again_unless_that_can_not_help(
    error: Exception, kind: str, message: str, wait: float | None
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise error

    run = a_run(publishing="pending")
    changes = Changes(run)
    asyncio.run(publisher(changes, publish=fail).publish(run, passed(run), RunLog(1000), resumed=False))
    failure, waits = not_published(changes)
    assert (failure.kind, failure.message, waits) == (kind, message, wait)


@pytest.mark.parametrize("drip", ["headers", "body", "refusal"])
def test_a_broker_that_drips_gives_the_place_free_in_time(monkeypatch: pytest.MonkeyPatch, drip: str) -> None:
    monkeypatch.setattr("app.worker.publisher.PUBLISH_SECONDS", 0.3)
    with RawServer.dripping(drip) as broker:
        run = a_run(publishing="pending")
        changes = Changes(run)
        verification = replace(passed(run), links={"publish": f"{broker.url}/results"})
        drips = publisher(changes, publish=publish, access=BrokerAccess(broker.url))
        asyncio.run(drips.publish(run, verification, RunLog(1000), resumed=False))
    failure, wait = not_published(changes)
    assert "no whole answer within" in failure.message or "out of time" in failure.message
    assert (failure.kind, wait) == ("not-published", 5)


@pytest.mark.parametrize(("attempts", "seconds"), [(0, 10), (1, 20), (4, 50), (5, 60), (100, 60)])
def test_a_later_attempt_to_publish_has_more_time(attempts: int, seconds: float) -> None:
    given: list[float] = []

    def fail(*_: Any, deadline: float, **__: Any) -> None:
        given.append(deadline - time.monotonic())
        raise PublishFailed("slow", retryable=True)

    run = a_run(publishing="pending", publish_attempts=attempts)
    changes = Changes(run)
    asyncio.run(publisher(changes, publish=fail).publish(run, passed(run), RunLog(1000), resumed=False))
    assert given == [pytest.approx(seconds, abs=5)]


def test_what_nobody_expected_is_not_tried_for_ever() -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise ValueError("never")

    run = a_run(publishing="pending", publish_attempts=3600 // 5 + 1)
    changes = Changes(run)
    asyncio.run(publisher(changes, publish=fail).publish(run, passed(run), RunLog(1000), resumed=False))
    assert not_published(changes)[1] is None


@pytest.mark.parametrize("saved", [None, {}, {"schema_version": 99}])
def test_a_stored_verification_that_can_not_be_read_ends_the_run(saved: Any) -> None:
    run = a_run(publishing="pending")
    changes = Changes(run)
    asyncio.run(publisher(changes, saved=saved).publish_stored(run, RunLog(1000)))
    failure, wait = not_published(changes)
    assert (failure.kind, wait) == ("internal-error", None)
    assert "the stored verification can't be read" in failure.message


def test_a_stored_verification_is_published() -> None:
    run = a_run(publishing="pending")
    changes = Changes(run)
    asyncio.run(publisher(changes, saved=passed(run).to_dict()).publish_stored(run, RunLog(1000)))
    assert changes.names == ["published"]
