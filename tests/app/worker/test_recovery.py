"""Runs that nobody looks after any more, found and taken up again: a real database, and no worker."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from psycopg.rows import dict_row

from app.config.sections import WorkerSettings
from app.dispatch import Dispatch
from app.records import run_changes, runs_without_job
from app.records.run_changes import RunChanges
from app.worker.recovery import FORGET_SECONDS, Recovery

if TYPE_CHECKING:
    from uuid import UUID

HALF = WorkerSettings().stalled_seconds / 2
CLOCK = [0.0]
RECOVERY = Recovery(
    RunChanges(), WorkerSettings(), lambda provider: f"provider {provider}", clock=lambda: CLOCK[0]
)
ONE_OR_TWO_AT_ONCE = "now() + right(pact_url, 1)::integer / 2 * interval '1 s'"
PACT = "http://broker.example.org/pacts/provider/P/consumer/C/latest"


@pytest.fixture
def run_id(database_url: str) -> UUID:
    """A run that waits, with its job."""
    with psycopg.connect(database_url) as connection:
        found, _ = run_changes.request(
            connection, "P", Dispatch("acme/p", "pact_changed", PACT), lock="provider P"
        )
    return found


def recovered(database_url: str, alive: list[int] | None = None, *, looks: int = 2) -> tuple[int, int]:
    """Recover, as often as it takes until a heartbeat has been the same for long enough."""
    jobs = runs = 0
    with psycopg.connect(database_url) as connection:
        for _ in range(looks):
            found = RECOVERY.recover(connection, alive=alive or [])
            jobs, runs = jobs + found[0], runs + found[1]
            CLOCK[0] += HALF
    return jobs, runs


def change(database_url: str, statement: str) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute(statement.encode())


def row(database_url: str, query: str) -> dict[str, Any]:
    with psycopg.connect(database_url, row_factory=dict_row) as connection:
        found = connection.execute(query.encode()).fetchone()
    assert found is not None
    return found


def test_what_is_looked_after_is_left_alone(database_url: str, run_id: UUID) -> None:
    assert recovered(database_url) == (0, 0)
    assert row(database_url, "SELECT * FROM runs")["id"] == run_id


def test_a_job_of_a_dead_worker_is_given_back_and_that_of_a_living_one_is_not(
    database_url: str, run_id: UUID
) -> None:
    change(
        database_url,
        "INSERT INTO procrastinate_workers (id, last_heartbeat) OVERRIDING SYSTEM VALUE "
        "VALUES (7, now() - interval '1 minute')",
    )
    change(database_url, "UPDATE procrastinate_jobs SET status = 'doing', worker_id = 7")

    assert recovered(database_url, alive=[7], looks=1) == (0, 0)  # its own, late as its heartbeat is
    assert recovered(database_url) == (1, 0)
    job = row(database_url, "SELECT * FROM procrastinate_jobs")
    assert (job["status"], job["lock"], job["args"]) == ("todo", "provider P", {"run_id": str(run_id)})


@pytest.mark.parametrize("status", ["waiting", "running"])
def test_a_run_without_a_job_gets_one(database_url: str, run_id: UUID, status: str) -> None:
    change(database_url, "DELETE FROM procrastinate_jobs")
    change(database_url, f"UPDATE runs SET status = '{status}'")

    assert recovered(database_url) == (0, 1)
    job = row(database_url, "SELECT * FROM procrastinate_jobs")
    assert (job["task_name"], job["lock"]) == ("verify", "provider P")
    assert row(database_url, "SELECT job_id FROM runs")["job_id"] == job["id"]
    assert recovered(database_url) == (0, 0)
    assert job["args"] == {"run_id": str(run_id)}


def test_a_result_that_nobody_publishes_any_more_is_published(database_url: str, run_id: UUID) -> None:
    change(database_url, "DELETE FROM procrastinate_jobs")
    change(database_url, "UPDATE runs SET status = 'finished', publishing = 'pending', attempt = 3")

    assert recovered(database_url) == (0, 1)
    job = row(database_url, "SELECT * FROM procrastinate_jobs")
    assert (job["task_name"], job["lock"]) == ("publish", None)
    assert job["args"] == {"run_id": str(run_id), "attempt": 3}
    assert recovered(database_url) == (0, 0)


@pytest.mark.parametrize(
    ("state", "task"),
    [
        ("status = 'waiting'", "verify"),
        (f"status = 'finished', publishing = 'pending', finished_at = {ONE_OR_TWO_AT_ONCE}", "publish"),
    ],
)
def test_of_many_runs_some_are_looked_at_each_time_and_all_of_them_in_turn(
    database_url: str, monkeypatch: pytest.MonkeyPatch, state: str, task: str
) -> None:
    monkeypatch.setattr(runs_without_job, "MOST_LOOKED_AT", 3)
    with psycopg.connect(database_url) as connection:
        for number in range(8):
            dispatch = Dispatch("acme/p", "pact_changed", f"{PACT}?{number}")
            run_changes.request(connection, "P", dispatch, lock="provider P")
            connection.commit()  # each at a time of its own
    change(database_url, f"UPDATE runs SET {state}")
    recovery = Recovery(RunChanges(), WorkerSettings(), lambda _: "provider P")

    def rounds(number: int) -> list[int]:
        with psycopg.connect(database_url) as connection:
            return [recovery.recover(connection)[1] for _ in range(number)]

    assert rounds(3) == [0, 0, 0]
    change(database_url, "DELETE FROM procrastinate_jobs")
    assert rounds(4) == [3, 3, 2, 0]
    assert (
        row(database_url, f"SELECT count(*) FROM procrastinate_jobs WHERE task_name = '{task}'")["count"] == 8
    )
    change(
        database_url,
        "DELETE FROM procrastinate_jobs WHERE id IN (SELECT job_id FROM runs WHERE pact_url LIKE '%7')",
    )
    assert sum(rounds(3)) == 1


def test_runs_that_run_are_all_looked_at_each_time(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs_without_job, "MOST_LOOKED_AT", 1)
    with psycopg.connect(database_url) as connection:
        for number in range(4):
            dispatch = Dispatch("acme/p", "pact_changed", f"{PACT}?{number}")
            run_changes.request(connection, "P", dispatch, lock="provider P")
    change(database_url, "DELETE FROM procrastinate_jobs")
    change(database_url, "UPDATE runs SET status = 'running'")
    assert recovered(database_url, looks=1) == (0, 4)


@pytest.mark.parametrize("publishing", ["none", "pending"])
def test_a_cancelled_run_whose_worker_is_gone_is_cancelled_for_good(
    database_url: str, run_id: UUID, publishing: str
) -> None:
    change(database_url, "DELETE FROM procrastinate_jobs")
    change(
        database_url,
        f"UPDATE runs SET status = 'running', cancel_requested = true, publishing = '{publishing}'",
    )

    assert recovered(database_url) == (0, 1)
    run = row(database_url, "SELECT * FROM runs")
    assert (run["id"], run["status"], run["publishing"]) == (run_id, "cancelled", "none")
    assert recovered(database_url) == (0, 0)


def test_one_looks_at_a_time(database_url: str, run_id: UUID) -> None:
    change(database_url, "DELETE FROM procrastinate_jobs")
    with psycopg.connect(database_url) as first, first.transaction():
        RECOVERY.recover(first)
        assert recovered(database_url) == (0, 0)
    assert row(database_url, "SELECT count(*) AS jobs FROM procrastinate_jobs")["jobs"] == 1
    assert row(database_url, "SELECT id FROM runs")["id"] == run_id


def test_a_heartbeat_in_the_future_keeps_no_job(database_url: str, run_id: UUID) -> None:
    change(
        database_url,
        "INSERT INTO procrastinate_workers (id, last_heartbeat) OVERRIDING SYSTEM VALUE "
        "VALUES (7, now() + interval '1 hour')",
    )
    change(database_url, "UPDATE procrastinate_jobs SET status = 'doing', worker_id = 7")
    assert recovered(database_url) == (1, 0)
    assert row(database_url, "SELECT args FROM procrastinate_jobs")["args"] == {"run_id": str(run_id)}


def test_workers_that_live_are_not_dead_when_the_clock_of_the_database_is_set(
    database_url: str, run_id: UUID
) -> None:
    change(
        database_url,
        "INSERT INTO procrastinate_workers (id, last_heartbeat) OVERRIDING SYSTEM VALUE "
        "VALUES (7, now() - interval '1 hour')",
    )
    change(database_url, "UPDATE procrastinate_jobs SET status = 'doing', worker_id = 7")
    with psycopg.connect(database_url) as connection:
        assert RECOVERY.recover(connection) == (0, 0)
        CLOCK[0] += HALF - 1.0
        assert RECOVERY.recover(connection) == (0, 0)
        connection.execute(
            "UPDATE procrastinate_workers SET last_heartbeat = last_heartbeat + interval '2 s'"
        )
        CLOCK[0] += 1.0
        assert RECOVERY.recover(connection) == (0, 0)  # another heartbeat: it lives
        CLOCK[0] += HALF
        assert RECOVERY.recover(connection) == (1, 0)
    assert row(database_url, "SELECT id FROM runs")["id"] == run_id


def test_a_dead_worker_is_not_listed_for_ever_however_often_those_start_anew_that_look(
    database_url: str,
) -> None:
    change(
        database_url,
        "INSERT INTO procrastinate_workers (id, last_heartbeat) OVERRIDING SYSTEM VALUE "
        f"VALUES (7, now() - interval '{FORGET_SECONDS + 60} s'), (8, now() - interval '{FORGET_SECONDS - 60} s')",
    )
    started_anew = Recovery(RunChanges(), WorkerSettings(), str, clock=lambda: CLOCK[0])
    with psycopg.connect(database_url) as connection:
        started_anew.recover(connection)
        assert row(database_url, "SELECT count(*) AS workers FROM procrastinate_workers")["workers"] == 2
        CLOCK[0] += HALF
        started_anew.recover(connection)
    assert row(database_url, "SELECT array_agg(id) AS ids FROM procrastinate_workers")["ids"] == [8]


def test_a_job_that_was_taken_and_lost_on_its_way_is_put_back(database_url: str, run_id: UUID) -> None:
    change(database_url, "INSERT INTO procrastinate_workers (id) OVERRIDING SYSTEM VALUE VALUES (7)")
    change(database_url, "UPDATE procrastinate_jobs SET status = 'doing', worker_id = 7")
    job_id = row(database_url, "SELECT id FROM procrastinate_jobs")["id"]
    recovery = Recovery(RunChanges(), WorkerSettings(), str)

    def look(*running: int) -> int:
        with psycopg.connect(database_url) as connection:
            return recovery.recover(connection, alive=[7], running=running)[0]

    assert [look(job_id), look(job_id)] == [0, 0]
    assert [look(), look(job_id), look()] == [0, 0, 0]  # it may be on its way
    assert look() == 1
    assert row(database_url, "SELECT args FROM procrastinate_jobs")["args"] == {"run_id": str(run_id)}
