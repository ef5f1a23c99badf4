"""The worker: takes jobs from the queue, verifies in child processes, publishes.

A run's job ends in one of these ways: published or finished; handed back for another attempt; cancelled; or, if this
process dies, taken up again by `recovery`. Each attempt has a number, and only the latest one writes and publishes.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any, Concatenate, NoReturn, ParamSpec, TypeVar
from uuid import UUID

import procrastinate
import psycopg
import structlog
from procrastinate import JobContext, PsycopgConnector
from procrastinate.worker import Worker as QueueWorker

from app.config.provider import CheckoutProvider, RelayedProvider, secret_values
from app.config.values import values_of
from app.database.connections import connection_options, open_pool
from app.database.threads import DatabaseThreads
from app.process.environment import child_environment
from app.queue import jobs
from app.records import deliveries, runs
from app.records.run_log import RunLog
from app.records.run_status import Publishing
from app.records.runs import Failure
from app.statuses.status_setter import StatusSetter
from app.worker import chores as housekeeping
from app.worker import recovery, relay
from app.worker.child_pool import ChildFailed, Children
from app.worker.protocol import LOG, TOTAL, VERIFICATION, Order
from verifier.errors import PublishFailed
from verifier.publishing import publish
from verifier.verification import Outcome, Verification

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from psycopg import Connection
    from psycopg_pool import ConnectionPool

    from app.config.provider import VerifiedProvider
    from app.config.settings import Settings
    from app.github.client import GitHub
    from app.records.runs import Run
    from broker.http.access import BrokerAccess

P = ParamSpec("P")
R = TypeVar("R")

log = structlog.get_logger("worker")

POLL_SECONDS = 0.5
"""How long a job waits at most whose notification was missed."""
FLUSH_SECONDS = 1.0
PUBLISH_SECONDS = 10.0
"""How long a run's own job tries to publish, before that becomes a job of its own."""
CHORES_AT_ONCE = 4
GRACE_SECONDS = 30.0
"""How much longer than its time limit a run may take before its child is killed."""
STOP_MARGIN_SECONDS = 3.0
"""How much longer than `worker.stop_seconds` the end of the process may take, whatever is away then."""
STOP_PUBLISHING_SECONDS = 2.0
"""How long a result that is being published may take when its run is stopped."""
STOPPED, LOST = 0, 1
"""Exit codes; whoever supervises a worker that lost its database starts it again."""
MOST_ATTEMPTS = 25
"""A run that takes its worker down with it, again and again, must end."""


