"""The publishing of results: by the run that made them, and later by jobs of its own."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, Protocol

import structlog

from app.database.failures import is_away
from app.records import run_spans, runs
from app.records.run import INTERNAL_ERROR, Failure
from app.records.run_log import RunLog, store_log, stored_chunks
from app.worker.completion import complete
from app.worker.unexpected import failure_of
from broker.text.redaction import Redaction
from verifier.errors import PublishFailed
from verifier.publishing import publish
from verifier.report.amounts import count
from verifier.verification import Verification

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from psycopg import Connection

    from app.records.run import Run
    from app.records.run_changes import RunChanges
    from broker.http.access import BrokerAccess
    from broker.http.waits import RetryPlan

PUBLISH_SECONDS = 10.0
"""How long the first attempt to publish may take, whatever the broker answers; each further one as much longer."""
LONGEST_PUBLISH_SECONDS = 60.0
"""How long any of them may take: a broker that is slow is published to in the end."""
NOT_PUBLISHED = "not-published"
"""The kind of error of a run if the broker did not accept its result."""
MOST_LOSSES = 25
"""A job that takes its worker down with it, again and again, must end."""

log = structlog.get_logger("worker")


class Database(Protocol):
    """Calls functions that use the database; see `app.database.threads.DatabaseThreads`."""

    async def call(self, function: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        """Call a function with a connection and the arguments, and commit what it did."""


class Publisher:
    """Publishes results, and stores what came of that.

    Args:
        database: The database.
        changes: The changes of runs.
        access: The broker.
        plan: The waits between attempts.
        log_bytes: The limit of a run's log.
        publish: What publishes a verification, as `verifier.publishing.publish` does.
    """

    def __init__(
        self,
        database: Database,
        changes: RunChanges,
        access: BrokerAccess,
        *,
        plan: RetryPlan,
        log_bytes: int,
        publish: Callable[..., Any] = publish,
    ) -> None:
        self._database = database
        self._changes = changes
        self._access = access
        self._plan = plan
        self._log_bytes = log_bytes
        self._publish = publish
        self._redaction = Redaction(access.secrets)

    async def publish(self, run: Run, verification: Verification, run_log: RunLog, *, resumed: bool) -> None:
        """Publish the result of a run once, and have it tried again later if that may help.

        Args:
            run: The run.
            verification: Its verification.
            run_log: Its log.
            resumed: Whether an earlier attempt may have got through.
        """
        seconds = min(PUBLISH_SECONDS * (run.publish_attempts + 1), LONGEST_PUBLISH_SECONDS)
        try:
            result = await asyncio.to_thread(
                self._publish,
                verification,
                self._access,
                resumed=resumed,
                retry_time=PUBLISH_SECONDS,
                deadline=time.monotonic() + seconds,
            )
        except PublishFailed as error:
            await self._failed(
                run, run_log, Failure(NOT_PUBLISHED, self._redaction.own(str(error)), error.retryable)
            )
        except Exception as error:  # noqa: BLE001 - a verified result is not thrown away, whatever happens
            await self._failed(run, run_log, failure_of(error, self._redaction))
        else:
            run_log.add(f"Published, confirmed: {result.url}")
            await self._store(run, run_log, self._changes.published, result.url)
            log.info("published", result=result.url, outcome=run.outcome)

    async def publish_stored(self, run: Run, run_log: RunLog) -> None:
        """Publish the stored verification of a run, of which an earlier attempt may have got through."""
        try:
            saved = await self._database.call(runs.verification_of, run.id)
            verification = Verification.from_dict(saved)
        except ValueError as error:
            failure = Failure(INTERNAL_ERROR, f"the stored verification can't be read: {error}")
            await self._failed(run, run_log, failure)
        else:
            await self.publish(run, verification, run_log, resumed=True)

    async def publish_again(self, run_id: UUID, attempt: int, *, losses: int = 0) -> None:
        """Carry out a job that publishes the result of an earlier attempt.

        Args:
            run_id: The run.
            attempt: The attempt that verified.
            losses: How many workers have taken the job before, and were gone before it ended.
        """
        run = await self._database.call(runs.to_publish, run_id, attempt)
        if run is None:
            return
        with (
            structlog.contextvars.bound_contextvars(run=str(run_id), provider=run.provider),
            run_spans.publishing_again(run),
        ):
            stored = await self._database.call(stored_chunks, run.id)
            run_log = RunLog(self._log_bytes, stored)
            if losses >= MOST_LOSSES:
                message = f"given up after {count(losses, 'attempt')} to publish, each of which ended with its worker"
                await self._failed(run, run_log, Failure(NOT_PUBLISHED, message))
                return
            try:
                await self.publish_stored(run, run_log)
            except Exception as error:
                if is_away(error):
                    raise
                await self._failed(run, run_log, failure_of(error, self._redaction))

    async def stopped(self, run: Run, run_log: RunLog) -> None:
        """Leave the publishing of a result to a job, since this worker stops."""
        failure = Failure(NOT_PUBLISHED, "its worker was stopped", retryable=True)
        await self._store(run, run_log, self._changes.not_published, failure, wait=0.0)

    async def _failed(self, run: Run, run_log: RunLog, failure: Failure) -> None:
        wait = self._plan.wait_after(run.publish_attempts + 1) if failure.retryable else None
        run_log.add(f"Not published: {failure.message}")
        run_spans.failed(run, failure)
        await self._store(run, run_log, self._changes.not_published, failure, wait=wait)
        log.warning("not published", error=failure.message, retry_in=wait)

    async def complete(self, run_id: UUID) -> None:
        """Bring a run for every pact to its end, if all of its results are published."""
        try:
            await complete(self._database, self._access, run_id, log_bytes=self._log_bytes)
        except Exception as error:
            if is_away(error):
                raise
            log.exception("what may be deployed could not be logged", run=str(run_id))

    async def _store(
        self, run: Run, run_log: RunLog, change: Callable[..., Any], *arguments: Any, **options: Any
    ) -> None:
        await store_with_log(self._database, run, run_log, change, *arguments, **options)
        if run.parent_id is not None:
            await self.complete(run.parent_id)


async def store_with_log(
    database: Database, run: Run, run_log: RunLog, change: Callable[..., Any], *arguments: Any, **options: Any
) -> Any:
    """Store a change of a run, and what was added to its log, in one transaction.

    Args:
        database: The database.
        run: The run.
        run_log: Its log.
        change: One of the methods of `app.records.run_changes.RunChanges`; it is called with the run and the arguments.
        arguments: Its further arguments.
        options: Its keyword arguments.

    Returns:
        What the method returned.
    """
    update = run_log.update()

    def store(connection: Connection[Any]) -> Any:
        store_log(connection, run, update)
        return change(connection, run, *arguments, **options)

    result = await database.call(store)
    run_log.confirm()
    return result
