"""Commit statuses: each change of a run that calls for one is stored with it, and set by a job of its own.

The statuses of a commit and a consumer are set one at a time, and one that has a later one is not set any more: a late
`pending` never stands in the place of a result. A run never fails because of them.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import structlog

from app.config.provider import CommandProvider, RunningProvider
from app.database.failures import is_away, is_unstorable
from app.github.answers import GitHubAway, GitHubFailed
from app.records import commit_statuses, pact_runs, run_spans, runs
from app.records.commit_statuses import StatusResult
from app.records.run import Publishing
from app.statuses.status_of_run import status_of
from broker.traces import spans

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from uuid import UUID

    from psycopg import Connection
    from psycopg_pool import ConnectionPool

    from app.config.settings import Settings
    from app.github.client import GitHub
    from app.records.commit_statuses import StoredStatus
    from app.records.run import Run
    from broker.traces.spans import AnySpan

log = structlog.get_logger("statuses")


class StatusSetter:
    """The commit statuses of one configuration.

    Args:
        settings: The configuration: the providers whose commits get statuses, and the URL of their runs.
        github: The client that sets them; None where nothing is configured that would.
        page_of: Returns the URL of the page of a run; that of the configuration unless given.
    """

    def __init__(
        self,
        settings: Settings,
        github: GitHub | None,
        page_of: Callable[[UUID], str | None] | None = None,
    ) -> None:
        self._settings = settings
        self._github = github
        self._page_of = page_of or settings.server.page_of_run

    def follow(self, connection: Connection[Any], run: Run) -> None:
        """Store and queue the status that a run calls for, unless it is the run's latest one already.

        Args:
            connection: The open connection, in the transaction that has changed the run; the caller commits.
            run: The run that has changed, as it now is.
        """
        if self._github is None:
            return
        provider = self._settings.provider_named(run.provider)
        if provider is None or not self._settings.sets_statuses(provider):
            return
        version = provider.version if isinstance(provider, RunningProvider | CommandProvider) else None
        shown = _shown_for(connection, run)
        status = status_of(shown, version)
        stored = commit_statuses.of_run(connection, run.id)
        if status is None or (stored and stored[-1].status == status):
            return
        target_url = self._page_of(shown.id)
        commit_statuses.add(connection, run.id, status, repository=provider.repository, target_url=target_url)

    def catch_up(self, connection: Connection[Any]) -> int:
        """Store and queue the statuses that no job would set.

        These are statuses of runs that were ended without `follow` (cancelled while they waited for another attempt),
        and statuses whose job is gone.

        Args:
            connection: A connection that is in no transaction.

        Returns:
            How many there were.
        """
        if self._github is None:
            return 0
        with connection.transaction():
            ended = commit_statuses.runs_that_ended(connection)
            for run_id in ended:
                if (run := runs.get(connection, run_id)) is not None:
                    self.follow(connection, run)
            without_job = commit_statuses.without_job(connection)
            for status in without_job:
                commit_statuses.queue(connection, status)
        return len(ended) + len(without_job)

    def carry_out(self, pool: ConnectionPool[Any], status_id: int) -> None:
        """Set a status, as the job that was queued for it.

        Whatever goes wrong is tried again as `[github]` says, and then ends the status with the reason.

        Args:
            pool: The pool of connections to the database. None is held while GitHub is asked.
            status_id: The status's id.

        Raises:
            psycopg.OperationalError: The database is away.
        """
        with pool.connection() as connection:
            found = commit_statuses.begin(connection, status_id)
            trace = (
                runs.trace_of(connection, found[0].run_id)
                if found is not None and spans.are_taken()
                else None
            )
        if found is None:
            return
        with run_spans.after(trace, "set commit status", vcs__ref__head__revision=found[0].sha) as one:
            self._carry_out(pool, one, *found)

    def _carry_out(
        self, pool: ConnectionPool[Any], one: AnySpan, status: StoredStatus, began: datetime
    ) -> None:
        try:
            self._set(pool, one, status, began)
        except GitHubFailed as error:
            one.fail(type(error).__name__, str(error))
            wait = self._wait(status, began, error.retry_after) if isinstance(error, GitHubAway) else None
            result = StatusResult.GIVEN_UP if error.retryable else StatusResult.REFUSED
            log.warning("commit status not set", error=str(error), retry_in=wait, **_fields(status))
            _not_set(pool, status, str(error), result, wait)
        except Exception as error:
            if is_away(error):
                raise
            one.fail(type(error).__name__, str(error))
            wait = None if is_unstorable(error) else self._wait(status, began)
            log.exception("commit status not set", retry_in=wait, **_fields(status))
            _not_set(
                pool, status, f"an unexpected {type(error).__name__}: {error}", StatusResult.GIVEN_UP, wait
            )

    def _set(self, pool: ConnectionPool[Any], one: AnySpan, status: StoredStatus, began: datetime) -> None:
        if self._github is None:
            why = "there are no credentials for GitHub any more"
            one.fail("no-credentials", why)
            _not_set(pool, status, why, StatusResult.GIVEN_UP, None)
            return
        self._github.set_status(
            status.repository,
            status.sha,
            status.state,
            context=status.context,
            description=status.description,
            target_url=status.target_url,
        )
        with pool.connection() as connection:
            commit_statuses.finish_as_set(connection, status, began)
        log.info("commit status set", sha=status.sha, context=status.context, **_fields(status))

    def _wait(self, status: StoredStatus, began: datetime, at_least: float | None = None) -> float | None:
        """Return the seconds until the next attempt, by the database's clock; None if there is none."""
        return self._settings.github.retry_plan.wait_after(
            status.attempts + 1,
            elapsed=(began - status.created_at).total_seconds(),
            at_least=at_least or 0.0,
        )


def _shown_for(connection: Connection[Any], run: Run) -> Run:
    """Return the run whose status stands for all of the same consumer's pacts in a run for every pact: the worst one.

    They have one context, so that a pact that passes would hide another one that doesn't.
    """
    worst = max([run, *pact_runs.of_same_consumer(connection, run)], key=lambda one: one.weight)
    # whether the broker has the result of another one is for the status of that one to tell
    return run if worst is run else replace(worst, publishing=Publishing.NONE)


def _not_set(
    pool: ConnectionPool[Any], status: StoredStatus, error: str, result: StatusResult, wait: float | None
) -> None:
    with pool.connection() as connection:
        if wait is None:
            commit_statuses.finish(connection, status, result, error)
        else:
            commit_statuses.try_again(connection, status, error, wait=wait)


def _fields(status: StoredStatus) -> dict[str, str]:
    return {"run": str(status.run_id), "repository": status.repository, "state": status.state}
