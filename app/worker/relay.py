"""The relay: a provider's dispatches, passed on to GitHub as they came.

A run does it, as it would verify: it is queued, tried again, and seen in the history like any other one. GitHub may
get a dispatch twice (a worker that dies between GitHub's answer and the note of it), and never not at all.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import structlog

from app.github.answers import GitHubFailed
from app.intake.redacted_payload import redacted
from app.records import relays, run_spans, runs
from app.records.run import Failure
from app.worker.executor import lock_of
from app.worker.publisher import store_with_log

if TYPE_CHECKING:
    from collections.abc import Mapping

    from psycopg import Connection

    from app.config.provider import RelayedProvider
    from app.config.settings import Settings
    from app.github.client import GitHub
    from app.records.run import Run
    from app.records.run_changes import RunChanges
    from app.records.run_log import RunLog
    from app.worker.publisher import Database

log = structlog.get_logger("relay")

MOVED = "the repository was renamed or moved"
"""What is logged where GitHub redirects: the dispatch or the status has arrived all the same."""


class Relay:
    """Passes dispatches on.

    Args:
        settings: To which repositories, and how long it is tried.
        github: Where they go.
        database: The database. No connection is held while GitHub is asked.
        changes: The changes of runs.
    """

    def __init__(self, settings: Settings, github: GitHub, database: Database, changes: RunChanges) -> None:
        self._settings = settings
        self._github = github
        self._database = database
        self._changes = changes

    async def carry_out(self, run: Run, provider: RelayedProvider, run_log: RunLog) -> None:
        """Pass the dispatch of a run on, and store what came of it."""
        repository, event_type = target_of(provider, run)
        workflow = provider.relay.workflow
        client_payload = await self._database.call(relays.payload_of, run)
        if client_payload is None:
            run_log.add("An earlier attempt has passed it on")
            await store_with_log(self._database, run, run_log, self._changes.finish)
            return
        try:
            if workflow is None:
                request_id = await asyncio.to_thread(
                    self._github.dispatch, repository, event_type, client_payload
                )
            else:
                request_id = await asyncio.to_thread(
                    self._github.start_workflow,
                    repository,
                    workflow,
                    provider.relay.ref,
                    inputs_of(client_payload),
                )
        except GitHubFailed as error:
            await self._failed(run, run_log, error)
            return
        run_log.add(f"Passed on to {repository} as {event_type}")
        kept = redacted(client_payload)

        def passed_on(connection: Connection[Any], run: Run) -> None:
            relays.relayed(
                connection,
                run,
                kept,
                redacted=kept != client_payload,
                repository=repository,
                event_type=event_type,
                request_id=request_id,
            )
            self._changes.finish(connection, run)

        await store_with_log(self._database, run, run_log, passed_on)
        log.info("passed on", repository=repository, event_type=event_type, request=request_id)

    async def _failed(self, run: Run, run_log: RunLog, error: GitHubFailed) -> None:
        message, wait = str(error), None
        if error.retryable:
            wait = self._settings.github.retry_plan.wait_after(
                run.failures + 1,
                elapsed=await self._database.call(runs.seconds_since_start, run),
                at_least=error.retry_after or 0.0,
            )
            if wait is None:
                message += f". Given up after {self._settings.github.retry_hours:g} h (github.retry_hours)"
        failure = Failure("github-away" if error.retryable else "github-refused", message, error.retryable)
        run_log.add(f"Not passed on: {message}")
        run_spans.failed(run, failure)
        if wait is None:
            await store_with_log(self._database, run, run_log, self._changes.fail, failure)
            log.error("not passed on", error=message, kind=failure.kind)
            return
        run_log.add(f"Tried again in {wait:g} s")
        lock = lock_of(self._settings, run.provider)
        await store_with_log(
            self._database, run, run_log, self._changes.try_again, failure, wait=wait, lock=lock
        )
        log.warning("not passed on", error=message, kind=failure.kind, retry_in=wait)


def warn_of_moved(repository: str, name: str | None) -> None:
    """Log that a repository was renamed: its former name is redirected only until another one takes it."""
    log.warning(MOVED, repository=repository, new_name=name, to_do="give its new name in the configuration")


def target_of(provider: RelayedProvider, run: Run) -> tuple[str, str]:
    """Return the repository that a run's dispatch goes to, and its event type there, or which workflow it starts."""
    relay = provider.relay
    event_type = relay.event_type or run.event_type
    if relay.workflow is not None:
        event_type = f"workflow_dispatch of {relay.workflow}"
    return relay.repository or provider.repository, event_type


def inputs_of(client_payload: Mapping[str, Any]) -> dict[str, str]:
    """Return the inputs of a workflow for a dispatch: GitHub refuses those that the workflow doesn't declare."""
    return {
        name: value
        for name, key in (("pact-url", "pact_url"), ("sha", "sha"), ("branch", "branch"))
        if isinstance(value := client_payload.get(key), str) and value
    }
