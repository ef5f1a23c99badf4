"""The moments of a run's attempts: noted by the database and by workers, once, and of the latest attempt alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg

from app.dispatch import Dispatch
from app.records import run_changes, run_moments, runs
from app.records.run import Failure
from app.records.run_changes import RunChanges
from app.records.run_log import RunLog, store_log
from app.records.run_moments import MomentName

if TYPE_CHECKING:
    from uuid import UUID

    from app.records.run import Run

PACT = "http://broker.example.org/pacts/provider/A/consumer/C/latest"


def begun(connection: psycopg.Connection) -> Run:
    run_id, _ = run_changes.request(connection, "A", Dispatch("a/b", "pact_changed", PACT), lock=None)
    return again(connection, run_id)


def again(connection: psycopg.Connection, run_id: UUID) -> Run:
    run = runs.get(connection, run_id)
    assert run is not None
    assert run.job_id is not None
    started = RunChanges().begin(connection, run.id, run.job_id, f"worker {run.attempt + 1}")
    assert started is not None
    return started


def test_each_attempt_has_its_moments(database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        run = begun(connection)
        log = RunLog(10_000)
        log.note(MomentName.PROVIDER_READY)
        log.note(MomentName.PROVIDER_READY)  # of the next pact
        for _ in range(2):  # what could not be confirmed is stored again
            store_log(connection, run, log.update())
        log.confirm()
        assert log.update().is_empty
        RunChanges().try_again(connection, run, Failure("x", "it died"), wait=0, lock=None)
        later = again(connection, run.id)
        frozen = RunLog(10_000)
        frozen.note(MomentName.CHECKED_OUT)
        store_log(connection, run, frozen.update())  # by a worker that was frozen since
        store_log(connection, later, frozen.update())

        found = run_moments.of_run(connection, run.id)
        assert [
            (one.attempt, one.name, one.detail) for one in found if one.name is not MomentName.PROVIDER_READY
        ] == [
            (1, MomentName.STARTED, "worker 1"),
            (1, MomentName.ENDED, "it died"),
            (2, MomentName.STARTED, "worker 2"),
            (2, MomentName.CHECKED_OUT, None),
        ]
        assert [one.attempt for one in found if one.name is MomentName.PROVIDER_READY] == [1]
        connection.execute("DELETE FROM runs")
        assert run_moments.of_run(connection, run.id) == []
