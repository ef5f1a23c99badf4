"""A run for every pact of a provider: a real database, and a child that is none."""

from __future__ import annotations

import asyncio
import random
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from app.dispatch import Dispatch
from app.intake import run_actions
from app.queue.consumer import TakenJob
from app.records import pact_runs, run_changes, runs
from app.records.actions import Doer, Via
from app.records.run import UNSTORABLE, Failure, Publishing, RunStatus
from app.records.run_changes import RunChanges
from app.records.run_log import text_of_log
from app.worker.child_pool import ChildFailed
from app.worker.chores import completion
from app.worker.executor import Executor
from app.worker.protocol import AllVerified, PactVerified, from_line, to_line
from tests.support.receiver import wait_until
from tests.support.worker_parts import BROKER, INPUTS, SETTINGS, Changes, a_run, passed, publisher
from verifier.errors import ErrorKind
from verifier.verification import Outcome, VerificationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from uuid import UUID

    from psycopg import Connection

    from app.records.run import Run
    from app.worker.protocol import AttemptRequest

AWAY = VerificationError(ErrorKind.PROVIDER_NOT_READY, "the provider is away", retryable=True)
LONG_NAME = "".join(random.Random(1).choices("abcdefghijklmnopqrstuvwxyz0123456789", k=6000))
NO_PACT = VerificationError(ErrorKind.NOT_A_PACT, "it is not a pact", retryable=False)


@pytest.fixture
def database(database_url: str) -> Iterator[Connection[Any]]:
    with psycopg.connect(database_url, autocommit=True) as connection:
        yield connection


