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
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn
from uuid import UUID

import structlog

from app.config.current import Current
from app.database.connections import open_pool
from app.database.failures import is_away
from app.database.threads import DatabaseThreads
from app.process.hangup import Terminal
from app.process.sign_of_life import SignOfLife
from app.process.signals import heard
from app.queue import jobs
from app.queue.consumer import CHORES_AT_ONCE, QueueConsumer
from app.records.processes import Kind
from app.reload.participant import Participant
from app.reload.reloader import Reloader
from app.worker.child_pool import Children
from app.worker.chores import carry_out_chores
from app.worker.parts import PartsMaker
from app.worker.status_jobs import StatusJobs
from broker.http.reason import why as reason_of
from broker.otlp.setup import hide_in_traces
from broker.text.redaction import Redaction

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from pathlib import Path

    from app.config.settings import Settings
    from app.queue.consumer import TakenJob
    from app.reload.reloader import ReadConfiguration
    from app.worker.parts import Parts, WorkerConfiguration

log = structlog.get_logger("worker")

STOP_MARGIN_SECONDS = 6.0
"""How much longer than `worker.stop_seconds` the end of the process may take, whatever is away then.

A run is handed back when its provider has stopped, which may take some seconds.
"""
SETTLE_SECONDS = 15.0
"""How long a process that lost its place waits for answers of GitHub.

It may have been frozen, and taken for dead: the status that it is setting may then replace a later one at GitHub.
"""
ALIVE_SECONDS, ALIVE_ROUNDS = 30.0, 3
"""For how long a worker counts as alive after a round: in seconds at least, and in `worker.stalled_seconds`."""
LEAVE_SECONDS = 8.0
"""How long what the process uses may take to be given back, where its work doesn't end; `serve` kills it soon after."""
CHORES_OUTSIDE = 4
"""The chores that may be in a thread of `asyncio.to_thread` at once, and keep no job from having one."""
STOPPED, LOST = 0, 1
"""Exit codes; whoever supervises a worker that lost its database starts it again."""


async def work(
    configuration: WorkerConfiguration,
    *,
    conninfo: str,
    data_dir: Path,
    file: Path,
    read: Callable[[Settings], ReadConfiguration[WorkerConfiguration]],
    on_leave: Callable[[], object],
) -> None:
    """Work until SIGTERM or SIGINT; when the database is lost, leave the process, with exit code `LOST`.

    Args:
        configuration: What it begins with.
        conninfo: The database.
        data_dir: Where checkouts are.
        file: The configuration file.
        read: Reads the configuration anew; it is called with the settings that the process has.
        on_leave: Gives back what the process uses, if it is left since its work doesn't end.
    """
    options = configuration.settings.worker
    name = f"{socket.gethostname()}:{os.getpid()}"
    threads = options.concurrency + CHORES_AT_ONCE
    asyncio.get_running_loop().set_default_executor(Threads(threads + CHORES_OUTSIDE))
    with ExitStack() as signals, open_pool(conninfo, size=threads) as pool:
        database = DatabaseThreads(pool, patience=options.stalled_seconds)
        children = Children(configuration.environment_of_children(), options.warm, keep=options.concurrency)
        maker = PartsMaker(name, data_dir, pool, database, children)
        current = Current(await maker.make(configuration))

        async def verify_job(job: TakenJob, run_id: str) -> None:
            await current.value.executor.carry_out(UUID(run_id), job)

        async def publish_job(job: TakenJob, run_id: str, attempt: int) -> None:
            await current.value.publisher.publish_again(UUID(run_id), attempt, losses=job.losses)

        async def look_job(job: TakenJob, provider: str) -> None:
            await current.value.looks.carry_out(job, provider)

        async def notice_job(_: TakenJob, provider: str) -> None:
            await asyncio.to_thread(current.value.notifier.look, provider)

        async def send_job(_: TakenJob, number: str) -> None:
            await asyncio.to_thread(current.value.notifier.messenger.send, UUID(number))

        status_jobs = StatusJobs(lambda: current.value.statuses, pool)
        consumer = QueueConsumer(
            conninfo,
            name=name,
            tasks={
                jobs.VERIFY: verify_job,
                jobs.PUBLISH: publish_job,
                jobs.STATUS: status_jobs.carry_out,
                jobs.LOOK: look_job,
                jobs.NOTICE_CHANGES: notice_job,
                jobs.SEND_NOTIFICATION: send_job,
            },
            runs_at_once=options.concurrency,
            limits=lambda: current.value.settings.runs_at_once,
            stop_seconds=options.stop_seconds,
            stalled_seconds=options.stalled_seconds,
            on_lease=children.extend,
        )
        life = SignOfLife(data_dir, name)
        worker = Worker(
            current, database, consumer=consumer, status_jobs=status_jobs, life=life, on_leave=on_leave
        )
        loop = asyncio.get_running_loop()
        secrets = set(configuration.access.secrets)
        latest = Current(configuration)

        async def take(read_again: WorkerConfiguration) -> None:
            configuration = read_again.after(latest.value)
            parts = await maker.make(configuration)
            latest.replace(configuration)
            # what is under way still has the former ones
            secrets.update(configuration.access.secrets)
            hide_in_traces(Redaction(secrets))
            children.renew(configuration.environment_of_children())
            await worker.go_by(parts)

        reloader = Reloader(
            f"worker {os.getpid()}",
            file,
            configuration.settings.digest,
            read=lambda: read(current.value.settings),
            take=lambda configuration: asyncio.run_coroutine_threadsafe(take(configuration), loop).result(),
        )
        participant = Participant(Kind.WORKER, reloader, data_dir=data_dir, pool=pool)
        signals.enter_context(worker.obeying_signals(reloader))
        children.fill()
        participant.start()
        log.info("worker started", worker=name, concurrency=options.concurrency)
        try:
            await worker.run()
        finally:
            participant.stop()
            life.withdraw()
            await children.close()
            database.close()
    log.info("worker stopped", worker=name)


