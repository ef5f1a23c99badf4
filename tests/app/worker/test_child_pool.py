"""Children that can't be started."""

from __future__ import annotations

import asyncio
import os
from typing import Any

import pytest
from structlog.testing import capture_logs

from app.worker import child_pool
from app.worker.child_pool import ChildFailed, Children
from broker.http.waits import RetryPlan


def failing(monkeypatch: pytest.MonkeyPatch, times: int) -> asyncio.Event:
    """Have no process started for some times; what is returned is set when one is."""
    start, tried, started = asyncio.create_subprocess_exec, 0, asyncio.Event()

    async def fail(*arguments: Any, **options: Any) -> Any:
        nonlocal tried
        tried += 1
        if tried <= times:
            raise BlockingIOError(11, "Resource temporarily unavailable")
        started.set()
        return await start(*arguments, **options)

    monkeypatch.setattr(asyncio, "create_subprocess_exec", fail)
    monkeypatch.setattr(child_pool, "START_RETRIES", RetryPlan((0.01,), 60))
    return started


def test_a_child_that_can_not_be_started_ahead_of_time_is_seen_and_tried_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    started = failing(monkeypatch, times=2)

    async def fill() -> None:
        children = Children(dict(os.environ), warm=1, keep=1)
        children.fill()
        await asyncio.wait_for(started.wait(), 60)
        await children.close()

    with capture_logs() as logs:
        asyncio.run(fill())
    events = [entry for entry in logs if entry["event"] == "child not started"]
    assert len(events) == 2
    assert "Resource temporarily unavailable" in events[0]["error"]


def test_a_run_without_a_child_may_be_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    failing(monkeypatch, times=1)
    with pytest.raises(ChildFailed) as caught:
        asyncio.run(Children({}, warm=0, keep=1).take())
    assert (caught.value.failure.kind, caught.value.failure.retryable) == ("engine-failed", True)


@pytest.mark.process
def test_a_child_that_is_not_used_again_has_ended_when_it_is_put_back() -> None:
    async def use() -> bool:
        children = Children(dict(os.environ), warm=0, keep=1)
        child = await children.take()
        await children.put_back(child, usable=False)
        ended = child.worn
        await children.close()
        return ended

    assert asyncio.run(use())
