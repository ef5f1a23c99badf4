"""The jobs of one worker process: taken from the queues by Procrastinate, carried out by the functions given."""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, LiteralString, TypeVar

import procrastinate
import structlog
from procrastinate import JobContext, PsycopgConnector
from procrastinate.exceptions import ConnectorException
from procrastinate.worker import Worker as QueueWorker

from app.database.connections import connection_options
from app.database.failures import may_pass
from app.process import lease
from app.queue import jobs, workers
from app.queue.taking import TurnTaker

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping

    from procrastinate.connector import Notify
    from procrastinate.jobs import Job, Status
    from psycopg import Connection

    from app.queue.taking import Limits

T = TypeVar("T")

POLL_SECONDS = 0.5
"""How long a job waits at most if its notification was missed."""
RETRY_SECONDS = 0.5
CONNECTIONS = 8
CHORES_AT_ONCE = 4
REGISTERED_SECONDS = 0.05
"""How often it is looked whether Procrastinate has registered the workers, at the start."""
AGAIN_SECONDS = 0.1
"""How often a task is told again to end: a cancellation that comes as the database answers is lost in Python 3.11."""
NEVER = 10 * 365 * 86400.0
"""Seconds. Procrastinate beats no heart and takes no worker for dead: see `QueueConsumer` and `app.queue.stalled`."""

LOGGERS = ("procrastinate.utils", "procrastinate.worker")
"""Procrastinate's loggers that tell of errors of its tasks."""

_HEARTBEAT: LiteralString = """
    WITH alive AS (
        UPDATE procrastinate_workers SET last_heartbeat = now() WHERE id = ANY(%(workers)s::bigint[]) RETURNING id)
    SELECT ARRAY(SELECT id FROM alive) AS alive,
        ARRAY(SELECT id FROM procrastinate_jobs WHERE id = ANY(%(jobs)s::bigint[]) AND status = 'doing'
              AND worker_id = ANY(%(workers)s::bigint[])) AS held
    """
_FINISH: LiteralString = """
    WITH held AS MATERIALIZED (
        SELECT id FROM procrastinate_jobs
        WHERE id = %(job)s AND status = 'doing' AND worker_id = %(worker)s FOR UPDATE)
    SELECT procrastinate_finish_job_v1(id, %(status)s, %(delete)s) FROM held
    """

log = structlog.get_logger("worker")


@dataclass(frozen=True)
class TakenJob:
    """A job that this process has taken.

    Attributes:
        id: Its id.
        losses: How many workers have taken it before, and were gone before it ended.
    """

    id: int
    losses: int = 0


class TakenForDead(Exception):
    """Others have taken this worker for dead, and taken up its jobs."""


