"""Notifications of changes of outcome: which runs are looked at, and when.

A run that may have changed something is noted in the transaction that ends it. A job looks at its provider a moment
later (`app.notifications.looking`), and a chore does where that job is gone. Each message has a job of its own
(`app.notifications.messenger`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import structlog

from app.config.provider import CheckoutProvider
from app.notifications.consumer_branches import versions_that_count
from app.notifications.lines import line_of
from app.notifications.looking import Look
from app.notifications.messenger import Messenger
from app.queue import jobs
from app.records import newest_versions, notifications, told_outcomes, told_refusals
from app.records.run import PAUSED_PROVIDER, SUPERSEDED, UNKNOWN_PROVIDER, RunStatus
from broker.http.errors import BrokerError
from verifier.verification import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from uuid import UUID

    from psycopg import Connection
    from psycopg_pool import ConnectionPool

    from app.config.provider import ProviderSettings
    from app.config.settings import Settings
    from app.records.run import Run
    from app.records.told_refusals import RefusedKind
    from broker.http.access import BrokerAccess

LEFT_SECONDS = 60.0
"""A run that was noted so long ago, and longer than changes are collected, has lost its job: a chore looks at it."""
EARLY_SECONDS = 1.0
"""How much too early a look may be: the clock of its job goes by whole seconds."""
PATIENCE_SECONDS = 900.0
"""For how long a look waits for a broker that can't say of which branch a consumer's version is."""

log = structlog.get_logger("notifications")


class Notifier:
    """The notifications of one configuration.

    Args:
        settings: The configuration.
        access: The broker, which knows the branches of consumers' versions.
        pool: The pool of connections to the database; none is held while anybody is asked.
        environment: Where the secrets of targets are.
        page_of: Returns the URL of the page of a run for others.

    Attributes:
        messenger: Sends the messages.
    """

    def __init__(
        self,
        settings: Settings,
        access: BrokerAccess,
        pool: ConnectionPool[Any],
        environment: Mapping[str, str],
        page_of: Callable[[UUID], str | None],
    ) -> None:
        self._settings = settings
        self._access = access
        self._pool = pool
        self.messenger = Messenger(settings, pool, environment)
        self._page_of = page_of
        notified = [one for one in settings.providers if settings.notify_of(one).targets]
        self._notified = {provider.name: provider for provider in notified}

    def follow(self, connection: Connection[Any], run: Run) -> None:
        """Note a run of which somebody may have to be told.

        Args:
            connection: The open connection, in the transaction that has changed the run; the caller commits.
            run: The run that has changed, as it now is.
        """
        provider = self._notified.get(run.provider)
        if provider is None or run.parent_id is not None or not _may_tell(run):
            return
        settings = self._settings.notify_of(provider)
        line = line_of(provider, settings, run.provider_branch or run.branch)
        if line is None:
            return
        is_settled = run.status is RunStatus.FINISHED and run.outcome is not Outcome.ERROR
        if (
            is_settled
            and not run.is_for_all_pacts
            and not provider.parallel
            and told_outcomes.changes_nothing(
                connection, run, line, by_version=isinstance(provider, CheckoutProvider)
            )
        ):
            return
        if told_outcomes.note(connection, run):
            self._queue_look(connection, provider)

    def _queue_look(self, connection: Connection[Any], provider: ProviderSettings) -> None:
        """Queue the job that looks at a provider, as soon as somebody may be told of it."""
        settings = self._settings.notify_of(provider)
        last = notifications.seconds_since_last(connection, provider.name)
        wait = settings.collect_seconds
        if last is not None:
            wait = max(wait, settings.interval_seconds - last)
        jobs.defer(
            connection,
            jobs.NOTICE_CHANGES,
            queue=jobs.CHORES,
            lock=f"notice {provider.name}",
            wait=wait,
            provider=provider.name,
        )

    def _is_early(self, connection: Connection[Any], provider: ProviderSettings) -> bool:
        """Return whether somebody was told of a provider a moment ago."""
        last = notifications.seconds_since_last(connection, provider.name)
        interval = self._settings.notify_of(provider).interval_seconds
        return last is not None and last + EARLY_SECONDS < interval

    def look(self, name: str) -> None:
        """Look at a provider, as the job that was queued for it.

        Raises:
            psycopg.OperationalError: The database is away.
        """
        provider = self._notified.get(name)
        if provider is None:
            return
        with self._pool.connection() as connection:
            if self._is_early(connection, provider):  # a chore has looked since this job was queued
                if told_outcomes.is_noted(connection, name):
                    self._queue_look(connection, provider)
                return
        self._look(provider)

    def look_around(self) -> None:
        """Look at the providers that no job looks at: for outages, refusals, and jobs that are gone.

        Raises:
            psycopg.OperationalError: The database is away.
        """
        if not self._notified:
            return
        outages = {
            name: self._settings.notify_of(provider).outage_minutes
            for name, provider in self._notified.items()
        }
        collected = max(self._settings.notify_of(one).collect_seconds for one in self._notified.values())
        by_repository = {provider.repository.lower(): name for name, provider in self._notified.items()}
        refused: dict[str, list[RefusedKind]] = {}
        with self._pool.connection() as connection:
            names = told_outcomes.providers_to_look_at(
                connection, noted_before=LEFT_SECONDS + collected, outages=outages
            )
            for kind in told_refusals.refused_lately(connection, by_repository):
                refused.setdefault(by_repository[kind.repository], []).append(kind)
            notifications.queue_those_without_job(connection)
        is_away = False
        for name in sorted({*names, *refused}.intersection(self._notified)):
            looked = self._look(self._notified[name], refused.get(name, ()), asks=not is_away)
            is_away = is_away or not looked

    def delete_old(self) -> None:
        """Delete what is older than the history.

        Raises:
            psycopg.OperationalError: The database is away.
        """
        days = self._settings.retention.days
        with self._pool.connection() as connection:
            while notifications.delete_old(connection, days):
                connection.commit()
            told_outcomes.delete_old(connection, days)
            newest_versions.delete_silent(connection, days)
            told_refusals.delete_old(connection, days)

    def _look(
        self, provider: ProviderSettings, refused: Sequence[RefusedKind] = (), *, asks: bool = True
    ) -> bool:
        """Look at a provider; return whether the broker answered, as far as it was asked.

        Args:
            provider: The provider.
            refused: The kinds of refusals for its repository that came lately.
            asks: Whether the broker may be asked: one that was away a moment ago would have others wait.
        """
        settings = self._settings.notify_of(provider)
        look = Look(provider, settings, self._settings.server, self._page_of)
        answered = True
        while True:
            with self._pool.connection() as connection:
                if self._is_early(connection, provider):
                    return answered  # a later look finds what is noted
                questions = look.questions(connection)
                waiting = told_outcomes.longest_noted(connection, provider.name)
            if questions:
                try:
                    if asks and answered:
                        look.counting |= versions_that_count(
                            self._access, questions, settings.consumer_branches
                        )
                except BrokerError as error:
                    log.info("nobody is told yet", provider=provider.name, reason=str(error))
                    answered = False
                if questions.difference(look.counting) and waiting is not None and waiting < PATIENCE_SECONDS:
                    return answered
                look.asked |= questions
            with self._pool.connection() as connection:
                told_outcomes.lock(connection, provider.name)
                is_early = self._is_early(connection, provider)  # another one has told something meanwhile
                number = 0 if is_early else look.store(connection, refused)
                if look.unknown and not is_early:  # of runs that were noted meanwhile
                    connection.rollback()
                    continue
                if told_outcomes.is_noted(connection, provider.name):  # meanwhile, or there were too many
                    self._queue_look(connection, provider)
            if number:
                log.info("changes are told", provider=provider.name, messages=number)
            return answered


def _may_tell(run: Run) -> bool:
    """Return whether a run has an end, or an attempt without an answer, of which somebody may be told."""
    if run.error_kind in {PAUSED_PROVIDER, UNKNOWN_PROVIDER, SUPERSEDED}:
        return False
    if run.status is RunStatus.WAITING:
        return run.failures > 0 and run.error_kind is not None
    return run.status is RunStatus.FINISHED
