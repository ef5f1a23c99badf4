"""A look at a provider: what its runs show is compared with what was told, and what has changed is stored to be told.

The runs that are looked at, how pacts stand by then, and the messages are one transaction: each change is told once,
whoever looks, and whenever a process ends.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from app.config.notify import NotifiedEvent
from app.config.provider import CheckoutProvider
from app.intake.refusal_words import words_of
from app.notifications.assessment import Assessment
from app.notifications.change import Change
from app.notifications.lines import line_of
from app.notifications.message import content_of
from app.records import newest_versions, notifications, runs, told_outcomes, told_refusals
from app.records.run import RunStatus
from app.records.told_outcomes import Standing

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from uuid import UUID

    from psycopg import Connection

    from app.config.notify import NotifySettings
    from app.config.provider import ProviderSettings
    from app.config.sections import ServerSettings
    from app.records.run import Run
    from app.records.told_refusals import RefusedKind

QUIET_HOURS = 24.0
"""A kind of refusals is told again after so many hours in which there was none of it."""


@dataclass
class Look:
    """A look at one provider.

    Args:
        provider: The provider.
        settings: Who is told of its changes, and of which.
        server: Where people reach the receiver.
        page_of: Returns the URL of the page of a run; None where none is known.
        counting: The consumers' versions of which it is known whether they count.

    Attributes:
        asked: Those that somebody was asked for; one of which that is not known counts.
        unknown: Those that somebody would have to be asked for.
    """

    provider: ProviderSettings
    settings: NotifySettings
    server: ServerSettings
    page_of: Callable[[UUID], str | None]
    counting: dict[tuple[str, str], bool] = field(default_factory=dict)
    asked: set[tuple[str, str]] = field(default_factory=set)
    unknown: set[tuple[str, str]] = field(default_factory=set)
    _before_runs: dict[tuple[UUID, str], Standing] = field(default_factory=dict)

    def questions(self, connection: Connection[Any]) -> set[tuple[str, str]]:
        """Return the consumers' versions that somebody must be asked for, whether they count; nothing is changed."""
        with connection.transaction(force_rollback=True):
            self._assess(connection, told_outcomes.noted(connection, self.provider.name))
        return self.unknown

    def store(self, connection: Connection[Any], refused: Sequence[RefusedKind] = ()) -> int:
        """Store what has changed, and queue the messages.

        Args:
            connection: The open connection; the caller commits, unless something is `unknown` then: runs that were
                noted since the questions have brought it, and the caller rolls back, and asks for it.
            refused: The kinds of refusals for the provider's repository that came lately.

        Returns:
            How many messages there are.
        """
        assessment = self._assess(connection, told_outcomes.take(connection, self.provider.name))
        assessment.forget_cancelled(_cancelled(connection, assessment))
        changes = assessment.end(self._outage_since(connection))
        told_outcomes.store(connection, assessment.standings.values())
        for kind in refused:
            if told_refusals.is_first_refusal(connection, self.provider.name, kind, quiet_hours=QUIET_HOURS):
                changes.append(_refusal(kind))
        return self._tell(connection, changes)

    def _tell(self, connection: Connection[Any], changes: Sequence[Change]) -> int:
        number = 0
        for target in self.settings.targets:
            wanted = [change for change in changes if change.event in target.events]
            if not wanted:
                continue
            content = content_of(self.provider.name, wanted, server=self.server, page_of=self.page_of)
            notifications.add(
                connection,
                uuid4(),
                provider=self.provider.name,
                target=target.name,
                kind=target.kind,
                events=content["events"],
                content=content,
                run_ids=[change.run_id for change in wanted if change.run_id is not None],
            )
            number += 1
        return number

    def _assess(self, connection: Connection[Any], noted: Sequence[Run]) -> Assessment:
        name = self.provider.name
        self.unknown = set()
        members = told_outcomes.members_of(connection, [run.id for run in noted if run.is_for_all_pacts])
        consumers = {
            run.consumer or "" for run in (*noted, *(one for some in members.values() for one in some))
        }
        told = told_outcomes.standings(
            connection, name, consumers, outage_minutes=self.settings.outage_minutes
        )
        assessment = Assessment(
            {one.key: one for one in told},
            before=lambda run, line: self._before(connection, run, line),
            counts=self._counts,
        )
        for run in noted:
            line = line_of(self.provider, self.settings, run.provider_branch or run.branch)
            if line is not None and self._is_of_newest(connection, run, line):
                assessment.take(run, line, members.get(run.id, ()))
        return assessment

    def _is_of_newest(self, connection: Connection[Any], run: Run, line: str) -> bool:
        """Return whether a run verified the newest version of its line: one that is deployed may be older."""
        if not isinstance(self.provider, CheckoutProvider) or run.provider_version is None:
            return True
        return newest_versions.is_newest(connection, self.provider.name, line, run.provider_version)

    def _before(self, connection: Connection[Any], run: Run, line: str) -> Standing:
        """Return how a pact of which nothing was told yet stood before a run, by the history."""
        if (run.id, line) not in self._before_runs:
            self._before_runs[run.id, line] = self._by_history(connection, run, line)
        return self._before_runs[run.id, line]

    def _by_history(self, connection: Connection[Any], run: Run, line: str) -> Standing:
        standing = Standing(self.provider.name, run.consumer or "", line)
        if run.consumer is None:
            return standing
        for one in told_outcomes.answers_before(connection, run):
            if line_of(self.provider, self.settings, one.provider_branch or one.branch) == line:
                return Standing(
                    *(standing.provider, standing.consumer, line),
                    answer=one.outcome,
                    run_id=one.id,
                    consumer_version=one.consumer_version,
                    provider_version=one.provider_version,
                )
        return standing

    def _counts(self, run: Run) -> bool:
        if not run.consumer or not run.consumer_version:
            return True
        if run.parent_id is not None and self.settings.consumer_branches is None:
            return True  # the broker was asked for the pacts that count: a deployed one may be of any branch
        version = (run.consumer, run.consumer_version)
        if version not in self.asked:
            self.unknown.add(version)
        return self.counting.get(version, True)

    def _outage_since(self, connection: Connection[Any]) -> Any:
        row = connection.execute("SELECT now()").fetchone()
        assert row is not None  # noqa: S101 - the statement always returns one
        return row[0] - timedelta(minutes=self.settings.outage_minutes)


def _cancelled(connection: Connection[Any], assessment: Assessment) -> set[UUID]:
    """Return the runs that would stand for an outage, and were cancelled."""
    standings = {**assessment.told, **assessment.standings}.values()
    found = runs.of_ids(connection, [one.error_run_id for one in standings if one.error_run_id is not None])
    return {run.id for run in found.values() if run.status is RunStatus.CANCELLED}


def _refusal(kind: RefusedKind) -> Change:
    words = words_of(kind.reason)
    return Change(
        NotifiedEvent.REFUSED,
        reason=kind.reason,
        why=words.meaning,
        to_do=words.to_do,
        since=kind.last_at,
        delivery_id=kind.delivery_id,
    )
