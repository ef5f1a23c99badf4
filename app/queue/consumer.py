"""The jobs of one worker process: taken from the queues by Procrastinate, carried out by the functions given."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, TypeVar

import procrastinate
import structlog
from procrastinate import JobContext, PsycopgConnector
from procrastinate.exceptions import ConnectorException
from procrastinate.worker import Worker as QueueWorker

from app.database.connections import connection_options
from app.database.failures import may_pass
from app.queue import jobs, workers

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping
    from typing import LiteralString

    from procrastinate.connector import Notify
    from psycopg import Connection

T = TypeVar("T")

POLL_SECONDS = 0.5
"""How long a job waits at most if its notification was missed."""
RETRY_SECONDS = 0.5
CONNECTIONS = 8
CHORES_AT_ONCE = 4

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


class QueueConsumer:
    """Takes jobs from both queues.

    Args:
        conninfo: The database.
        name: This worker's, for people.
        tasks: The functions of the tasks, by the task's name: each is called with the job and its arguments.
        runs_at_once: How many jobs of `jobs.RUNS` are carried out at once.
        stop_seconds: How long jobs may go on when this is cancelled, before they are.
        stalled_seconds: After so long without a heartbeat this worker is taken for dead. A database that is away for
            less than that is waited for.
    """

    def __init__(
        self,
        conninfo: str,
        *,
        name: str,
        tasks: Mapping[str, Callable[..., Awaitable[None]]],
        runs_at_once: int,
        stop_seconds: float,
        stalled_seconds: float,
    ) -> None:
        self._running: set[int] = set()
        self._name, self._runs_at_once = name, runs_at_once
        self._app = procrastinate.App(connector=_PatientConnector(conninfo, stalled_seconds))
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
                update_heartbeat_interval=max(0.2, stalled_seconds / 5),
                stalled_worker_timeout=stalled_seconds,
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

    async def run(self) -> None:
        """Take jobs until this is cancelled; then those that run have their time to end.

        Raises:
            ConnectorException: The database was away for longer than `stalled_seconds`.
        """
        async with self._app.open_async():
            workers = [asyncio.create_task(_run(worker)) for worker in self._workers]
            try:
                await asyncio.wait(workers, return_when=asyncio.FIRST_COMPLETED)
                await next(worker for worker in workers if worker.done())
            finally:
                for worker in workers:
                    worker.cancel()
                await asyncio.gather(*workers, return_exceptions=True)

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

    async def listen_notify(self, on_notification: Notify, channels: Iterable[str]) -> None:
        await self._patiently(partial(super().listen_notify, on_notification, list(channels)))

    async def _patiently(self, ask: Callable[[], Awaitable[T]]) -> T:
        while True:
            try:
                answer = await ask()
            except ConnectorException as error:
                silent = time.monotonic() - self._last_answer
                if error.__cause__ is None or not may_pass(error.__cause__) or silent > self._patience:
                    raise
                await asyncio.sleep(RETRY_SECONDS)
            else:
                self._last_answer = time.monotonic()
                return answer
