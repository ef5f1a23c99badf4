"""The relay: a provider's dispatches, passed on to GitHub as they came.

A run does it, as it would verify: it is queued, tried again, and seen in the history like any other one. GitHub may
get a dispatch twice (a worker that dies between GitHub's answer and the note of it), and never not at all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import structlog

from app.github.answers import GitHubFailed
from app.records import relays, runs
from app.records.runs import Failure

if TYPE_CHECKING:
    from psycopg_pool import ConnectionPool

    from app.config.provider import RelayedProvider
    from app.config.settings import GitHubSettings
    from app.github.client import GitHub
    from app.records.run_log import RunLog
    from app.records.runs import Run

log = structlog.get_logger("relay")


def carry_out(
    pool: ConnectionPool[Any],
    github: GitHub,
    settings: GitHubSettings,
    provider: RelayedProvider,
    run: Run,
    run_log: RunLog,
    *,
    lock: str | None,
) -> None:
    """Pass a run's dispatch on, and note what became of it.

    Args:
        pool: of the database. No connection is held while GitHub is asked.
        github: where it goes.
        settings: how long it is tried.
        provider: whose dispatch it is.
        run: the attempt that has begun.
        run_log: the run's.
        lock: of the provider's runs.
    """
    repository, event_type = target_of(provider, run)
    with pool.connection() as connection:
        client_payload = relays.payload_of(connection, run)
    try:
        request_id = github.dispatch(repository, event_type, client_payload)
    except GitHubFailed as error:
        _failed(pool, settings, run, run_log, error, lock=lock)
        return
    run_log.add(f"Passed on to {repository} as {event_type}")
    with pool.connection() as connection:
        runs.keep_log(connection, run.id, run_log.text())
        relays.relayed(
            connection,
            run,
            client_payload,
            repository=repository,
            event_type=event_type,
            request_id=request_id,
        )
        runs.finish(connection, run)
    log.info("passed on", repository=repository, event_type=event_type, request=request_id)


def target_of(provider: RelayedProvider, run: Run) -> tuple[str, str]:
    """Give the repository that a run's dispatch goes to, and its event type there."""
    return provider.relay.repository or provider.repository, provider.relay.event_type or run.event_type


def _failed(
    pool: ConnectionPool[Any],
    github: GitHubSettings,
    run: Run,
    run_log: RunLog,
    error: GitHubFailed,
    *,
    lock: str | None,
) -> None:
    wait = None
    message = str(error)
    if error.retryable:
        with pool.connection() as connection:
            elapsed = runs.seconds_since_start(connection, run)
        wait = github.retry_plan.wait_after(run.attempt, elapsed=elapsed, at_least=error.retry_after or 0.0)
        if wait is None:
            message += f". Given up after {github.retry_hours:g} h (github.retry_hours)"
    failure = Failure("github-away" if error.retryable else "github-refused", message, error.retryable)
    run_log.add(f"Not passed on: {message}")
    if wait is not None:
        run_log.add(f"Tried again in {wait:g} s")
    with pool.connection() as connection:
        runs.keep_log(connection, run.id, run_log.text())
        if wait is None:
            runs.fail(connection, run, failure)
        else:
            runs.try_again(connection, run, failure, wait=wait, lock=lock)
    if wait is None:
        log.error("not passed on", error=message, kind=failure.kind)
    else:
        log.warning("not passed on", error=message, kind=failure.kind, retry_in=wait)
