"""One attempt of a run: from a job of the queue to a published result, or to the reason why there is none."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import structlog

from app.config.provider import RelayedProvider
from app.database.failures import is_away
from app.queue import jobs
from app.records import deliveries, run_spans, runs
from app.records.run import SUPERSEDED, Failure, Publishing
from app.records.run_log import RunLog, store_log, stored_chunks
from app.records.run_trace import RunTrace
from app.worker.all_pacts import AllPacts, outcome_of
from app.worker.child_pool import ChildFailed
from app.worker.protocol import AllVerified, LogLine, PactVerified, Reached, SpansEnded, Verified
from app.worker.publisher import MOST_LOSSES, store_with_log
from app.worker.unexpected import failure_of
from broker.otlp.setup import new_context
from broker.text.redacted_lines import redacted_output
from verifier.report.amounts import count
from verifier.verification import Outcome, Verification

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from uuid import UUID

    from app.config.provider import VerifiedProvider
    from app.config.settings import Settings
    from app.queue.consumer import TakenJob
    from app.records.run import Run
    from app.records.run_changes import RunChanges
    from app.worker.child_input import ChildInputs
    from app.worker.child_pool import Children
    from app.worker.protocol import AttemptRequest, ChildMessage, LastMessage
    from app.worker.publisher import Database, Publisher

FLUSH_SECONDS = 1.0
"""How often the log of a run is stored while it goes on."""
FULL_FLUSH_SECONDS = 10.0
"""How often it is when it has reached its limit: then what is stored is soon deleted again."""
GRACE_SECONDS = 30.0
"""How much longer than its time limit a run may take before its child is killed."""
STOP_PUBLISHING_SECONDS = 2.0
"""How long a result that is being published may take when its run is stopped."""
UNKNOWN_PROVIDER_SECONDS = 60.0
"""How often a worker tries a run of a provider that is not in its configuration."""
PAUSED_SECONDS = 3600.0
"""How often it tries one of a provider that is paused; whoever resumes that starts it at once."""

NO_VERIFICATION = Failure(
    "engine-failed", "the process that verified ended without a verification", retryable=True
)

log = structlog.get_logger("worker")


def lock_of(settings: Settings, provider: str) -> str | None:
    """Return the lock of a provider's runs."""
    found = settings.provider_named(provider)
    return jobs.lock_of(provider, parallel=found is not None and found.parallel)


