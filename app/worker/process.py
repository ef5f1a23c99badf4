"""The worker's process: its parts put together, its signals, and its end.

The job of a run ends in one of these ways: its result is published, or it has none; the run is queued for another
attempt; the run is cancelled; or, if this process dies, the job is queued again by `recovery`. Each attempt has a
number, and only the latest one writes and publishes.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, NoReturn
from uuid import UUID

import structlog

from app.database.connections import open_pool
from app.database.failures import is_away
from app.database.threads import DatabaseThreads
from app.queue import jobs
from app.queue.consumer import CHORES_AT_ONCE, QueueConsumer
from app.records.run_changes import RunChanges
from app.records.run_links import RunLinks
from app.records.signing_keys import dashboard_key
from app.statuses.status_setter import StatusSetter
from app.worker.child_input import ChildInputs
from app.worker.child_pool import Children
from app.worker.chores import carry_out_chores, chores_of, completion, look_at_broker, reconciliation
from app.worker.executor import Executor, lock_of
from app.worker.look_jobs import LookJobs
from app.worker.publisher import Publisher
from app.worker.recovery import Recovery
from app.worker.relay import Relay
from app.worker.status_jobs import StatusJobs
from app.worker.token_expiry import note_token

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from app.config.settings import Settings
    from app.github.client import GitHub
    from app.queue.consumer import TakenJob
    from app.worker.chores import Chore
    from app.worker.look_jobs import Diagnose
    from broker.http.access import BrokerAccess
    from verifier.confinement import Account

log = structlog.get_logger("worker")

STOP_MARGIN_SECONDS = 3.0
"""How much longer than `worker.stop_seconds` the end of the process may take, whatever is away then."""
SETTLE_SECONDS = 15.0
"""How long a process that lost its place waits for answers of GitHub.

