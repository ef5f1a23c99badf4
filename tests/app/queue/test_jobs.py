"""`app.jobs` and the triggers of its tables, in a real PostgreSQL."""

from __future__ import annotations

import psycopg
import pytest

from app.queue import jobs


@pytest.fixture
def connection(database_url: str) -> psycopg.Connection:
    return psycopg.connect(database_url, autocommit=True)


def end_first(connection: psycopg.Connection, how: str, *locks: str | None) -> int:
    """Begin the first of some jobs, end it, and count the notifications of that."""
    connection.execute("UNLISTEN *")
    first, *_ = [jobs.defer(connection, "any", queue=jobs.RUNS, lock=lock) for lock in locks]
    connection.execute("UPDATE procrastinate_jobs SET status = 'doing' WHERE id = %s", (first,))
    connection.execute('LISTEN "procrastinate_queue_v1#runs"')
    if how == "finished":
        connection.execute("SELECT procrastinate_finish_job_v1(%s, 'succeeded', true)", (first,))
    else:
        connection.execute("SELECT procrastinate_retry_job_v2(%s, now(), NULL, NULL, NULL)", (first,))
    return len(list(connection.notifies(timeout=0)))


@pytest.mark.parametrize("how", ["finished", "given back"])
def test_the_end_of_a_job_wakes_the_workers_for_the_next_one_of_its_lock(
    connection: psycopg.Connection, how: str
) -> None:
    with connection:
        assert end_first(connection, how, "a", "a") == 1


def test_the_end_of_a_job_wakes_nobody_where_nothing_waits_for_its_lock(
    connection: psycopg.Connection,
) -> None:
    with connection:
        assert end_first(connection, "finished", "a", "b") == 0
        assert end_first(connection, "finished", None, None) == 0


def test_a_database_that_is_lost_is_psycopgs_error(connection: psycopg.Connection, database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s)", (connection.info.backend_pid,))
    with pytest.raises(psycopg.OperationalError):
        jobs.defer(connection, "any", queue=jobs.RUNS)
    with pytest.raises(psycopg.OperationalError):
        jobs.cancel(connection, 1)


def test_a_wait_is_counted_by_the_databases_clock(connection: psycopg.Connection) -> None:
    connection.execute(  # a database whose clock is an hour ahead
        "CREATE FUNCTION public.clock_timestamp() RETURNS timestamptz LANGUAGE sql AS "
        "$$ SELECT pg_catalog.clock_timestamp() + interval '1 hour' $$"
    )
    connection.execute("SET search_path = public, pg_catalog")
    job_id = jobs.defer(connection, "any", queue=jobs.RUNS, wait=10)
    row = connection.execute(
        "SELECT extract(epoch FROM scheduled_at - public.clock_timestamp())::float FROM procrastinate_jobs "
        "WHERE id = %s",
        [job_id],
    ).fetchone()
    assert row is not None
    assert 5 < row[0] <= 10