class Executor:
    """Carries out the attempts of runs.

    Args:
        settings: The configuration.
        database: The database.
        changes: The changes of runs.
        children: The child processes that verify.
        publisher: Publishes results.
        worker: This worker's name.
        inputs: Makes the requests to children.
        relay: Passes a run's dispatch on to GitHub; None where nothing is relayed.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        database: Database,
        changes: RunChanges,
        children: Children,
        publisher: Publisher,
        worker: str,
        inputs: ChildInputs,
        relay: Callable[[Run, RelayedProvider, RunLog], Awaitable[None]] | None = None,
    ) -> None:
        self._settings = settings
        self._database = database
        self._changes = changes
        self._children = children
        self._publisher = publisher
        self._worker = worker
        self._inputs = inputs
        self._relay = relay
        self._known = [provider.name for provider in settings.providers]
        self._log_bytes = settings.retention.log_kilobytes * 1024

    async def carry_out(self, run_id: UUID, job: TakenJob) -> None:
        """Carry out one attempt of a run."""
        beginning = asyncio.ensure_future(
            self._database.call(
                self._changes.begin,
                run_id,
                job.id,
                self._worker,
                providers=self._known,
                trace=_new_trace(),
            )
        )
        try:
            run = await asyncio.shield(beginning)
        except asyncio.CancelledError:
            if (run := await beginning) is not None:
                await self._stopped(run)
            raise
        if run is None:
            why = await self._database.call(
                self._changes.not_begun,
                run_id,
                job.id,
                providers=self._known,
                wait=UNKNOWN_PROVIDER_SECONDS,
                longest_pause=PAUSED_SECONDS,
                lock=partial(lock_of, self._settings),
            )
            if why is not None:
                log.warning("run waits", run=str(run_id), reason=why.message, kind=why.kind)
            return
        with (
            structlog.contextvars.bound_contextvars(
                run=str(run_id), provider=run.provider, attempt=run.attempt
            ),
            run_spans.attempt(run),
        ):
            run_log = RunLog(self._log_bytes)
            try:
                if run.attempt > 1:  # what the attempts before said stays
                    run_log = RunLog(self._log_bytes, await self._database.call(stored_chunks, run.id))
                    run_log.add(f"Attempt {run.attempt}")
                await self._attempt(run, run_log, job)
            except asyncio.CancelledError:
                await asyncio.shield(self._stopped(run))
                raise
            except Exception as error:
                if is_away(error):
                    raise
                await self._failed(run, run_log, failure_of(error, self._inputs.redaction(run)))

    async def _attempt(self, run: Run, run_log: RunLog, job: TakenJob) -> None:
        provider = self._settings.provider_named(run.provider)
        assert provider is not None  # noqa: S101 - else it would not have begun
        if job.losses >= MOST_LOSSES:
            message = f"given up after {count(job.losses, 'attempt')}, each of which ended with its worker"
            await self._give_up(run, run_log, Failure("given-up", message))
            return
        if isinstance(provider, RelayedProvider):
            await self._pass_on(run, provider, run_log)
            return
        if run.is_for_all_pacts:
            await self._verify_all(run, provider, run_log)
            return
        if run.publishing is Publishing.PENDING:
            publishing = asyncio.create_task(self._publisher.publish_stored(run, run_log))
        else:
            verified = await self._verify(run, provider, run_log)
            if verified is None:
                return
            run, verification = verified
            publishing = asyncio.create_task(
                self._publisher.publish(run, verification, run_log, resumed=run.attempt > 1)
            )
        try:
            await asyncio.shield(publishing)
        except asyncio.CancelledError:
            # the result may be in the broker any moment now, or not for hours, where the broker is away
            await asyncio.wait([publishing], timeout=STOP_PUBLISHING_SECONDS)
            if not publishing.done():
                await self._publisher.stopped(run, run_log)
            raise

    async def _pass_on(self, run: Run, provider: RelayedProvider, run_log: RunLog) -> None:
        if self._relay is None:
            failure = Failure("configuration", "there are no credentials for GitHub")
            await self._give_up(run, run_log, failure)
            return
        relaying = asyncio.ensure_future(self._relay(run, provider, run_log))
        try:
            await asyncio.shield(relaying)
        except asyncio.CancelledError:
            await relaying  # what has begun is brought to its end: GitHub may have it already
            raise

    async def _verify(
        self, run: Run, provider: VerifiedProvider, run_log: RunLog
    ) -> tuple[Run, Verification] | None:
        """Verify; return the run and the verification to publish, or None if there is nothing to publish."""
        request = await self._request(run, provider)
        ended = (
            request
            if isinstance(request, Failure)
            else await self._ask_child(run, provider, run_log, request)
        )
        if not isinstance(ended, Verified):
            await self._failed(run, run_log, ended if isinstance(ended, Failure) else NO_VERIFICATION)
            return None
        return await self._store(run, run_log, ended.verification)

    async def _verify_all(self, run: Run, provider: VerifiedProvider, run_log: RunLog) -> None:
        """Verify every pact that the broker asks for, and store what came of each."""
        pacts = AllPacts(run, self._database, self._changes, self._inputs.page_of)
        try:
            request = await self._request(run, provider)
            if isinstance(request, Failure):
                ended: LastMessage = request
            else:
                request = replace(request, done=await pacts.done())
                ended = await self._ask_child(run, provider, run_log, request, pacts.add)
        finally:
            await asyncio.shield(pacts.stored())  # what was verified is kept, whatever ends this attempt
        failure = ended if isinstance(ended, Failure) else pacts.failure()
        if failure is not None and failure.retryable and self._wait_after(run) is not None:
            await self._failed(run, run_log, failure)
            return
        await pacts.give_up_unverified()
        members = await pacts.members()
        outcome = outcome_of(members)
        if isinstance(ended, Failure) and outcome is Outcome.PASSED:
            outcome = Outcome.ERROR
        run_log.add(
            f"Outcome of {count(len(members), 'pact')}: {outcome}"
            + (f": {failure.message}" if failure else "")
        )
        await store_with_log(
            self._database, run, run_log, self._changes.verified_all, members, outcome, failure
        )
        log.info("all verified", outcome=outcome, pacts=len(members))
        await self._publisher.complete(run.id)

    async def _request(self, run: Run, provider: VerifiedProvider) -> AttemptRequest | Failure:
        answered = await self._database.call(deliveries.of_run, run.id)
        log.info(
            "run started",
            deliveries=[str(delivery_id) for delivery_id in answered],
            pact_url=run.pact_url,
            consumer=run.consumer,
            sha=run.sha,
        )
        try:
            return self._inputs.request(run, provider)
        except ValueError as error:
            message = f"a secret of the provider is missing: {error}"
            return Failure("configuration", message, retryable=True)

    async def _ask_child(
        self,
        run: Run,
        provider: VerifiedProvider,
        run_log: RunLog,
        request: AttemptRequest,
        on_pact: Callable[[PactVerified], None] | None = None,
    ) -> LastMessage:
        def on_message(message: ChildMessage) -> None:
            if isinstance(message, LogLine):
                run_log.add(message.text)
            elif isinstance(message, Reached):
                run_log.note(message.moment)
            elif isinstance(message, SpansEnded):
                run_spans.add(run, message.spans)
            elif isinstance(message, PactVerified) and on_pact is not None:
                on_pact(message)

        ended: LastMessage
        try:
            child = await self._children.take()
        except ChildFailed as error:
            return error.failure
        done = asyncio.Event()
        storing = asyncio.create_task(self._store_log(run, run_log, done))
        usable = False
        try:
            async with asyncio.timeout(provider.timeout + GRACE_SECONDS):
                ended = await child.carry_out(request, on_message)
            usable = isinstance(ended, AllVerified) or (
                isinstance(ended, Verified) and ended.verification.outcome is not Outcome.ERROR
            )
        except ChildFailed as error:
            failure = error.failure
            output = redacted_output(request.redaction(), failure.output)
            ended = Failure(failure.kind, failure.message, failure.retryable, output)
        except TimeoutError:
            message = f"time ran out: the run took longer than {provider.timeout:g} s (timeout)"
            ended = Failure("timed-out", message)
        finally:
            done.set()
            # the provider is free for the next run when this one ends: nothing of it goes on then
            await self._children.put_back(child, usable=usable)
            await asyncio.wait([storing])  # updates of the log are stored one after another
        return ended

    async def _store(
        self, run: Run, run_log: RunLog, verification: Verification
    ) -> tuple[Run, Verification] | None:
        error = verification.error
        if error is not None and error.retryable and self._wait_after(run) is not None:
            await self._failed(run, run_log, Failure(error.kind, error.message, True, error.output))
            return None
        outcome = verification.outcome
        publishable = outcome is not Outcome.ERROR and bool(verification.provider_version)
        run_log.add(f"Outcome: {outcome}" + (f": {error.message}" if error else ""))
        saved = verification.to_dict()
        kept = await store_with_log(
            self._database, run, run_log, self._changes.verified, saved, publish=publishable
        )
        log.info("verified", outcome=outcome, seconds=round(verification.duration, 3))
        if kept is None:
            log.warning("another worker has taken this run up: its outcome is not kept")
        return (kept, verification) if kept is not None and publishable else None

    async def _failed(self, run: Run, run_log: RunLog, failure: Failure) -> None:
        """Have a run that came to nothing tried again, if that may help."""
        wait = self._wait_after(run) if failure.retryable else None
        if wait is None:
            await self._give_up(run, run_log, failure)
            return
        run_log.add(f"Could not verify: {failure.message}")
        run_spans.failed(run, failure)
        lock = lock_of(self._settings, run.provider)
        again = await store_with_log(
            self._database, run, run_log, self._changes.try_again, failure, wait=wait, lock=lock
        )
        if again:
            run_log.add(f"Tried again in {wait:g} s")
            log.warning("could not verify", error=failure.message, kind=failure.kind, retry_in=wait)
        else:
            ended = await self._database.call(runs.get, run.id)
            run_log.add(f"Not tried again: the run is {ended.status if ended else 'gone'}")
            if ended is not None and ended.error_kind == SUPERSEDED:
                run_log.add(str(ended.error))
            log.info("not tried again", error=failure.message, kind=failure.kind)
        await self._database.call(store_log, run, run_log.update())

    async def _give_up(self, run: Run, run_log: RunLog, failure: Failure) -> None:
        run_log.add(f"Could not verify: {failure.message}")
        run_spans.failed(run, failure)
        await store_with_log(self._database, run, run_log, self._changes.fail, failure)
        log.error("could not verify", error=failure.message, kind=failure.kind)

    async def _stopped(self, run: Run) -> None:
        """Queue the run again, since its worker stops, unless it was stopped because it was cancelled."""
        if await self._database.call(self._changes.cancelled, run.id):
            log.info("run cancelled")
            return
        lock = lock_of(self._settings, run.provider)
        if await self._database.call(self._changes.try_again, run, None, wait=0.0, lock=lock):
            log.info("run handed back")

    async def _store_log(self, run: Run, run_log: RunLog, done: asyncio.Event) -> None:
        """Store the log of a run while it goes on, so that it can be read meanwhile."""
        while not done.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(done.wait(), FULL_FLUSH_SECONDS if run_log.is_full else FLUSH_SECONDS)
            if done.is_set():
                return
            update = run_log.update()
            # a failure shows where the outcome is stored, and what is added to the log is repeated there
            with contextlib.suppress(Exception):
                await self._database.call(store_log, run, update)
                run_log.confirm()

    def _wait_after(self, run: Run) -> float | None:
        return self._settings.worker.retry_plan.wait_after(run.failures + 1)


def _new_trace() -> RunTrace | None:
    """Return the trace of a run that belongs to none; None if nothing is traced."""
    context = new_context("verify")
    return None if context is None else RunTrace(context)
