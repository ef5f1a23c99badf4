"""What is relied on inside Procrastinate: its tables, its functions, its channel. A new version may change them."""

from __future__ import annotations

import inspect
import json
from typing import TYPE_CHECKING, Any
from uuid import UUID

import psycopg
import pytest
from procrastinate import PsycopgConnector, sql
from procrastinate.jobs import Job
from procrastinate.manager import JobManager, get_channel_for_queues
from procrastinate.worker import Worker

from app.queue import jobs
from app.queue.taking import TAKE_CHORE, TAKE_RUN

if TYPE_CHECKING:
    from collections.abc import Iterator

RUN = UUID(int=1)


@pytest.fixture
def connection(database_url: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(database_url, autocommit=True) as opened:
        yield opened


def test_the_tables_have_the_columns_that_are_used(connection: psycopg.Connection[Any]) -> None:
    connection.execute(
        "SELECT id, queue_name, task_name, priority, lock, args, status, scheduled_at, attempts, abort_requested, "
        "worker_id FROM procrastinate_jobs"
    )
    connection.execute("SELECT id, last_heartbeat FROM procrastinate_workers")
    found = connection.execute("SELECT enum_range(NULL::procrastinate_job_status)::text[]").fetchone()
    assert found is not None
    assert {"todo", "doing"} <= set(found[0])


def test_a_job_that_is_put_back_counts_how_often(connection: psycopg.Connection[Any]) -> None:
    job_id = jobs.defer(connection, "any", queue=jobs.RUNS)
    for times in (1, 2):
        connection.execute("UPDATE procrastinate_jobs SET status = 'doing'")
        connection.execute("SELECT procrastinate_retry_job_v2(%s, now(), NULL, NULL, NULL)", [job_id])
        row = connection.execute("SELECT status, attempts FROM procrastinate_jobs").fetchone()
        assert row == ("todo", times)


def test_workers_are_woken_as_procrastinate_itself_wakes_them(connection: psycopg.Connection[Any]) -> None:
    [channel] = get_channel_for_queues([jobs.RUNS])
    connection.execute(f'LISTEN "{channel}"'.encode())
    job_id = jobs.defer(connection, "any", queue=jobs.RUNS)
    [by_procrastinate] = connection.notifies(timeout=60, stop_after=1)
    jobs.wake(connection, jobs.RUNS, job_id)
    [by_us] = connection.notifies(timeout=60, stop_after=1)
    assert (by_us.channel, json.loads(by_us.payload)) == (
        by_procrastinate.channel,
        json.loads(by_procrastinate.payload),
    )


def test_a_job_is_taken_as_procrastinate_takes_it() -> None:
    """`app.queue.taking` and `0017_turns.sql` have functions of their own for what these do."""
    columns = [
        name.strip() for name in sql.queries["fetch_job"].split("FROM")[0].partition("SELECT")[2].split(",")
    ]
    for query in (TAKE_RUN, TAKE_CHORE):
        assert [name.strip() for name in query.split("FROM")[0].partition("SELECT")[2].split(",")] == columns
    assert "procrastinate_fetch_job_v2" in sql.queries["fetch_job"]
    assert list(inspect.signature(JobManager.fetch_job).parameters) == ["self", "queues", "worker_id"]
    assert "self.app.job_manager.fetch_job(" in inspect.getsource(Worker._fetch_and_process_jobs)


def test_a_job_can_be_given_its_id(connection: psycopg.Connection[Any]) -> None:
    deferred = jobs.defer_run(connection, RUN, "a")
    row = connection.execute("SELECT nextval('procrastinate_jobs_id_seq')").fetchone()
    assert row is not None
    assert row[0] > deferred
    jobs.add_run(connection, row[0], RUN, "a")
    first, second = connection.execute(
        "SELECT to_jsonb(job) - 'id' FROM procrastinate_jobs AS job ORDER BY id"
    ).fetchall()
    assert first == second


def test_the_parts_that_are_used_or_replaced_are_there() -> None:
    assert "attempts" in {field.name for field in Job.__attrs_attrs__}
    assert "self.worker_id = await" in inspect.getsource(Worker.run)
    for name in (
        "execute_query_async",
        "execute_query_one_async",
        "execute_query_all_async",
        "listen_notify",
    ):
        assert inspect.iscoroutinefunction(getattr(PsycopgConnector, name).__wrapped__)
    assert list(inspect.signature(PsycopgConnector.listen_notify).parameters) == [
        "self",
        "on_notification",
        "channels",
    ]