class QueueConsumer:
    """Takes jobs from both queues, and keeps the lease of this process for as long as one of its jobs goes on.

    Args:
        conninfo: The database.
        name: This worker's, for people.
        tasks: The functions of the tasks, by the task's name: each is called with the job and its arguments.
        runs_at_once: How many jobs of `jobs.RUNS` are carried out at once.
        limits: How many runs of a provider go on at once, over all workers, where there is a limit.
        stop_seconds: How long jobs may go on after `stop`, before they are cancelled.
        stalled_seconds: After so long without a heartbeat this worker is taken for dead. A database that is away for
            less than that is waited for.
        on_lease: Called with the time, by `app.process.lease.now`, until which nobody else takes up the jobs of this
            process; again and again, and with one that has passed if somebody has.
    """

    def __init__(
        self,
        conninfo: str,
        *,
        name: str,
        tasks: Mapping[str, Callable[..., Awaitable[None]]],
        runs_at_once: int,
        limits: Limits,
        stop_seconds: float,
        stalled_seconds: float,
        on_lease: Callable[[float], None] = lambda _: None,
    ) -> None:
        for logger in LOGGERS:
            logging.getLogger(logger).addFilter(_is_no_outage)
        self._running: set[int] = set()
        self._name, self._runs_at_once = name, runs_at_once
        self._stalled_seconds, self._on_lease = stalled_seconds, on_lease
        self._stopping = asyncio.Event()
        self._connector = _PatientConnector(conninfo, stalled_seconds)
        self._app = procrastinate.App(connector=self._connector)
        self._app.job_manager = _OwnJobs(self._connector, limits)
        for task, function in tasks.items():
            queue = jobs.RUNS if task == jobs.VERIFY else jobs.CHORES
            self._app.task(name=task, queue=queue, pass_context=True)(self._task(function))
        self._workers = [
            QueueWorker(
                self._app,
                queues=[queue],
                concurrency=at_once,
                name=name,
                install_signal_handlers=False,
                listen_notify=True,
                delete_jobs="always",
                fetch_job_polling_interval=POLL_SECONDS,
                abort_job_polling_interval=1.0,
                shutdown_graceful_timeout=stop_seconds,
                update_heartbeat_interval=NEVER,
                stalled_worker_timeout=NEVER,
            )
            for queue, at_once in ((jobs.RUNS, runs_at_once), (jobs.CHORES, CHORES_AT_ONCE))
        ]

    @property
    def worker_ids(self) -> list[int]:
        """The ids of this process's workers in Procrastinate's table."""
        return [worker.worker_id for worker in self._workers if worker.worker_id is not None]

    @property
    def running(self) -> frozenset[int]:
        """The ids of the jobs that are being carried out."""
        return frozenset(self._running)

    def register(self, connection: Connection[Any]) -> None:
        """Note which process this is, as soon as Procrastinate has registered its workers; the caller commits."""
        workers.register(
            connection,
            self.worker_ids,
            name=self._name,
            version=version("pact-dispatch"),
            concurrency=self._runs_at_once,
        )

    def stop(self) -> None:
        """Take no further job; `run` ends when those that are carried out have ended, or have had their time."""
        self._stopping.set()

    async def run(self) -> None:
        """Take jobs until `stop`; then those that run have their time to end.

        Where this raises, the process is to leave: its jobs are not waited for. It is not to be cancelled: a
        cancellation that comes as the database answers is lost in Python 3.11, and one while connections are opened
        may leave tasks that never end.

        Raises:
            ConnectorException: The database was away for longer than `stalled_seconds`.
            TakenForDead: So it was, or this process was frozen.
        """
        await self._app.open_async()
        self._on_lease(lease.end_of_lease(lease.now(), self._stalled_seconds))
        workers = [asyncio.create_task(_run(worker)) for worker in self._workers]
        living = asyncio.create_task(self._stay_alive())
        stopping = asyncio.create_task(self._stopping.wait())
        try:
            done, _ = await asyncio.wait([*workers, living, stopping], return_when=asyncio.FIRST_COMPLETED)
            if stopping in done:
                await self._end(workers, living)
            else:
                await done.pop()
        finally:
            stopping.cancel()
            self._on_lease(-float("inf"))

    async def _end(self, workers: list[asyncio.Task[None]], living: asyncio.Task[None]) -> None:
        # Procrastinate itself would end the heartbeat now, and jobs may go on for longer than `stalled_seconds`
        while not all(task.done() for task in workers):
            for worker, task in zip(self._workers, workers, strict=True):
                if worker.worker_id is None:  # nothing is taken yet
                    task.cancel()
                else:
                    _stop(worker)
            await asyncio.wait(workers, timeout=AGAIN_SECONDS)
        while not living.done():
            living.cancel()
            await asyncio.wait([living], timeout=AGAIN_SECONDS)
        await asyncio.gather(*workers, living, return_exceptions=True)
        await self._app.close_async()

    async def _stay_alive(self) -> None:
        # one that is stopped before it is registered never will be, and the other one may have a job
        while not self._stopping.is_set() and len(self.worker_ids) < len(self._workers):  # noqa: ASYNC110 - there is no event
            await asyncio.sleep(REGISTERED_SECONDS)
        while True:
            await self._renew_lease()
            await asyncio.sleep(max(0.2, self._stalled_seconds / 5))

    async def _renew_lease(self) -> None:
        """Store a heartbeat, and look whether the jobs are still this process's.

        Raises:
            ConnectorException: The database was away for longer than `stalled_seconds`.
            TakenForDead: They aren't.
        """
        ids, running = self.worker_ids, self.running
        began, row = await self._connector.ask_since(_HEARTBEAT, workers=ids, jobs=list(running))
        missing = running.difference(row["held"])
        lost = self._running & missing  # others of them have ended meanwhile
        forgotten = set(ids).difference(row["alive"])
        if lost or (
            forgotten and not self._stopping.is_set()
        ):  # at the end each worker unregisters by itself
            raise TakenForDead("others have taken this worker for dead, and taken up its jobs")
        self._on_lease(lease.end_of_lease(began, self._stalled_seconds))

    def _task(self, function: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
        async def carry_out(context: JobContext, **arguments: Any) -> None:
            job_id = context.job.id
            assert job_id is not None  # noqa: S101 - it came from the queue
            self._running.add(job_id)
            try:
                await function(TakenJob(job_id, context.job.attempts), **arguments)
            except Exception as error:
                # what the job is for is queued again by the recovery, after a wait
                log.exception(
                    "job failed", task=context.job.task_name, error=f"{type(error).__name__}: {error}"
                )
            finally:
                self._running.discard(job_id)

        return carry_out


async def _run(worker: QueueWorker) -> None:
    run: Any = worker.run  # Procrastinate has no type for it
    await run()


def _stop(worker: QueueWorker) -> None:
    stop: Any = worker.stop  # Procrastinate has no type for it
    stop()


def _is_passing(error: BaseException | None) -> bool:
    return isinstance(error, ConnectorException) and error.__cause__ is not None and may_pass(error.__cause__)


def _is_no_outage(record: logging.LogRecord) -> bool:
    """Return whether a line of Procrastinate's is about something else than a database that is away.

    It logs that with its stack, for each of its tasks; the worker tells of an outage in one line, if it ends by it.
    """
    return not (isinstance(record.exc_info, tuple) and _is_passing(record.exc_info[1]))


class _OwnJobs(TurnTaker):
    """Ends no job that another worker has taken up meanwhile: its provider's lock would be free while that runs."""

    async def register_worker(self) -> int:
        """Register a worker; one that is stopped meanwhile leaves no row, which would be a lost worker to others."""
        registering = asyncio.create_task(super().register_worker())
        try:
            return await asyncio.shield(registering)
        except asyncio.CancelledError:
            leaving = asyncio.create_task(self._unregister(registering))
            while not leaving.done():
                with suppress(asyncio.CancelledError):  # it is told again to end
                    await asyncio.wait([leaving])
            await leaving
            raise

    async def _unregister(self, registering: asyncio.Task[int]) -> None:
        await self.unregister_worker(await registering)

    async def finish_job(self, job: Job, status: Status, delete_job: bool) -> None:  # noqa: FBT001 - Procrastinate's
        await self.connector.execute_query_async(
            _FINISH, job=job.id, worker=job.worker_id, status=status.value, delete=delete_job
        )


class _PatientConnector(PsycopgConnector):
    """A connector that waits for a database that is away, for a time."""

    def __init__(self, conninfo: str, patience: float) -> None:
        super().__init__(
            conninfo=conninfo,
            kwargs=connection_options(conninfo),
            min_size=1,
            max_size=CONNECTIONS,
            timeout=max(1.0, min(5.0, patience / 2)),
        )
        self._patience = patience
        self._last_answer = time.monotonic()

    async def execute_query_async(self, query: LiteralString, **arguments: Any) -> None:
        await self._patiently(partial(super().execute_query_async, query, **arguments))

    async def execute_query_one_async(self, query: LiteralString, **arguments: Any) -> dict[str, Any]:
        return await self._patiently(partial(super().execute_query_one_async, query, **arguments))

    async def execute_query_all_async(self, query: LiteralString, **arguments: Any) -> list[dict[str, Any]]:
        return await self._patiently(partial(super().execute_query_all_async, query, **arguments))

    async def ask_since(self, query: LiteralString, **arguments: Any) -> tuple[float, dict[str, Any]]:
        """Return a row, and when the question was sent that was answered, by `app.process.lease.now`."""
        ask = super().execute_query_one_async

        async def ask_now() -> tuple[float, dict[str, Any]]:
            return lease.now(), await ask(query, **arguments)

        return await self._patiently(ask_now)

    async def listen_notify(self, on_notification: Notify, channels: Iterable[str]) -> None:
        # jobs are found without it, too: whoever asks for them tells that the database stays away
        ask = partial(super().listen_notify, on_notification, list(channels))
        await self._patiently(ask, patience=float("inf"))

    async def _patiently(self, ask: Callable[[], Awaitable[T]], *, patience: float | None = None) -> T:
        while True:
            try:
                answer = await ask()
            except ConnectorException as error:
                silent = time.monotonic() - self._last_answer
                if not _is_passing(error) or silent > (self._patience if patience is None else patience):
                    raise
                await asyncio.sleep(RETRY_SECONDS)
            else:
                self._last_answer = time.monotonic()
                return answer
