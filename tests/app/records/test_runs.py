"""The states of a run, one after another and against each other: a real database, and no worker."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

import psycopg
import pytest

from app.config.sections import WorkerSettings
from app.database.connections import migrate
from app.dispatch import Dispatch
from app.records import run_changes, runs
from app.records.run import Failure
from app.records.run_changes import RunChanges
from app.records.run_log import RunLog, store_log, text_of_log
from app.worker.recovery import Recovery
from tests.support import taking

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID

    from psycopg import Connection

    from app.records.run import Run

CHANGES = RunChanges()
LOCK = "provider P"
AWAY = Failure("provider-not-ready", "the provider is away", retryable=True)
PASSED = {"outcome": "passed", "provider_version": "1", "interactions": []}


@pytest.fixture
def database(database_url: str) -> Iterator[Connection[Any]]:
    with psycopg.connect(database_url, autocommit=True) as connection:
        yield connection


def dispatch(number: int = 1, *, sha: str | None = None, branch: str | None = None) -> Dispatch:
    pact = f"http://broker.example.org/pacts/provider/P/consumer/C/version/{number}"
    return Dispatch("acme/p", "pact_changed", pact, sha, branch)


def request(database: Connection[Any], asked: Dispatch) -> UUID:
    return run_changes.request(database, "P", asked, lock=LOCK)[0]


def begin(database: Connection[Any], run_id: UUID) -> Run:
    """Start an attempt as a worker does."""
    waiting = stored(database, run_id)
    assert waiting.job_id is not None
    run = CHANGES.begin(database, run_id, waiting.job_id, "worker")
    assert run is not None
    return run


def stored(database: Connection[Any], run_id: UUID) -> Run:
    run = runs.get(database, run_id)
    assert run is not None
    return run


def not_begun(
    database: Connection[Any], run: Run, *, providers: tuple[str, ...] | list[str] = ("P",)
) -> Failure | None:
    """Have it noted why an attempt could not begin, as a worker does, and end its job."""
    assert run.job_id is not None
    why = CHANGES.not_begun(
        database,
        run.id,
        run.job_id,
        providers=providers,
        wait=60,
        longest_pause=3600,
        lock=lambda provider: f"provider {provider}",
    )
    end_job(database, run)
    return why


def end_job(database: Connection[Any], run: Run) -> None:
    """Take the job of an attempt out of the queue, as is done when it ends."""
    database.execute("DELETE FROM procrastinate_jobs WHERE id = %s", [run.job_id])


def next_run(database: Connection[Any]) -> UUID | None:
    """Take the next job of the queue; gives its run."""
    worker = database.execute("SELECT worker_id FROM procrastinate_register_worker_v1()").fetchone()
    assert worker is not None
    taken = taking.take(database, worker[0])
    return None if taken is None else taken.run_id


def look(database: Connection[Any]) -> tuple[int, int]:
    return Recovery(CHANGES, WorkerSettings(), lambda _: LOCK).recover(database)


def test_a_dispatch_never_joins_a_run_that_is_being_cancelled(database: Connection[Any]) -> None:
    run = begin(database, request(database, dispatch()))
    CHANGES.cancel(
        database, run.id
    )  # and before its worker hears of that, the attempt comes to nothing by itself

    assert not CHANGES.try_again(database, run, AWAY, wait=600, lock=LOCK)

    assert stored(database, run.id).status == "cancelled"
    assert request(database, dispatch()) != run.id


def test_a_run_that_is_handed_back_after_its_verification_keeps_its_outcome(
    database: Connection[Any],
) -> None:
    run = begin(database, request(database, dispatch()))
    assert CHANGES.verified(database, run, PASSED, publish=True)

    assert CHANGES.try_again(database, run, None, wait=0, lock=LOCK)

    again = begin(database, run.id)
    assert (again.outcome, again.publishing) == ("passed", "pending")


def test_a_run_that_is_given_up_has_nothing_left_to_publish(database: Connection[Any]) -> None:
    run = begin(database, request(database, dispatch()))
    assert CHANGES.verified(database, run, PASSED, publish=True)

    CHANGES.fail(database, run, Failure("given-up", "given up"))

    end_job(database, run)
    assert look(database) == (0, 0)
    ended = stored(database, run.id)
    assert (ended.status, ended.outcome, ended.publishing) == ("finished", "error", "none")


def test_each_branch_of_a_commit_gets_its_result(database: Connection[Any]) -> None:
    of_main, of_feature = (
        request(database, dispatch(sha="abcdef1", branch=branch)) for branch in ("main", "feature")
    )
    assert [stored(database, run_id).branch for run_id in (of_main, of_feature)] == ["main", "feature"]
    assert request(database, dispatch(sha="abcdef1", branch="main")) == of_main


def test_a_run_that_is_asked_for_again_does_not_wait_any_longer(database: Connection[Any]) -> None:
    run = begin(database, request(database, dispatch()))
    CHANGES.try_again(database, run, AWAY, wait=600, lock=LOCK)
    end_job(database, run)
    assert next_run(database) is None

    assert request(database, dispatch()) == run.id

    assert stored(database, run.id).retry_at is None
    assert next_run(database) == run.id


def test_a_run_that_a_later_one_answers_is_cancelled_with_the_reason(database: Connection[Any]) -> None:
    first = begin(database, request(database, dispatch()))
    later = request(database, dispatch())
    assert later != first.id
    assert not CHANGES.try_again(database, first, None, wait=0.0, lock=LOCK)
    ended = stored(database, first.id)
    assert (ended.status, ended.outcome, ended.error_kind) == ("cancelled", None, "superseded")
    assert ended.error == (
        f"The same was asked for again meanwhile: run {later} answers it, so this run is not tried again. "
        "Its worker was stopped"
    )


def test_a_cancelled_run_leaves_no_job_behind(database: Connection[Any]) -> None:
    CHANGES.cancel(database, request(database, dispatch()))
    assert database.execute("SELECT * FROM procrastinate_jobs").fetchall() == []


def test_what_no_database_can_hold_is_kept_readable(database: Connection[Any]) -> None:
    run = begin(database, request(database, dispatch()))
    run_log = RunLog(1000)
    run_log.add("half \ud800 a pair, and \0")
    store_log(database, run, run_log.update())
    CHANGES.fail(database, run, Failure("provider-died", "it said \0", output="\0\ud800"))

    ended = stored(database, run.id)
    assert (ended.error, ended.error_output) == ("it said \ufffd", "\ufffd?")
    assert text_of_log(database, run.id).endswith("half ? a pair, and \ufffd")


def test_a_retry_waits_for_no_other_that_is_due_later(database: Connection[Any]) -> None:
    late, soon = (begin(database, request(database, dispatch(number))) for number in (1, 2))
    CHANGES.try_again(database, late, AWAY, wait=600, lock=LOCK)
    CHANGES.try_again(database, soon, AWAY, wait=30, lock=LOCK)
    for run in (late, soon):
        end_job(database, run)

    pass_time(database, seconds=31)

    assert next_run(database) == soon.id


def test_a_retry_lets_others_go_first_until_it_is_due(database: Connection[Any]) -> None:
    retried = begin(database, request(database, dispatch(1)))
    CHANGES.try_again(database, retried, AWAY, wait=30, lock=LOCK)
    end_job(database, retried)
    first, second = (request(database, dispatch(number)) for number in (2, 3))

    assert next_run(database) == first
    end_job(database, stored(database, first))
    pass_time(database, seconds=31)
    look(database)

    assert next_run(database) == retried.id
    end_job(database, stored(database, retried.id))
    assert next_run(database) == second


def test_a_job_that_ends_while_it_is_taken_for_lost_is_no_failure(
    database: Connection[Any], database_url: str
) -> None:
    request(database, dispatch())
    assert next_run(database) is not None
    database.execute("UPDATE procrastinate_workers SET last_heartbeat = now() - interval '1 minute'")
    database.execute("SET lock_timeout = '2s'")
    with psycopg.connect(database_url) as late_worker:
        late_worker.execute("DELETE FROM procrastinate_jobs")
        assert look(database) == (0, 0)


def pass_time(database: Connection[Any], *, seconds: float) -> None:
    """Have what is scheduled come nearer."""
    database.execute(
        "UPDATE procrastinate_jobs SET scheduled_at = moment, priority = -floor(extract(epoch FROM moment) / 10) "
        "FROM (SELECT id, scheduled_at - %s * interval '1 second' AS moment FROM procrastinate_jobs) AS moved "
        "WHERE moved.id = procrastinate_jobs.id AND scheduled_at IS NOT NULL",
        [seconds],
    )


def test_a_verification_is_read_where_it_is_asked_for_alone(database: Connection[Any]) -> None:
    run = begin(database, request(database, dispatch()))
    results = [{"outcome": outcome} for outcome in ("passed", "failed", "failed")]
    verification = {**PASSED, "outcome": "failed", "interactions": results}

    found = CHANGES.verified(database, run, verification, publish=True)

    assert found is not None
    assert (found.interactions, found.failed_interactions) == (3, 2)
    assert found == stored(database, run.id)
    assert not hasattr(found, "verification")
    assert runs.verification_of(database, run.id) == verification
    assert runs.verification_of(database, uuid4()) is None


def test_what_an_older_version_verified_gets_its_number_of_failed_interactions(
    database: Connection[Any], database_url: str
) -> None:
    run = begin(database, request(database, dispatch()))
    results = [{"outcome": outcome} for outcome in ("passed", "failed", "failed")]
    CHANGES.verified(database, run, {**PASSED, "outcome": "failed", "interactions": results}, publish=True)
    database.execute("ALTER TABLE runs DROP COLUMN failed_interactions")
    database.execute("DELETE FROM schema_versions WHERE name = 'app/0006_failed_interactions.sql'")

    migrate(database_url)

    assert stored(database, run.id).failed_interactions == 2


def test_failures_are_counted_apart_from_attempts(database: Connection[Any]) -> None:
    run = begin(database, request(database, dispatch()))
    for _ in range(10):
        CHANGES.try_again(database, run, None, wait=0, lock=LOCK)  # its worker was stopped
        run = begin(database, run.id)
    assert (run.attempt, run.failures) == (11, 0)

    CHANGES.try_again(database, run, AWAY, wait=0, lock=LOCK)
    run = begin(database, run.id)
    assert (run.attempt, run.failures) == (12, 1)


def test_a_run_of_a_provider_that_is_not_configured_waits_until_it_is(database: Connection[Any]) -> None:
    run_id = request(database, dispatch())
    job_id = stored(database, run_id).job_id
    assert job_id is not None
    assert CHANGES.begin(database, run_id, job_id, "worker", providers=["Q"]) is None
    why = not_begun(database, stored(database, run_id), providers=["Q"])
    assert why is not None
    assert why.kind == "unknown-provider"

    waiting = stored(database, run_id)
    assert (waiting.status, waiting.attempt, waiting.failures) == ("waiting", 0, 0)
    assert waiting.error == "there is no provider 'P' in the configuration"
    assert waiting.error_kind == "unknown-provider"
    assert runs.waiting_for_unknown_providers(database, ["Q"]) == ["P"]
    assert next_run(database) is None

    assert CHANGES.go_on(database, ["Q"]) == 0
    assert CHANGES.go_on(database, ["P", "Q"]) == 1
    assert next_run(database) == run_id
    assert begin(database, run_id).error is None


def test_a_run_whose_job_is_lost_again_and_again_ends_with_a_reason(database: Connection[Any]) -> None:
    run_id = request(database, dispatch())
    waits = []
    for _ in range(23):
        begin(database, run_id)
        database.execute("DELETE FROM procrastinate_jobs")
        assert look(database) == (0, 1)
        row = database.execute(
            "SELECT extract(epoch FROM scheduled_at - now())::float FROM procrastinate_jobs"
        ).fetchone()
        waits.append(row and round(row[0], -1))
    assert waits == [10, 30, 60, 180, *[600] * 18, None]
    ended = stored(database, run_id)
    assert (ended.status, ended.outcome, ended.error_kind) == ("finished", "error", "internal-error")
    assert ended.error == "what came of 23 attempts could not be stored; see the worker's log"
    assert look(database) == (0, 0)


def test_a_result_whose_job_is_lost_is_published_after_a_wait_each_time(database: Connection[Any]) -> None:
    run = begin(database, request(database, dispatch()))
    CHANGES.verified(database, run, PASSED, publish=True)
    CHANGES.not_published(database, run, AWAY, wait=0)
    for attempts in (2, 3):
        database.execute("DELETE FROM procrastinate_jobs")
        assert look(database) == (0, 1)
        assert stored(database, run.id).publish_attempts == attempts
        assert stored(database, run.id).publishing == "pending"
        row = database.execute("SELECT scheduled_at > now() FROM procrastinate_jobs").fetchone()
        assert row == (True,)


def test_each_change_is_told_to_the_follower_in_its_transaction(database: Connection[Any]) -> None:
    told: list[tuple[str, str]] = []
    changes = RunChanges(lambda _, run: told.append((run.status, run.publishing)))
    run_id = request(database, dispatch())
    waiting = stored(database, run_id)
    assert waiting.job_id is not None
    run = changes.begin(database, run_id, waiting.job_id, "worker")
    assert run is not None
    changes.verified(database, run, PASSED, publish=True)
    changes.not_published(database, run, AWAY, wait=0)
    changes.published(database, run, "http://broker.example.org/results/1")
    changes.cancel(database, request(database, dispatch(2)))
    assert told == [
        ("running", "none"),
        ("running", "pending"),
        ("finished", "pending"),
        ("finished", "published"),
        ("cancelled", "none"),
    ]
