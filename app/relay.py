"""The relay: a provider's dispatches, passed on to GitHub as they came.

A run does it, as it would verify: it is queued, tried again, and seen in the history like any other one. GitHub may
get a dispatch twice (a worker that dies between GitHub's answer and the note of it), and never not at all.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import structlog

from app import runs
from app.github_answers import GitHubFailed
from app.runs import Failure

if TYPE_CHECKING:
    from psycopg import Connection
    from psycopg_pool import ConnectionPool

    from app.config import ProviderSettings, Settings
    from app.github import GitHub
    from app.run_log import RunLog
    from app.runs import Run

USER_AGENT = "pact-dispatch relay"
"""How a receiver knows what another one, or it itself, has passed on."""

log = structlog.get_logger("relay")


def carry_out(
    pool: ConnectionPool[Any],
    github: GitHub,
    settings: Settings,
    run: Run,
    run_log: RunLog,
    *,
    lock: str | None,
) -> None:
    """Pass a run's dispatch on, and note what became of it.

    Args:
        pool: of the database. No connection is held while GitHub is asked.
        github: where it goes.
        settings: to which repository, and how long it is tried.
        run: the attempt that has begun.
        run_log: the run's.
        lock: of the provider's runs.
    """
    provider = settings.provider_named(run.provider)
    assert provider is not None  # noqa: S101 - the caller has found it
    repository, event_type = target_of(provider, run)
    with pool.connection() as connection:
        client_payload = payload_of(connection, run)
    try:
        request_id = github.dispatch(repository, event_type, client_payload)
    except GitHubFailed as error:
        _failed(pool, settings, run, run_log, error, lock=lock)
        return
    run_log.add(f"Passed on to {repository} as {event_type}")
    with pool.connection() as connection:
        runs.keep_log(connection, run.id, run_log.text())
        _note(connection, run, client_payload, repository, event_type, request_id)
        runs.finish(connection, run)
    log.info("passed on", repository=repository, event_type=event_type, request=request_id)


def target_of(provider: ProviderSettings, run: Run) -> tuple[str, str]:
    """Give the repository that a run's dispatch goes to, and its event type there."""
    assert provider.relay is not None  # noqa: S101 - the caller has found out
    return provider.relay.repository or provider.repository, provider.relay.event_type or run.event_type


def payload_of(connection: Connection[Any], run: Run) -> dict[str, Any]:
    """Read the payload of a run's dispatch; one that didn't come with a request has what the run knows."""
    row = connection.execute(
        "SELECT client_payload FROM relays WHERE run_id = %(id)s", {"id": run.id}
    ).fetchone()
    if row is not None:
        payload: dict[str, Any] = row[0]
        return payload
    known = {"pact_url": run.pact_url, "sha": run.sha, "branch": run.branch}
    return {name: value for name, value in known.items() if value is not None}


def _failed(
    pool: ConnectionPool[Any],
    settings: Settings,
    run: Run,
    run_log: RunLog,
    error: GitHubFailed,
    *,
    lock: str | None,
) -> None:
    github = settings.github
    begun = run.started_at or run.created_at
    too_late = datetime.now(UTC) - begun > timedelta(hours=github.retry_hours)
    wait = None
    if error.retryable and not too_late:
        wait = max(github.wait(run.attempt), error.retry_after or 0.0)
    message = str(error)
    if error.retryable and too_late:
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


def _note(
    connection: Connection[Any],
    run: Run,
    client_payload: dict[str, Any],
    repository: str,
    event_type: str,
    request_id: str | None,
) -> None:
    connection.execute(
        """
        INSERT INTO relays (run_id, client_payload, repository, event_type, request_id, relayed_at)
        VALUES (%(id)s, %(payload)s, %(repository)s, %(event_type)s, %(request_id)s, now())
        ON CONFLICT (run_id) DO UPDATE SET repository = excluded.repository, event_type = excluded.event_type,
            request_id = excluded.request_id, relayed_at = excluded.relayed_at
        """,
        {
            "id": run.id,
            "payload": json.dumps(client_payload),
            "repository": repository,
            "event_type": event_type,
            "request_id": request_id and request_id[:200],
        },
    )
