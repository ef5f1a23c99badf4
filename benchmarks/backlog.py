"""Runs that wait, made in SQL, and what the queue itself costs beside them."""

from __future__ import annotations

import json
import statistics
import threading
import time
from typing import TYPE_CHECKING, Any, Self

import psycopg

from app.config.sections import WorkerSettings
from app.queue import jobs, waiting
from app.queue.state import QueueState
from app.queue.taking import TAKE_RUN
from app.records.run_changes import RunChanges
from app.worker.recovery import Recovery

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from psycopg import Connection

NAME = "Backlog"
STALLED_SECONDS = 30.0
_RUNS = """
INSERT INTO runs (id, key, provider, repository, event_type, reason, pact_url, consumer, status, job_id)
SELECT gen_random_uuid(), 'backlog ' || n, %(name)s || ' ' || n %% %(providers)s,
    'acme/backlog-' || n %% %(providers)s,
    'pact_changed', 'dispatched', %(pact)s, 'Storefront', 'waiting', nextval('procrastinate_jobs_id_seq')
FROM generate_series(0, %(waiting)s - 1) AS n
"""
_JOBS = """
INSERT INTO procrastinate_jobs (id, queue_name, task_name, lock, args)
SELECT job_id, 'runs', 'verify', CASE WHEN NOT %(parallel)s THEN 'provider ' || provider END,
    jsonb_build_object('run_id', id)
FROM runs WHERE key LIKE 'backlog %%' ORDER BY job_id
"""


def empty(connection: Connection[Any]) -> None:
    """Delete all runs, deliveries and jobs."""
    connection.execute("TRUNCATE runs, deliveries, procrastinate_jobs, queue_turns CASCADE")


def fill(
    connection: Connection[Any], *, providers: int, runs: int, pact: str, parallel: bool = False
) -> None:
    """Have so many runs wait, in turn of so many providers, called `Backlog 0` and so on."""
    values = {"name": NAME, "providers": providers, "waiting": runs, "pact": pact, "parallel": parallel}
    with connection.transaction():
        connection.execute("SET LOCAL synchronous_commit = off")
        for statement in (_RUNS, _JOBS):
            connection.execute(statement.encode(), values)
    connection.execute("ANALYZE runs, procrastinate_jobs, queue_turns")


class OtherMachine:
    """A worker elsewhere that carries out one run of each provider of the backlog, and goes on for ever."""

    def __init__(self, conninfo: str) -> None:
        self._conninfo = conninfo
        self._end = threading.Event()
        self._beating = threading.Thread(target=self._beat)
        self._registered: list[int] = []

    def __enter__(self) -> Self:
        with psycopg.connect(self._conninfo) as connection:
            for _ in range(2):  # a process has one for each queue
                row = connection.execute(
                    "SELECT worker_id FROM procrastinate_register_worker_v1()"
                ).fetchone()
                assert row is not None
                self._registered.append(row[0])
        self._beating.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._beating.join()

    def _beat(self) -> None:
        with psycopg.connect(self._conninfo, autocommit=True) as connection:
            while not self._end.wait(2.0):
                for worker in self._registered:
                    connection.execute("SELECT procrastinate_update_heartbeat_v1(%s)", [worker])

    def take_all(self, connection: Connection[Any]) -> int:
        """Take a run of each provider of the backlog, and return how many there are."""
        number = 0
        with connection.transaction():
            while _take(connection, self._registered[0]) is not None:
                number += 1
            connection.execute(
                "UPDATE runs SET status = 'running', started_at = now(), attempt = 1, worker = 'elsewhere' "
                "FROM procrastinate_jobs job WHERE job.id = job_id AND job.status = 'doing'"
            )
        return number


def costs(connection: Connection[Any], provider: str, times: int) -> dict[str, float]:
    """Return what the queue's own work costs, each at the median in milliseconds.

    Args:
        connection: A connection in autocommit, as a worker's; how long the disk takes for a commit doesn't count.
        provider: The provider whose waiting runs are listed.
        times: How often each is done.
    """

    def recover() -> None:
        Recovery(RunChanges(), WorkerSettings(), lambda name: jobs.lock_of(name, parallel=False)).recover(
            connection
        )

    connection.execute("SET synchronous_commit = off")
    taken, ended = [], []
    for _ in range(times):
        began = time.perf_counter()
        job = _take(connection, None)
        took = time.perf_counter()
        taken.append(took - began)
        if job is not None:
            connection.execute("SELECT procrastinate_finish_job_v1(%s, 'succeeded', true)", [job])
            ended.append(time.perf_counter() - took)
    of_job = ended or [0.0]
    found = {
        "take": statistics.median(taken),
        "take, at most": max(taken),
        "end": statistics.median(of_job),
    }
    work: dict[str, Callable[[], object]] = {
        "promote": lambda: jobs.promote_due(connection),
        "recover": recover,
        "state": lambda: QueueState.read(connection, stalled_seconds=STALLED_SECONDS),
        "lines": lambda: waiting.lines(connection, most=50),
        "of provider": lambda: waiting.of_provider(connection, provider, most=60),
    }
    for name, do in work.items():
        found[name] = statistics.median(_seconds(do, min(times, 5)))
    connection.execute("RESET synchronous_commit")
    return {name: seconds * 1000 for name, seconds in found.items()}


def costs_of_nothing(connection: Connection[Any], times: int) -> dict[str, float]:
    """Return what it takes to find that there is nothing to take, here and by Procrastinate's own function, in ms."""

    def procrastinate() -> None:
        connection.execute("SELECT id FROM procrastinate_fetch_job_v2(ARRAY['runs'], NULL)")

    return {
        "take nothing": statistics.median(_seconds(lambda: _take(connection, None), times)) * 1000,
        "procrastinate": statistics.median(_seconds(procrastinate, 3)) * 1000,
    }


def _take(connection: Connection[Any], worker: int | None) -> int | None:
    row = connection.execute(TAKE_RUN, {"worker_id": worker, "limits": json.dumps({})}).fetchone()
    return None if row is None else row[0]


def _seconds(do: Callable[[], object], times: int) -> Iterator[float]:
    for _ in range(times):
        began = time.perf_counter()
        do()
        yield time.perf_counter() - began
