"""One attempt of a run, whatever comes in between: no database, no broker and no child process."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import psycopg
import pytest

from app.queue.consumer import TakenJob
from app.records.run import Failure
from tests.support.worker_parts import SECRET, Changes, OneChild, a_run, executor

if TYPE_CHECKING:
    from app.records.run import Run


def carry_out(changes: Changes, child: OneChild | None = None, *, losses: int = 0) -> tuple[Any, ...]:
    """Carry out an attempt; returns the last change's name and what was given."""
    run_id = changes.run.id if changes.run else uuid4()
    asyncio.run(executor(changes, child).carry_out(run_id, TakenJob(1, losses)))
    return changes.made[-1]


def ended_with(run: Run, child: OneChild, **failing: Exception) -> tuple[str, Failure, float | None]:
    """Carry out an attempt; returns what became of the run, and why."""
    name, (_, failure), options = carry_out(Changes(run, **failing), child)
    return name, failure, options.get("wait")


def test_a_verified_result_is_stored_and_published() -> None:
    changes = Changes(a_run())
    name, (_, url), _ = carry_out(changes)
    assert changes.names == ["begin", "verified", "published"]
    assert (name, url) == ("published", "http://broker.example.org/results/1")


@pytest.mark.parametrize(
    ("failures", "name", "wait"), [(0, "try_again", 10), (1, "try_again", 30), (2, "fail", None)]
)
def test_what_nobody_expected_ends_the_attempt_with_a_reason_after_the_ordinary_tries(
    failures: int, name: str, wait: float | None
) -> None:
    child = OneChild(RuntimeError(f"nobody thought of {SECRET}"))
    found, failure, waits = ended_with(a_run(failures=failures), child)
    assert (found, waits) == (name, wait)
    assert (failure.kind, failure.message) == ("internal-error", "RuntimeError: nobody thought of ***")
    assert child.usable == [False]


def test_a_result_that_can_not_be_stored_is_a_failure_like_others() -> None:
    slow = psycopg.errors.QueryCanceled("canceling statement due to statement timeout")
    changes = Changes(a_run(failures=2), verified=slow)
    name, (_, failure), _ = carry_out(changes)
    assert (name, failure.kind) == ("fail", "internal-error")
    assert "statement timeout" in failure.message


def test_a_result_that_no_database_can_store_is_not_verified_again() -> None:
    changes = Changes(a_run(), verified=psycopg.errors.ProgramLimitExceeded("index row size 6032 exceeds"))
    name, (_, failure), _ = carry_out(changes)
    assert (name, failure.kind, failure.retryable) == ("fail", "unstorable", False)
    assert failure.message.startswith(
        "what came of it can't be stored: ProgramLimitExceeded: index row size 6032"
    )


def test_attempts_of_workers_that_were_restarted_are_no_failures() -> None:
    away = Failure("provider-not-ready", "the provider is away", retryable=True)
    assert ended_with(a_run(attempt=11), OneChild(away)) == ("try_again", away, 10)


def test_a_run_that_takes_its_workers_down_is_given_up() -> None:
    name, (_, failure), _ = carry_out(Changes(a_run(attempt=26)), losses=25)
    assert (name, failure.kind) == ("fail", "given-up")
    assert failure.message == "given up after 25 attempts, each of which ended with its worker"


def test_a_run_that_can_not_begin_is_asked_why() -> None:
    changes = Changes(a_run())
    changes.run = None
    carry_out(changes)
    assert changes.names == ["begin", "not_begun"]
    given = changes.made[-1][2]
    assert (given["providers"], given["wait"], given["longest_pause"]) == (["P"], 60.0, 3600.0)
    assert given["lock"]("P") == "provider P"


def test_an_attempt_that_is_stopped_while_it_begins_is_handed_back() -> None:
    changes = Changes(a_run())

    async def stop() -> None:
        parts = executor(changes)
        database, begun, go_on = parts._database, asyncio.Event(), asyncio.Event()

        class SlowDatabase:
            async def call(self, function: Any, *arguments: Any, **options: Any) -> Any:
                begun.set()
                await go_on.wait()
                return await database.call(function, *arguments, **options)

        parts._database = SlowDatabase()
        attempt = asyncio.create_task(parts.carry_out(uuid4(), TakenJob(1)))
        await begun.wait()
        attempt.cancel()
        await asyncio.sleep(0)
        go_on.set()
        await asyncio.gather(attempt, return_exceptions=True)
        assert attempt.cancelled()

    asyncio.run(stop())
    assert changes.names == ["begin", "cancelled", "try_again"]
    assert changes.made[-1][1][1] is None  # nothing failed
