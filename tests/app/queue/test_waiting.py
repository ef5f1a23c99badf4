"""What waits is told in the order in which workers take it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from app.dispatch import Dispatch
from app.queue import jobs, waiting, workers
from app.records import run_changes
from app.records.run_changes import RunChanges
from tests.support import taking

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID

    from psycopg import Connection


@pytest.fixture
def database(database_url: str) -> Iterator[Connection[Any]]:
    with psycopg.connect(database_url, autocommit=True) as connection:
        yield connection


def request(
    database: Connection[Any], provider: str, number: int, *, parallel: bool = False, wait: float = 0
) -> UUID:
    pact = f"http://broker.example.org/pacts/provider/P/consumer/C/version/{number}"
    lock = jobs.lock_of(provider, parallel=parallel)
    run_id, _ = run_changes.request(database, provider, Dispatch("acme/p", "pact_changed", pact), lock=lock)
    if wait:
        job_id = jobs.defer_run(database, run_id, lock, wait=wait)
        database.execute(
            "DELETE FROM procrastinate_jobs USING runs WHERE job_id = procrastinate_jobs.id AND runs.id = %s",
            [run_id],
        )
        database.execute(
            "UPDATE runs SET job_id = %s, retry_at = now() + %s * interval '1 second' WHERE id = %s",
            [job_id, wait, run_id],
        )
    return run_id


def take(database: Connection[Any]) -> UUID | None:
    """Take a job as a worker does."""
    taken = taking.take(database)
    if taken is None:
        return None
    database.execute("UPDATE runs SET status = 'running' WHERE job_id = %s", [taken.id])
    return taken.run_id


def end(database: Connection[Any], run_id: UUID) -> None:
    job = database.execute("UPDATE runs SET status = 'finished' WHERE id = %s RETURNING job_id", [run_id])
    database.execute("SELECT procrastinate_finish_job_v1(%s, 'succeeded', true)", job.fetchone())


def test_the_first_run_of_the_first_provider_is_the_one_that_a_worker_takes(
    database: Connection[Any],
) -> None:
    request(database, "A", 1, wait=600)
    request(database, "B", 2, wait=300)
    for number, (provider, parallel) in enumerate(
        [("A", False), ("A", False), ("P", True), ("C", False), ("P", True), ("B", False), ("A", False)], 10
    ):
        request(database, provider, number, parallel=parallel)
    carried_out: list[UUID] = []
    while True:
        found = waiting.lines(database, most=50)
        of_provider = waiting.of_provider(database, found[0].provider, most=50)
        assert of_provider[0].run_id == found[0].first
        taken = take(database)
        if taken is None:
            if not carried_out:
                break
            end(database, carried_out.pop(0))
            continue
        assert found[0].first == taken
        assert found[0].due is None
        carried_out.append(taken)
    # what is left waits for its next attempt, the earlier one first
    assert [(line.provider, line.waiting, line.later) for line in found] == [("B", 1, 1), ("A", 1, 1)]
    assert all(line.due is not None for line in found)


def test_a_provider_that_is_busy_stands_behind_those_that_are_free(database: Connection[Any]) -> None:
    for number, provider in enumerate(["A", "A", "B", "A"]):
        request(database, provider, number)
    take(database)
    found = waiting.lines(database, most=1)
    assert [(line.provider, line.waiting, line.lines) for line in found] == [("B", 1, 2)]
    assert [line.provider for line in waiting.lines(database, most=9)] == ["B", "A"]


def test_a_run_that_waits_for_its_next_attempt_is_started_and_no_other(database: Connection[Any]) -> None:
    later, now = request(database, "A", 1, wait=600), request(database, "B", 2)
    changes = RunChanges()
    assert changes.start_now(database, now) is None
    started = changes.start_now(database, later)
    assert started is not None
    assert started.retry_at is None
    assert {take(database), take(database)} == {later, now}
    assert changes.start_now(database, later) is None


def test_short_jobs_are_counted_by_their_task(database: Connection[Any]) -> None:
    run_id = request(database, "A", 1)
    jobs.defer_publish(database, run_id, 1, wait=60)
    jobs.defer_publish(database, run_id, 1)
    jobs.defer(database, jobs.STATUS, queue=jobs.CHORES)
    publish, status = waiting.chores(database)
    assert (publish.task, publish.waiting, publish.later, publish.running) == ("publish", 1, 1, 0)
    assert publish.next_due is not None
    assert (status.task, status.waiting, status.next_due) == ("status", 1, None)
    assert [job.due is None for job in waiting.results(database, most=9)] == [True, False]


def test_a_worker_process_is_told_with_its_version_and_its_runs(database: Connection[Any]) -> None:
    def registration() -> int:
        row = database.execute("SELECT worker_id FROM procrastinate_register_worker_v1()").fetchone()
        assert row is not None
        return int(row[0])

    runs_of, chores_of, old, dead = (registration() for _ in range(4))
    workers.register(database, [runs_of, chores_of, 999], name="host:7", version="1.2", concurrency=3)
    workers.register(database, [runs_of], name="host:7", version="1.3", concurrency=4)
    workers.register(database, [dead], name="host:8", version="1.2", concurrency=3)
    database.execute(
        "UPDATE procrastinate_workers SET last_heartbeat = now() - interval '1 hour' WHERE id = %s", [dead]
    )
    run_id = request(database, "A", 1)
    taking.take(database, runs_of)

    known, gone, unknown = workers.read(database, stalled_seconds=30, most=9)
    assert (known.name, known.version, known.concurrency, known.is_alive) == ("host:7", "1.2", 3, True)
    assert known.runs == [run_id]
    assert (gone.name, gone.is_alive, gone.runs) == ("host:8", False, [])
    assert (unknown.name, unknown.version, unknown.is_alive) == (None, None, True)

    database.execute("SELECT procrastinate_unregister_worker_v1(%s)", [runs_of])
    database.execute("SELECT procrastinate_unregister_worker_v1(%s)", [chores_of])
    names = [process.name for process in workers.read(database, stalled_seconds=30, most=9)]
    assert names == ["host:8", None]
    assert old
