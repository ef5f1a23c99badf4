"""Runs that nobody looks after any more, found and taken up again: a real database, and no worker."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from psycopg.rows import dict_row

from app.config.sections import WorkerSettings
from app.dispatch import Dispatch
from app.records import run_changes
from app.records.run_changes import RunChanges
from app.worker.recovery import Recovery

if TYPE_CHECKING:
    from uuid import UUID

RECOVERY = Recovery(RunChanges(), WorkerSettings(), lambda provider: f"provider {provider}")
PACT = "http://broker.example.org/pacts/provider/P/consumer/C/latest"


@pytest.fixture
def run_id(database_url: str) -> UUID:
    """A run that waits, with its job."""
    with psycopg.connect(database_url) as connection:
        found, _ = run_changes.request(
            connection, "P", Dispatch("acme/p", "pact_changed", PACT), lock="provider P"
        )
    return found


def recovered(database_url: str, alive: list[int] | None = None) -> tuple[int, int]:
    with psycopg.connect(database_url) as connection:
        return RECOVERY.recover(connection, alive=alive or [])


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

    assert recovered(database_url, alive=[7]) == (0, 0)  # its own, late as its heartbeat is
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
