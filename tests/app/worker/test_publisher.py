"""Publishing, whatever comes in between: no database and no broker."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from app.records.run_log import RunLog
from tests.support.worker_parts import SECRET, Changes, a_run, passed, publisher
from verifier.errors import PublishFailed

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