class Database:
    """Calls functions with one connection."""

    def __init__(self, connection: Connection[Any]) -> None:
        self._connection = connection

    async def call(self, function: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        with self._connection.transaction():
            return function(self._connection, *arguments, **options)


class Child:
    """Sends what it is given, one list of messages for each attempt; it is its own pool."""

    def __init__(self, *attempts: list[Any]) -> None:
        self._attempts = list(attempts)
        self.asked: list[AttemptRequest] = []

    async def take(self) -> Child:
        return self

    async def put_back(self, _: Any, *, usable: bool) -> None: ...

    async def carry_out(self, request: AttemptRequest, on_message: Callable[[Any], None]) -> Any:
        self.asked.append(request)
        *messages, last = self._attempts[len(self.asked) - 1]
        for message in messages:
            on_message(from_line(to_line(message)))
            await asyncio.sleep(0)
        if isinstance(last, Exception):
            raise last
        return last


def pact(
    consumer: str,
    outcome: Outcome = Outcome.PASSED,
    *,
    error: VerificationError | None = None,
    pending: bool = False,
    version: str = "1",
) -> PactVerified:
    url = f"{BROKER}/pacts/provider/P/consumer/{consumer}/pact-version/1"
    verification = replace(passed(a_run(pact_url=url)), consumer=consumer, provider_version=version)
    if outcome is Outcome.FAILED:
        (result,) = verification.interactions
        verification = replace(verification, interactions=(replace(result, outcome=outcome),))
    if error is not None:
        verification = replace(verification, interactions=(), error=error)
    return PactVerified(verification, pending)


def a_change(database: Connection[Any], sha: str | None = None) -> UUID:
    asked = Dispatch("acme/p", "provider_changed", None, sha, "main")
    return run_changes.request(database, "P", asked, lock="provider P")[0]


def carry_out(database: Connection[Any], run_id: UUID, child: Child) -> Run:
    """Carry out one attempt, and return the run as it then is."""
    run = stored(database, run_id)
    assert run.job_id is not None
    changes = RunChanges()
    parts = Executor(
        SETTINGS,
        database=Database(database),
        changes=changes,
        children=child,  # type: ignore[arg-type]
        publisher=publisher(Changes(run)),
        worker="worker",
        inputs=INPUTS,
    )
    asyncio.run(parts.carry_out(run_id, TakenJob(run.job_id)))
    return stored(database, run_id)


def stored(database: Connection[Any], run_id: UUID) -> Run:
    run = runs.get(database, run_id)
    assert run is not None
    return run


def members(database: Connection[Any], run_id: UUID) -> list[tuple[Any, ...]]:
    return [
        (member.consumer, member.outcome, member.publishing, member.status)
        for member in pact_runs.of_parent(database, run_id)
    ]


def test_each_pact_gets_a_run_of_its_own_whose_result_a_job_publishes(database: Connection[Any]) -> None:
    run_id = a_change(database)
    child = Child([pact("A"), pact("B", Outcome.FAILED), AllVerified(2)])
    run = carry_out(database, run_id, child)
    assert (run.status, run.outcome, run.publishing) == (
        RunStatus.FINISHED,
        Outcome.FAILED,
        Publishing.NONE,
    )
    assert (run.interactions, run.failed_interactions, run.provider_version) == (2, 1, "1")
    assert members(database, run_id) == [
        ("A", Outcome.PASSED, Publishing.PENDING, RunStatus.FINISHED),
        ("B", Outcome.FAILED, Publishing.PENDING, RunStatus.FINISHED),
    ]
    jobs = database.execute("SELECT id FROM procrastinate_jobs WHERE task_name = 'publish'").fetchall()
    assert {job for (job,) in jobs} == {member.job_id for member in pact_runs.of_parent(database, run_id)}
    assert text_of_log(database, run_id).endswith("Outcome of 2 pacts: failed")


def test_a_pending_pact_that_fails_does_not_fail_the_run(database: Connection[Any]) -> None:
    run_id = a_change(database)
    child = Child([pact("A"), pact("B", Outcome.FAILED, pending=True), AllVerified(2)])
    assert carry_out(database, run_id, child).outcome is Outcome.PASSED
    assert [member.pending for member in pact_runs.of_parent(database, run_id)] == [False, True]


def test_a_provider_without_pacts_has_passed(database: Connection[Any]) -> None:
    run = carry_out(database, a_change(database), Child([AllVerified(0)]))
    assert (run.status, run.outcome, run.interactions) == (RunStatus.FINISHED, Outcome.PASSED, 0)


@pytest.mark.parametrize(
    "ending",
    [
        [pact("B", error=AWAY), AllVerified(2)],
        [Failure("provider-died", "the provider died", retryable=True)],
        [ChildFailed(Failure("engine-failed", "killed by SIGKILL", retryable=True))],
    ],
)
def test_what_was_verified_is_kept_and_left_out_the_next_time(
    database: Connection[Any], ending: list[Any]
) -> None:
    run_id = a_change(database)
    child = Child([pact("A"), *ending], [pact("B"), AllVerified(1)])
    waiting = carry_out(database, run_id, child)
    assert (waiting.status, waiting.failures) == (RunStatus.WAITING, 1)
    assert members(database, run_id) == [("A", Outcome.PASSED, Publishing.PENDING, RunStatus.FINISHED)]

    run = carry_out(database, run_id, child)
    assert (run.status, run.outcome) == (RunStatus.FINISHED, Outcome.PASSED)
    assert [member[:2] for member in members(database, run_id)] == [
        ("A", Outcome.PASSED),
        ("B", Outcome.PASSED),
    ]
    assert [request.done for request in child.asked] == [
        (),
        ((f"{BROKER}/pacts/provider/P/consumer/A/pact-version/1", "1"),),
    ]


def test_a_pact_that_can_never_be_verified_is_told_with_the_others(database: Connection[Any]) -> None:
    run_id = a_change(database)
    run = carry_out(database, run_id, Child([pact("A", error=NO_PACT), pact("B"), AllVerified(2)]))
    assert (run.status, run.outcome, run.error_kind) == (
        RunStatus.FINISHED,
        Outcome.ERROR,
        "not-all-verified",
    )
    assert run.error == "1 pact could not be verified. The first: it is not a pact"
    assert members(database, run_id) == [
        ("B", Outcome.PASSED, Publishing.PENDING, RunStatus.FINISHED),
        ("A", Outcome.ERROR, Publishing.NONE, RunStatus.FINISHED),
    ]


def test_a_broken_contract_counts_more_than_a_pact_that_could_not_be_verified(
    database: Connection[Any],
) -> None:
    run_id = a_change(database)
    child = Child([pact("A", error=NO_PACT), pact("B", Outcome.FAILED), AllVerified(2)])
    assert carry_out(database, run_id, child).outcome is Outcome.FAILED


def test_the_last_attempt_ends_with_what_is_known(database: Connection[Any]) -> None:
    run_id = a_change(database)
    died = Failure("provider-died", "the provider died", retryable=True)
    child = Child([pact("A"), died], [died], [died])
    for _ in range(3):
        run = carry_out(database, run_id, child)
    assert (run.status, run.outcome, run.error) == (
        RunStatus.FINISHED,
        Outcome.ERROR,
        "the provider died",
    )
    assert len(members(database, run_id)) == 1


def test_a_newer_commit_leaves_out_nothing_that_an_older_one_verified(database: Connection[Any]) -> None:
    run_id = a_change(database, "a" * 40)
    away = Failure("provider-died", "the provider died", retryable=True)
    child = Child(
        [pact("A", Outcome.FAILED, version="a" * 40), away], [pact("A", version="b" * 40), AllVerified(1)]
    )
    carry_out(database, run_id, child)
    assert a_change(database, "b" * 40) == run_id
    assert stored(database, run_id).failures == 0
    assert carry_out(database, run_id, child).outcome is Outcome.PASSED


def test_what_an_older_commit_had_is_no_outcome_of_a_newer_one(database: Connection[Any]) -> None:
    run_id = a_change(database, "a" * 40)
    died = Failure("provider-died", "the provider died", retryable=True)
    child = Child(
        [pact("A", Outcome.FAILED, version="a" * 40), died],
        [Failure("setup-failed", "it can't be built", retryable=False)],
    )
    carry_out(database, run_id, child)
    assert a_change(database, "b" * 40) == run_id
    run = carry_out(database, run_id, child)
    assert (run.outcome, run.error, run.provider_version) == (Outcome.ERROR, "it can't be built", None)
    assert text_of_log(database, run_id).endswith("Outcome of 0 pacts: error: it can't be built")


def test_a_pact_with_what_a_database_cannot_store_keeps_no_other_from_being_stored(
    database: Connection[Any],
) -> None:
    run_id = a_change(database)
    odd = pact("A")
    (result,) = odd.verification.interactions
    odd = replace(
        odd,
        verification=replace(
            odd.verification,
            consumer="A\0\ud800",
            interactions=(replace(result, description="NUL \0, half \ud800"),),
        ),
    )
    run = carry_out(database, run_id, Child([odd, pact("B"), AllVerified(2)]))
    assert (run.status, run.outcome) == (RunStatus.FINISHED, Outcome.PASSED)
    assert len(members(database, run_id)) == 2


def test_a_change_without_a_commit_takes_none_from_a_push_that_waits(database: Connection[Any]) -> None:
    run_id = a_change(database, "a" * 40)
    assert a_change(database) != run_id
    assert stored(database, run_id).sha == "a" * 40


def test_a_run_that_a_newer_push_replaces_is_cancelled_and_no_failure(database: Connection[Any]) -> None:
    run_id = a_change(database, "a" * 40)
    later: list[UUID] = []

    class Replaced(Child):
        async def carry_out(self, request: AttemptRequest, on_message: Callable[[Any], None]) -> Any:
            later.append(a_change(database, "b" * 40))
            return await super().carry_out(request, on_message)

    died = Failure("provider-died", "the provider died", retryable=True)
    run = carry_out(database, run_id, Replaced([pact("A"), pact("B", error=AWAY), died]))
    assert (run.status, run.outcome, run.error_kind) == (RunStatus.CANCELLED, None, "superseded")
    sentence = (
        f"Commit {'b' * 12} was asked for meanwhile: run {later[0]} verifies it, so this run is not tried again. "
        "The last attempt ended with: the provider died"
    )
    assert run.error == sentence
    log = text_of_log(database, run_id)
    assert log.endswith(f" {sentence}")
    assert "Tried again" not in log
    assert members(database, run_id) == [("A", Outcome.PASSED, Publishing.PENDING, RunStatus.FINISHED)]
    counted = database.execute("SELECT outcome FROM uncounted_runs WHERE outcome <> 'passed'").fetchall()
    assert counted == [("cancelled",)]
    assert (stored(database, later[0]).status, stored(database, later[0]).sha) == (
        RunStatus.WAITING,
        "b" * 40,
    )


def test_the_log_of_a_run_that_is_tried_again_says_when(database: Connection[Any]) -> None:
    run_id = a_change(database)
    carry_out(database, run_id, Child([Failure("provider-died", "the provider died", retryable=True)]))
    assert "Tried again in " in text_of_log(database, run_id).splitlines()[-1]


@pytest.mark.parametrize("name", ["consumer", "consumer_version", "pact_url"])
def test_a_pact_whose_names_a_database_cannot_store_keeps_no_other_from_being_stored(
    database: Connection[Any], name: str
) -> None:
    run_id = a_change(database)
    long: Any = {name: LONG_NAME}
    odd = pact("A")
    odd = replace(odd, verification=replace(odd.verification, **long))
    run = carry_out(database, run_id, Child([odd, pact("B"), AllVerified(2)]))
    assert run.status is RunStatus.FINISHED
    assert ("B", Outcome.PASSED, Publishing.PENDING, RunStatus.FINISHED) in members(database, run_id)
    if run.outcome is Outcome.ERROR:
        assert run.error is not None
        assert "1 pact could not be verified" in run.error
        assert [(one.outcome, one.error_kind) for one in pact_runs.of_parent(database, run_id)][-1] == (
            Outcome.ERROR,
            UNSTORABLE,
        )


def test_a_broken_contract_counts_although_a_later_attempt_can_not_begin(
    database: Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = a_change(database)
    died = Failure("provider-died", "the provider died", retryable=True)
    carry_out(database, run_id, Child([pact("A", Outcome.FAILED), died]))

    def without_secret(*_: Any) -> AttemptRequest:
        raise ValueError("PASSWORD is not set")

    monkeypatch.setattr(INPUTS, "request", without_secret)
    for _ in range(2):
        run = carry_out(database, run_id, Child())
    assert (run.status, run.outcome) == (RunStatus.FINISHED, Outcome.FAILED)
    assert run.error == "a secret of the provider is missing: PASSWORD is not set"


def test_an_attempt_that_another_worker_has_taken_over_stores_nothing(database: Connection[Any]) -> None:
    run_id = a_change(database)

    class Frozen(Child):
        async def carry_out(self, request: AttemptRequest, on_message: Callable[[Any], None]) -> Any:
            database.execute("UPDATE runs SET attempt = attempt + 1 WHERE id = %s", [run_id])
            return await super().carry_out(request, on_message)

    run = carry_out(database, run_id, Frozen([pact("A"), AllVerified(1)]))
    assert (run.status, members(database, run_id)) == (RunStatus.RUNNING, [])


def test_a_run_whose_worker_had_gone_before_all_was_told_is_brought_to_its_end(
    database: Connection[Any],
) -> None:
    run_id = a_change(database)
    carry_out(database, run_id, Child([pact("A"), pact("B"), AllVerified(2)]))
    database.execute("UPDATE runs SET finished_at = now() - interval '1 minute'")
    assert pact_runs.incomplete_parents(database) == []  # its results are still to be published
    database.execute("UPDATE runs SET publishing = 'published' WHERE parent_id IS NOT NULL")
    assert pact_runs.incomplete_parents(database) == [run_id]

    completed = []

    async def complete(found: UUID) -> None:
        completed.append(found)
        pact_runs.complete_parent(database, found)

    [chore] = completion(Database(database).call, complete)
    asyncio.run(chore.do())
    asyncio.run(chore.do())
    assert completed == [run_id]
    assert stored(database, run_id).publishing is Publishing.PUBLISHED


def test_a_run_whose_result_somebody_has_published_again_while_it_was_completed_is_not_complete(
    database: Connection[Any],
) -> None:
    run_id = a_change(database)
    carry_out(database, run_id, Child([pact("A"), AllVerified(1)]))
    database.execute("UPDATE runs SET publishing = 'refused' WHERE parent_id IS NOT NULL")
    with (
        ThreadPoolExecutor(1) as thread,
        psycopg.connect(database.info.dsn, password=database.info.password) as other,
    ):
        run_actions.publish_again(other, run_id, Doer("ann", Via.DASHBOARD))
        completing = thread.submit(pact_runs.complete_parent, database, run_id)
        waits = (
            "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        wait_until(lambda: completing.done() or other.execute(waits).fetchone(), "it waits for the click")
        other.commit()
        assert completing.result() is None
    assert stored(database, run_id).publishing is Publishing.NONE
    database.execute("UPDATE runs SET publishing = 'published' WHERE parent_id IS NOT NULL")
    assert pact_runs.complete_parent(database, run_id) is not None
    assert stored(database, run_id).publishing is Publishing.PUBLISHED