It may have been frozen, and taken for dead: the status that it is setting may then replace a later one at GitHub.
"""
STOPPED, LOST = 0, 1
"""Exit codes; whoever supervises a worker that lost its database starts it again."""


async def work(
    settings: Settings,
    access: BrokerAccess,
    *,
    conninfo: str,
    data_dir: Path,
    environment: Mapping[str, str],
    accounts: Mapping[str, Account],
    github: GitHub | None = None,
    diagnose: Diagnose | None = None,
) -> None:
    """Work until SIGTERM or SIGINT; when the database is lost, leave the process, with exit code `LOST`.

    Args:
        settings: The configuration.
        access: The broker.
        conninfo: The database.
        data_dir: Where checkouts are.
        environment: Of this process, where secrets of providers are.
        accounts: Those that providers' commands run as, by the provider's name; that of this process for others.
        github: Sets commit statuses, and is relayed to; None where neither is configured.
        diagnose: Returns what `doctor` finds of a provider, for its page; None where it isn't asked.
    """
    options = settings.worker
    name = f"{socket.gethostname()}:{os.getpid()}"
    threads = options.concurrency + CHORES_AT_ONCE
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(threads + 1))
    with open_pool(conninfo, size=threads) as pool:
        database = DatabaseThreads(pool, patience=options.stalled_seconds)
        if github is not None:
            github.watch_token(partial(note_token, pool))
        key = await database.call(dashboard_key) if settings.server.share_links else None
        page_of = RunLinks(settings.server, key).page_of
        statuses = StatusSetter(settings, github, page_of)
        changes = RunChanges(statuses.follow)
        inputs = ChildInputs(settings, access, data_dir, environment, accounts, page_of)
        children = Children(inputs.environment(), options.warm, keep=options.concurrency)
        publisher = Publisher(
            database,
            changes,
            access,
            plan=options.publish_retry_plan,
            log_bytes=settings.retention.log_kilobytes * 1024,
        )
        executor = Executor(
            settings,
            database=database,
            changes=changes,
            children=children,
            publisher=publisher,
            worker=name,
            inputs=inputs,
            relay=None if github is None else Relay(settings, github, database, changes).carry_out,
        )

        async def verify_job(job: TakenJob, run_id: str) -> None:
            await executor.carry_out(UUID(run_id), job)

        async def publish_job(job: TakenJob, run_id: str, attempt: int) -> None:
            await publisher.publish_again(UUID(run_id), attempt, losses=job.losses)

        status_jobs = StatusJobs(statuses, pool)
        consumer = QueueConsumer(
            conninfo,
            name=name,
            tasks={
                jobs.VERIFY: verify_job,
                jobs.PUBLISH: publish_job,
                jobs.STATUS: status_jobs.carry_out,
                jobs.LOOK: LookJobs(settings, access, pool, diagnose).carry_out,
            },
            runs_at_once=options.concurrency,
            stop_seconds=options.stop_seconds,
            stalled_seconds=options.stalled_seconds,
        )
        worker = Worker(
            settings,
            database,
            consumer=consumer,
            changes=changes,
            statuses=statuses,
            status_jobs=status_jobs,
            chores=(
                *chores_of(settings, database.call),
                *completion(database.call, publisher.complete),
                *reconciliation(settings, access, pool.connection),
                *look_at_broker(access, database.call),
            ),
        )
        children.fill()
        log.info("worker started", worker=name, concurrency=options.concurrency)
        try:
            await worker.run()
        finally:
            await children.close()
            database.close()
    log.info("worker stopped", worker=name)


class Worker:
    """The life of a worker's process: what it does for ever, until a signal or the loss of the database ends it.

    Args:
        settings: The configuration.
        database: The database.
        consumer: Takes jobs and has them carried out.
        changes: The changes of runs.
        statuses: The commit statuses.
        status_jobs: The jobs that set them.
        chores: What is done now and then.
    """

    def __init__(
        self,
        settings: Settings,
        database: DatabaseThreads,
        *,
        consumer: QueueConsumer,
        changes: RunChanges,
        statuses: StatusSetter,
        status_jobs: StatusJobs,
        chores: tuple[Chore, ...],
    ) -> None:
        self._settings = settings
        self._database = database
        self._consumer = consumer
        self._changes = changes
        self._statuses = statuses
        self._status_jobs = status_jobs
        self._chores = chores
        self._recovery = Recovery(changes, settings.worker, partial(lock_of, settings))
        self._stop = asyncio.Event()

    async def run(self) -> None:
        """Work until SIGTERM or SIGINT; leave the process when the database is lost."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._begin_to_stop)
        consuming = asyncio.create_task(self._consumer.run())
        recovering = asyncio.create_task(self._recover_forever())
        chores = asyncio.create_task(carry_out_chores(self._chores, self._database.call))
        stopping = asyncio.create_task(self._stop.wait())
        watched = [consuming, recovering, chores]
        await asyncio.wait([*watched, stopping], return_when=asyncio.FIRST_COMPLETED)
        if not self._stop.is_set():
            why = next((task.exception() for task in watched if task.done() and not task.cancelled()), None)
            message = f"it lost its database or its queue: {why or 'no reason was given'}"
            await self._status_jobs.settle(SETTLE_SECONDS)
            # an orderly end would wait for the database, again and again; the children leave when this process does
            _leave(LOST, message)
        recovering.cancel()
        chores.cancel()
        consuming.cancel()  # no new job; running ones have their time
        await asyncio.gather(consuming, return_exceptions=True)

    def _begin_to_stop(self) -> None:
        self._stop.set()
        limit = self._settings.worker.stop_seconds + STOP_MARGIN_SECONDS
        message = f"its work did not end within {limit:g} s, and is taken up again"
        asyncio.get_running_loop().call_later(limit, _leave, STOPPED, message)

    async def _recover_forever(self) -> None:
        """Look after jobs and runs that nobody carries out.

        Raises:
            psycopg.OperationalError: The database was away for longer than `worker.stalled_seconds`.
        """
        seconds = self._settings.worker.stalled_seconds
        first = True
        while True:
            try:
                await self._recover(first=first)
                first = False
            except Exception as error:
                if is_away(error):
                    raise
                log.error("recovery failed", error=f"{type(error).__name__}: {error}")  # noqa: TRY400 - tried again
            await asyncio.sleep(seconds / 4)

    async def _recover(self, *, first: bool) -> None:
        if first:
            known = [provider.name for provider in self._settings.providers]
            await self._database.call(self._changes.go_on, known)
        # when the database comes back, the workers that live need a moment to show that they do
        if self._database.seconds_since_away > self._settings.worker.stalled_seconds / 2:
            queued, adopted = await self._database.call(
                self._recovery.recover, alive=self._consumer.worker_ids, running=self._consumer.running
            )
            if queued or adopted:
                log.warning("runs taken up again", jobs=queued, without_job=adopted)
        await self._database.call(self._consumer.register)
        await self._database.call(self._statuses.catch_up)


def _leave(code: int, message: str) -> NoReturn:
    """Leave the process without waiting for anything in it."""
    (log.error if code else log.warning)("worker left", reason=message)
    os._exit(code)