class Worker:
    """One worker process.

    Args:
        settings: the configuration.
        access: the broker.
        conninfo: the database.
        data_dir: where checkouts are.
        environment: of this process, where secrets of providers are.
        github: sets commit statuses, and is relayed to; None where neither is configured.
    """

    def __init__(
        self,
        settings: Settings,
        access: BrokerAccess,
        *,
        conninfo: str,
        data_dir: Path,
        environment: Mapping[str, str],
        github: GitHub | None = None,
    ) -> None:
        self._settings = settings
        self._access = access
        self._conninfo = conninfo
        self._data_dir = data_dir
        self._environment = environment
        self._github = github
        self._statuses = StatusSetter(settings, github)
        self._name = f"{socket.gethostname()}:{os.getpid()}"
        self._children = Children(
            environment_of_children(settings, environment),
            settings.worker.warm,
            keep=settings.worker.concurrency,
        )
        self._stop = asyncio.Event()
        self._app = procrastinate.App(
            connector=PsycopgConnector(
                conninfo=conninfo, kwargs=connection_options(conninfo), min_size=1, max_size=8, timeout=5
            )
        )
        self._app.task(name=jobs.VERIFY, queue=jobs.RUNS, pass_context=True)(self._verify_job)
        self._app.task(name=jobs.PUBLISH, queue=jobs.CHORES)(self._publish_job)
        self._app.task(name=jobs.STATUS, queue=jobs.CHORES)(self._status_job)

    async def run(self) -> None:
        """Work until SIGTERM or SIGINT; when the database is lost, leave the process at once, with exit code `LOST`."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._begin_to_stop)
        with open_pool(self._conninfo, size=self._settings.worker.concurrency + CHORES_AT_ONCE) as pool:
            self._pool: ConnectionPool[Any] = pool
            self._database = DatabaseThreads(pool)
            loop.set_default_executor(
                ThreadPoolExecutor(self._settings.worker.concurrency + CHORES_AT_ONCE + 1)
            )
            async with self._app.open_async():
                await self._children.fill()
                log.info("worker started", worker=self._name, concurrency=self._settings.worker.concurrency)
                try:
                    await self._work()
                finally:
                    await self._children.close()
                    self._database.close()
        log.info("worker stopped", worker=self._name)

    async def _work(self) -> None:
        options = self._settings.worker
        common: dict[str, Any] = {
            "name": self._name,
            "install_signal_handlers": False,
            "listen_notify": True,
            "delete_jobs": "always",
            "fetch_job_polling_interval": POLL_SECONDS,
            "abort_job_polling_interval": 1.0,
            "shutdown_graceful_timeout": options.stop_seconds,
            "update_heartbeat_interval": max(0.2, options.stalled_seconds / 5),
            "stalled_worker_timeout": options.stalled_seconds,
        }
        self._takers = [
            QueueWorker(self._app, queues=[queue], concurrency=at_once, **common)
            for queue, at_once in ((jobs.RUNS, options.concurrency), (jobs.CHORES, CHORES_AT_ONCE))
        ]
        workers = [asyncio.create_task(_run(taker)) for taker in self._takers]
        recovering = asyncio.create_task(self._recover_forever())
        chores = (
            *housekeeping.chores_of(self._settings, self._database.call),
            *housekeeping.looks_for_missed(self._settings, self._access, self._pool.connection),
        )
        house = asyncio.create_task(housekeeping.keep_house(chores, self._database.call))
        stopping = asyncio.create_task(self._stop.wait())
        watched = [*workers, recovering, house]
        await asyncio.wait([*watched, stopping], return_when=asyncio.FIRST_COMPLETED)
        if not self._stop.is_set():
            why = next((task.exception() for task in watched if task.done() and not task.cancelled()), None)
            message = f"it lost its database or its queue: {why or 'no reason was given'}"
            # an orderly end would wait for the database, again and again; the children leave when this process does
            _leave(LOST, message)
        recovering.cancel()
        house.cancel()
        for worker in workers:
            worker.cancel()  # no new job; running ones have their time
        await asyncio.gather(*workers, return_exceptions=True)

    def _begin_to_stop(self) -> None:
        self._stop.set()
        limit = self._settings.worker.stop_seconds + STOP_MARGIN_SECONDS
        message = f"its work did not end within {limit:g} s, and is taken up again"
        asyncio.get_running_loop().call_later(limit, _leave, STOPPED, message)

    async def _recover_forever(self) -> None:
        seconds = self._settings.worker.stalled_seconds
        while True:
            jobs_back, adopted = await self._database.call(
                recovery.recover,
                stalled_seconds=seconds,
                lock_of=self._lock_of,
                alive=[taker.worker_id for taker in self._takers if taker.worker_id is not None],
            )
            if jobs_back or adopted:
                log.warning("runs taken up again", jobs=jobs_back, without_job=adopted)
            await self._database.call(self._statuses.catch_up)
            await asyncio.sleep(seconds / 4)

    def _lock_of(self, provider: str) -> str | None:
        found = self._settings.provider_named(provider)
        return jobs.lock_of(provider, parallel=found is not None and found.parallel)

    async def _change(
        self,
        run_id: UUID,
        function: Callable[Concatenate[Connection[Any], P], R],
        *arguments: P.args,
        **options: P.kwargs,
    ) -> R:
        """Change a run; its commit's status follows in the same transaction."""

        def change(connection: Connection[Any]) -> R:
            result = function(connection, *arguments, **options)
            self._statuses.follow(connection, run_id)
            return result

        return await self._database.call(change)

    async def _verify_job(self, context: JobContext, run_id: str) -> None:
        """Carry out one attempt of a run."""
        job_id = context.job.id
        assert job_id is not None  # noqa: S101 - it came from the queue
        run = await self._change(UUID(run_id), runs.begin, UUID(run_id), job_id, self._name)
        if run is None:
            await self._change(UUID(run_id), runs.cancelled, UUID(run_id))
            return
        with structlog.contextvars.bound_contextvars(run=run_id, provider=run.provider, attempt=run.attempt):
            try:
                await self._attempt(run)
            except asyncio.CancelledError:
                await asyncio.shield(self._stopped(run))
                raise

    async def _attempt(self, run: Run) -> None:
        provider = self._settings.provider_named(run.provider)
        run_log = RunLog(self._settings.retention.log_kilobytes * 1024)
        if run.attempt > 1:
            run_log.add(f"Attempt {run.attempt}")
        if provider is None:
            await self._fail(
                run,
                run_log,
                Failure("unknown-provider", f"there is no provider {run.provider!r} in the configuration"),
            )
            return
        if isinstance(provider, RelayedProvider):
            await self._relay(run, provider, run_log)
            return
        if run.attempt > MOST_ATTEMPTS:
            message = f"given up after {run.attempt - 1} attempts, each of which ended with its worker"
            await self._fail(run, run_log, Failure("given-up", message))
            return
        if run.publishing is not Publishing.PENDING:
            to_publish = await self._verify(run, provider, run_log)
            if to_publish is None:
                return
            run = to_publish
        publishing = asyncio.create_task(self._publish(run, run_log, resumed=run.attempt > 1))
        try:
            await asyncio.shield(publishing)
        except asyncio.CancelledError:
            # the result may be in the broker any moment now, or not for hours, where the broker is away
            await asyncio.wait([publishing], timeout=STOP_PUBLISHING_SECONDS)
            if not publishing.done():
                await self._change(run.id, runs.not_published, run, "its worker was stopped", wait=0.0)
            raise

    async def _relay(self, run: Run, provider: RelayedProvider, run_log: RunLog) -> None:
        if self._github is None:
            await self._fail(run, run_log, Failure("configuration", "there are no credentials for GitHub"))
            return
        carry_out = partial(relay.carry_out, lock=self._lock_of(run.provider))
        relaying = asyncio.create_task(
            asyncio.to_thread(
                carry_out, self._pool, self._github, self._settings.github, provider, run, run_log
            )
        )
        try:
            await asyncio.shield(relaying)
        except asyncio.CancelledError:
            await relaying  # what has begun is brought to its end: GitHub may have it already
            raise

    async def _verify(self, run: Run, provider: VerifiedProvider, run_log: RunLog) -> Run | None:
        """Verify; gives the run whose result is to be published, None if there is nothing to publish."""
        answered = await self._database.call(deliveries.of_run, run.id)
        log.info(
            "run started",
            deliveries=[str(delivery_id) for delivery_id in answered],
            pact_url=run.pact_url,
            consumer=run.consumer,
            sha=run.sha,
        )
        try:
            order = self._order(run, provider)
        except ValueError as error:
            unreadable = Failure(
                "configuration", f"a secret of the provider is missing: {error}", retryable=True
            )
            await self._failed(run, run_log, unreadable)
            return None
        child = await self._children.take()
        ended = asyncio.Event()
        keeping = asyncio.create_task(self._keep_log(run, run_log, ended))
        usable = False
        try:
            async with asyncio.timeout(provider.timeout + GRACE_SECONDS):
                event = await child.carry_out(order, partial(_note, run_log))
            usable = event["event"] == VERIFICATION and event["verification"]["outcome"] != Outcome.ERROR
        except ChildFailed as error:
            output = order.redaction().text(error.failure.output)
            event = {"event": "failed", **vars(error.failure), "output": output}
        except TimeoutError:
            event = {
                "event": "failed",
                "kind": "timed-out",
                "message": f"time ran out: the run took longer than {provider.timeout:g} s (timeout)",
                "retryable": False,
            }
        finally:
            ended.set()
            self._children.give_back(child, usable=usable)
            # what is being written now must not come after the run's last words
            await asyncio.wait([keeping])
        return await self._verified(run, run_log, event)

    async def _verified(self, run: Run, run_log: RunLog, event: dict[str, Any]) -> Run | None:
        if event["event"] != VERIFICATION:
            failure = Failure(
                event["kind"], event["message"], event.get("retryable", False), event.get("output", "")
            )
            await self._failed(run, run_log, failure)
            return None
        verification = event["verification"]
        error = verification["error"]
        if error is not None and error["retryable"] and self._wait_for_next(run) is not None:
            failure = Failure(error["kind"], error["message"], retryable=True, output=error["output"])
            await self._failed(run, run_log, failure)
            return None
        publishable = verification["outcome"] != Outcome.ERROR and bool(verification["provider_version"])
        run_log.add(f"Outcome: {verification['outcome']}" + (f": {error['message']}" if error else ""))
        kept = await self._change(run.id, runs.verified, run, verification, publish=publishable)
        log.info("verified", outcome=verification["outcome"], seconds=round(verification["duration"], 3))
        if kept is None:
            log.warning("another worker has taken this run up: its outcome is not kept")
            return None
        if not publishable:
            await self._change(run.id, _finish_and_keep_log, run, run_log.text())
            return None
        return kept

    async def _publish(self, run: Run, run_log: RunLog, *, resumed: bool) -> None:
        verification = await self._database.call(runs.verification_of, run.id)
        assert verification is not None  # noqa: S101 - what is to be published was verified
        try:
            result = await asyncio.to_thread(
                publish,
                Verification.from_dict(verification),
                self._access,
                resumed=resumed,
                retry_time=PUBLISH_SECONDS,
            )
        except PublishFailed as error:
            wait = self._publish_wait(run) if error.retryable else None
            run_log.add(f"Not published: {error}")
            await self._change(run.id, runs.not_published, run, str(error), wait=wait)
            log.warning("not published", error=str(error), retry_in=wait)
        else:
            run_log.add(f"Published, confirmed: {result.url}")
            await self._change(run.id, runs.published, run, result.url)
            log.info("published", result=result.url, outcome=run.outcome)
        await self._database.call(runs.keep_log, run.id, run_log.text())

    async def _status_job(self, status_id: int) -> None:
        """Set a commit's status."""
        await asyncio.to_thread(self._statuses.carry_out, self._pool, status_id)

    async def _publish_job(self, run_id: str, attempt: int) -> None:
        """Try again to publish the result of a run."""
        run = await self._database.call(runs.to_publish, UUID(run_id), attempt)
        if run is None:
            return
        run_log = RunLog(self._settings.retention.log_kilobytes * 1024)
        for line in (await self._database.call(runs.log_of, run.id)).splitlines():
            run_log.repeat(line)
        with structlog.contextvars.bound_contextvars(run=run_id, provider=run.provider):
            await self._publish(run, run_log, resumed=True)

    def _publish_wait(self, run: Run) -> float | None:
        """Give the seconds until publishing is tried again; None when it has been tried long enough."""
        return self._settings.worker.publish_retry_plan.wait_after(run.publish_attempts + 1)

    def _wait_for_next(self, run: Run) -> float | None:
        return self._settings.worker.retry_plan.wait_after(run.attempt)

    async def _failed(self, run: Run, run_log: RunLog, failure: Failure) -> None:
        """Have a run that came to nothing tried again, if that may help."""
        wait = self._wait_for_next(run) if failure.retryable else None
        if wait is None:
            await self._fail(run, run_log, failure)
            return
        run_log.add(f"Could not verify: {failure.message}")
        run_log.add(f"Tried again in {wait:g} s")
        await self._database.call(runs.keep_log, run.id, run_log.text())
        await self._change(run.id, runs.try_again, run, failure, wait=wait, lock=self._lock_of(run.provider))
        log.warning("could not verify", error=failure.message, kind=failure.kind, retry_in=wait)

    async def _fail(self, run: Run, run_log: RunLog, failure: Failure) -> None:
        run_log.add(f"Could not verify: {failure.message}")
        await self._database.call(runs.keep_log, run.id, run_log.text())
        await self._change(run.id, runs.fail, run, failure)
        log.error("could not verify", error=failure.message, kind=failure.kind)

    async def _stopped(self, run: Run) -> None:
        """Hand a run back whose worker stops, unless it was stopped because it was cancelled."""
        if await self._change(run.id, runs.cancelled, run.id):
            log.info("run cancelled")
            return
        handed_back = await self._database.call(
            runs.try_again, run, None, wait=0.0, lock=self._lock_of(run.provider)
        )
        if handed_back:
            log.info("run handed back")

    async def _keep_log(self, run: Run, run_log: RunLog, ended: asyncio.Event) -> None:
        """Keep the log of a run while it goes on, for whoever looks."""
        while not ended.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(ended.wait(), FLUSH_SECONDS)
            if run_log.changed and not ended.is_set():
                # a failure shows where the outcome is kept
                with contextlib.suppress(psycopg.Error):
                    await self._database.call(runs.keep_log, run.id, run_log.text())

    def _order(self, run: Run, provider: VerifiedProvider) -> Order:
        """Write a run's order.

        Raises:
            ValueError: a secret value isn't where the configuration says it is (any more).
        """
        public_url = self._settings.server.public_url
        access = self._access
        return Order(
            pact_url=run.pact_url,
            provider=provider.model_dump(mode="json"),
            broker={
                "base_url": access.base_url,
                "username": access.username,
                "password": access.password,
                "token": access.token,
            },
            data_dir=str(self._data_dir),
            sha=run.sha,
            branch=run.branch,
            build_url=f"{public_url.rstrip('/')}/runs/{run.id}" if public_url else None,
            checkout_url=values_of({"url": provider.checkout.url}, self._environment)["url"]
            if isinstance(provider, CheckoutProvider)
            else None,
            headers=values_of(provider.headers, self._environment),
            environment=values_of(provider.environment, self._environment),
            secrets=tuple(secret_values(provider, self._environment)),
        )


def _leave(code: int, message: str) -> NoReturn:
    """Leave the process without waiting for anything in it."""
    (log.error if code else log.warning)("worker left", reason=message)
    os._exit(code)


async def _run(taker: QueueWorker) -> None:
    run: Any = taker.run  # Procrastinate has no type for it
    await run()


def environment_of_children(settings: Settings, environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment for children, without the secrets of the receiver and of all providers."""
    sources = [source for provider in settings.providers for source in provider.secret_sources]
    return child_environment(environment, names={source.env for source in sources if source.env is not None})


def _note(run_log: RunLog, event: dict[str, Any]) -> None:
    """Keep an event of a child in the run's log."""
    if event["event"] == LOG:
        run_log.add(event["text"])
    elif event["event"] == TOTAL:
        run_log.add(f"{event['interactions']} interactions to verify")


def _finish_and_keep_log(connection: Connection[Any], run: Run, text: str) -> None:
    runs.keep_log(connection, run.id, text)
    runs.finish(connection, run)