class Threads(ThreadPoolExecutor):
    """Threads that the end of the process doesn't wait for: what somebody asks from one by then is not used any more.

    A broker or a target may take its time to answer; what was asked of it is asked again by another worker.
    """

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002, ARG002 - Python's
        """Take no further call, and let those that are under way go on."""
        super().shutdown(wait=False, cancel_futures=True)


class Worker:
    """The life of a worker's process: what it does for ever, until a signal or the loss of the database ends it.

    Args:
        current: The parts that follow the configuration.
        database: The database.
        consumer: Takes jobs and has them carried out.
        status_jobs: The jobs that set commit statuses.
        life: Its sign of life.
        on_leave: Gives back what the process uses, if its work doesn't end after a signal.
    """

    def __init__(
        self,
        current: Current[Parts],
        database: DatabaseThreads,
        *,
        consumer: QueueConsumer,
        status_jobs: StatusJobs,
        life: SignOfLife,
        on_leave: Callable[[], object],
    ) -> None:
        self._current = current
        self._database = database
        self._consumer = consumer
        self._status_jobs = status_jobs
        self._life = life
        self._on_leave = on_leave
        self._terminal = Terminal()
        self._knows_more = False
        self._stop = asyncio.Event()

    def obeying_signals(self, reloader: Reloader[Any]) -> AbstractContextManager[None]:
        """Stop at SIGTERM or SIGINT, also if one comes before the work has begun, and reload at SIGHUP.

        They do nothing any more after the block.
        """
        handlers: dict[int, Callable[[], object]] = {
            signal.SIGTERM: self._begin_to_stop,
            signal.SIGINT: self._begin_to_stop,
            signal.SIGHUP: partial(self.hang_up, reloader),
        }
        return heard(asyncio.get_running_loop(), handlers)

    async def run(self) -> None:
        """Work until SIGTERM or SIGINT; leave the process when the database is lost."""
        consuming = asyncio.create_task(self._consumer.run())
        recovering = asyncio.create_task(self._recover_forever())
        chores = asyncio.create_task(
            carry_out_chores(lambda: self._current.value.chores, self._database.call)
        )
        stopping = asyncio.create_task(self._stop.wait())
        watched = [consuming, recovering, chores]
        await asyncio.wait([*watched, stopping], return_when=asyncio.FIRST_COMPLETED)
        if not self._stop.is_set():
            why = next((task.exception() for task in watched if task.done() and not task.cancelled()), None)
            message = f"it lost its database or its queue: {_reason(why) if why else 'no reason was given'}"
            await self._status_jobs.settle(SETTLE_SECONDS)
            # an orderly end would wait for the database, again and again; the children leave when this process does
            self._leave(LOST, message)
        recovering.cancel()
        chores.cancel()
        self._give_sign(self._round_counts + self._end_limit)  # the last one: no round follows
        self._consumer.stop()  # no new job; running ones have their time
        await asyncio.gather(consuming, return_exceptions=True)
        await self._status_jobs.settle(STOP_MARGIN_SECONDS)

    async def go_by(self, parts: Parts) -> None:
        """Go by other parts from now on; runs that have waited for their provider start, now or with the next round."""
        self._current.replace(parts)
        # again with the next round: another worker, which knew nothing yet, may have taken one meanwhile
        self._knows_more = True
        try:
            await self._go_on()
        except Exception as error:
            if not is_away(error):
                raise

    def hang_up(self, reloader: Reloader[Any]) -> None:
        """Take the configuration anew, in a thread of its own; stop if the signal says that the terminal is gone."""
        if self._terminal.is_gone:
            self._begin_to_stop()
        else:
            threading.Thread(target=reloader.reload, daemon=True, name="reload").start()

    async def _go_on(self) -> None:
        parts = self._current.value
        known = [provider.name for provider in parts.settings.providers]
        await self._database.call(parts.changes.go_on, known)

    def _begin_to_stop(self) -> None:
        self._stop.set()
        message = f"its work did not end within {self._end_limit:g} s, and is taken up again"
        asyncio.get_running_loop().call_later(self._end_limit, self._leave, STOPPED, message)

    @property
    def _end_limit(self) -> float:
        """How many seconds the end may take."""
        return self._current.value.settings.worker.stop_seconds + STOP_MARGIN_SECONDS

    @property
    def _round_counts(self) -> float:
        """For how many seconds the worker counts as alive after a round."""
        return max(ALIVE_SECONDS, ALIVE_ROUNDS * self._current.value.settings.worker.stalled_seconds)

    async def _recover_forever(self) -> None:
        """Look after jobs and runs that nobody carries out.

        Raises:
            psycopg.OperationalError: The database was away for longer than `worker.stalled_seconds`.
        """
        seconds = self._current.value.settings.worker.stalled_seconds
        first = True
        while True:
            try:
                await self._recover(first=first)
                first = False
            except Exception as error:
                if is_away(error):
                    raise
                log.error("recovery failed", error=f"{type(error).__name__}: {error}")  # noqa: TRY400 - tried again
            # a round that failed was one, too: starting the process again would change nothing
            self._give_sign(self._round_counts)
            await asyncio.sleep(seconds / 4)

    def _leave(self, code: int, message: str) -> NoReturn:
        self._life.withdraw()
        if code == STOPPED:  # a database that was lost may not let go of anything
            giving_back = threading.Thread(target=self._on_leave, daemon=True, name="leave")
            giving_back.start()
            giving_back.join(LEAVE_SECONDS)
        _leave(code, message)

    def _give_sign(self, seconds: float) -> None:
        try:
            self._life.give(seconds)
        except OSError as error:
            log.warning("the sign of life could not be given", error=reason_of(error))

    async def _recover(self, *, first: bool) -> None:
        parts = self._current.value
        if first or self._knows_more:
            self._knows_more = False
            await self._go_on()
        # when the database comes back, the workers that live need a moment to show that they do
        if self._database.seconds_since_away > parts.settings.worker.stalled_seconds / 2:
            queued, adopted = await self._database.call(
                parts.recovery.recover, alive=self._consumer.worker_ids, running=self._consumer.running
            )
            if queued or adopted:
                log.warning("runs taken up again", jobs=queued, without_job=adopted)
        await self._database.call(self._consumer.register)
        await self._database.call(parts.statuses.catch_up)


def _leave(code: int, message: str) -> NoReturn:
    """Leave the process without waiting for anything in it."""
    (log.error if code else log.warning)("worker left", reason=message)
    os._exit(code)


def _reason(error: BaseException) -> str:
    """Return why an error came, in one line; Procrastinate's own say nothing of what the database said."""
    return " ".join(str(error.__cause__ or error).split()) or type(error).__name__
