"""Pausing a provider: what waits, what doesn't, and that nothing is lost in between. A real database, and no worker."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import psycopg

from app.records import pauses
from app.records.pause_change import PauseChange
from app.records.run import PAUSED_PROVIDER
from tests.app.records.test_runs import (
    CHANGES,
    PASSED,
    begin,
    database,
    dispatch,
    end_job,
    next_run,
    not_begun,
    request,
    stored,
)

if TYPE_CHECKING:
    from psycopg import Connection

    from app.records.run import Run

__all__ = ["database"]


def begins(database: Connection[Any], run: Run) -> bool:
    assert run.job_id is not None
    return CHANGES.begin(database, run.id, run.job_id, "worker", providers=["P"]) is not None


def test_runs_of_a_paused_provider_wait_until_it_is_resumed_and_start_in_their_order(
    database: Connection[Any],
) -> None:
    assert pauses.add(database, "P", "ann") is PauseChange.PAUSED
    assert pauses.add(database, "P", "bob") is None
    ids = [request(database, dispatch(number)) for number in range(3)]
    for run_id in ids:
        assert next_run(database) == run_id
        assert not begins(database, stored(database, run_id))
        why = not_begun(database, stored(database, run_id))
        assert why is not None
        assert why.kind == PAUSED_PROVIDER
    assert next_run(database) is None
    waiting = stored(database, ids[0])
    assert (waiting.status, waiting.attempt, waiting.failures) == ("waiting", 0, 0)
    assert waiting.retry_at is None  # nobody knows when it is resumed
    assert waiting.error is not None
    assert waiting.error.startswith("ann has paused the provider 'P' at ")
    [held] = pauses.with_waiting(database, limit=10)
    assert (held.provider, held.paused_by, held.waiting) == ("P", "ann", 3)

    assert CHANGES.resume(database, "P")
    assert not CHANGES.resume(database, "P")
    assert pauses.newest(database, limit=10) == []
    for run_id in ids:
        assert next_run(database) == run_id
        run = begin(database, run_id)
        assert (run.error, run.error_kind) == (None, None)
        end_job(database, run)


def test_the_newest_reason_counts_and_the_runs_that_wait_say_it(database: Connection[Any]) -> None:
    assert CHANGES.pause(database, "P", "ann", "a new database") is PauseChange.PAUSED
    run_id = request(database, dispatch())
    assert next_run(database) == run_id
    not_begun(database, stored(database, run_id))
    [first] = pauses.newest(database, limit=10)
    for who, reason, changed, now in (
        ("bob", None, None, ("ann", "a new database")),
        ("bob", " ", None, ("ann", "a new database")),
        ("bob", "a new database", None, ("ann", "a new database")),
        ("bob", "it moves", PauseChange.REASON, ("bob", "it moves")),
        ("bob", "it moves", None, ("bob", "it moves")),
    ):
        assert CHANGES.pause(database, "P", who, reason) is changed
        [pause] = pauses.newest(database, limit=10)
        assert (pause.paused_by, pause.reason, pause.paused_at) == (*now, first.paused_at)
        assert stored(database, run_id).error == str(pause)
    assert CHANGES.resume(database, "P")
    assert CHANGES.pause(database, "P", "ann", None) is PauseChange.PAUSED


def test_other_providers_and_what_is_only_to_be_published_do_not_wait(database: Connection[Any]) -> None:
    pauses.add(database, "Q", "ann")
    run = begin(database, request(database, dispatch()))
    verified = CHANGES.verified(database, run, PASSED, publish=True)
    assert verified is not None
    pauses.add(database, "P", "ann")
    assert begins(database, verified)  # its worker was gone: another one publishes


def test_a_run_that_its_worker_left_behind_waits_too(database: Connection[Any]) -> None:
    run = begin(database, request(database, dispatch()))
    pauses.add(database, "P", "ann")
    assert not begins(database, run)
    assert not_begun(database, run) is not None
    assert stored(database, run.id).status == "waiting"
    CHANGES.resume(database, "P")
    assert next_run(database) == run.id
    assert begin(database, run.id).attempt == 2


def test_a_run_that_is_asked_for_again_still_waits(database: Connection[Any]) -> None:
    pauses.add(database, "P", "ann")
    run_id = request(database, dispatch())
    next_run(database)
    not_begun(database, stored(database, run_id))
    assert request(database, dispatch()) == run_id
    assert next_run(database) == run_id
    assert not begins(database, stored(database, run_id))
    assert not_begun(database, stored(database, run_id)) is not None
    assert next_run(database) is None


def test_a_resume_between_the_attempt_and_its_note_loses_nothing(
    database: Connection[Any], database_url: str
) -> None:
    pauses.add(database, "P", "ann")
    run_id = request(database, dispatch())
    next_run(database)
    assert not begins(database, stored(database, run_id))
    CHANGES.resume(database, "P")
    assert not_begun(database, stored(database, run_id)) is None
    assert next_run(database) == run_id
    end_job(database, stored(database, run_id))

    # or while it is noted: the resume waits for that
    pauses.add(database, "P", "ann")
    with psycopg.connect(database_url) as worker:
        noted = stored(database, run_id)
        database.execute("UPDATE runs SET job_id = 1 WHERE id = %s", [run_id])
        noted = stored(database, run_id)
        assert not_begun(worker, noted) is not None
        resuming = threading.Thread(target=resume, args=(database_url,))
        resuming.start()
    resuming.join(60)
    waiting = stored(database, run_id)
    assert (waiting.retry_at, waiting.error_kind) == (None, None)


def resume(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        assert CHANGES.resume(connection, "P")
