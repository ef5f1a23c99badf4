"""Which changes the runs of a provider show, compared with what was told before. No I/O.

A pact is one consumer's, with one line of the provider (`app.notifications.lines`); the page of a pair calls the same a
branch. What was told is compared with how it stands after all runs: what broke and healed in between is not told.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from app.config.notify import NotifiedEvent
from app.notifications.change import Change
from app.records.run import NOT_ALL_VERIFIED, PAUSED_PROVIDER, SUPERSEDED, UNKNOWN_PROVIDER, RunStatus
from verifier.errors import OF_THE_PACT
from verifier.verification import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable
    from datetime import datetime
    from uuid import UUID

    from app.records.run import Run
    from app.records.told_outcomes import Standing

EVERY_PACT = ""
"""The consumer of a run for every pact that came to nothing before any pact was verified."""
_NO_OUTAGE = frozenset({PAUSED_PROVIDER, UNKNOWN_PROVIDER, SUPERSEDED})


@dataclass
class Assessment:
    """How the pacts of a provider stand after some runs, which are taken in the order in which they were asked for.

    Args:
        told: How they stood by what was told.
        before: Returns how a pact stood of which nothing was told yet.
        counts: Returns whether the consumer's version of a run counts, which would change how a pact stands.

    Attributes:
        standings: How those stand that a run has changed, by consumer and line.
    """

    told: dict[tuple[str, str], Standing]
    before: Callable[[Run, str], Standing]
    counts: Callable[[Run], bool]
    standings: dict[tuple[str, str], Standing] = field(default_factory=dict)
    _runs: dict[tuple[str, str], Run] = field(default_factory=dict)

    def take(self, run: Run, line: str, members: Iterable[Run] = ()) -> None:
        """Take a run.

        Args:
            run: The run as it now is.
            line: Its line.
            members: The runs of the pacts, of a run for every pact.
        """
        if not run.is_for_all_pacts:
            self._take_one(run, line, run)
            return
        of_consumers: dict[str, list[Run]] = {}
        for member in members:
            # an attempt for an earlier commit may have verified some, too
            if run.status is RunStatus.FINISHED and run.provider_version in {None, member.provider_version}:
                of_consumers.setdefault(member.consumer or EVERY_PACT, []).append(member)
        for of_consumer in of_consumers.values():
            # several pacts of one consumer have one outcome: the worst of those that count
            for member in sorted(of_consumer, key=lambda one: -one.weight):
                if self._take_one(member, line, run):
                    break
        if run.error_kind != NOT_ALL_VERIFIED:  # which those that were not verified say themselves
            self._take_one(run, line, run)

    def forget_cancelled(self, cancelled: Collection[UUID]) -> None:
        """Take outages for over, without a word, whose run was cancelled: nobody waits for its answer any more.

        Args:
            cancelled: The runs that were cancelled.
        """
        for key, told in {**self.told, **self.standings}.items():
            if told.error_run_id in cancelled:
                over = replace(told, error_since=None, error_run_id=None, error=None, told_of_error=False)
                self.told[key] = self.standings[key] = over

    def end(self, outage_since: datetime) -> list[Change]:
        """Return the changes.

        Args:
            outage_since: Who could not be verified since then, or for longer, is told.
        """
        found = []
        for key, told in {**self.told, **self.standings}.items():
            was, now = self.told.get(key, told), self.standings.get(key, told)
            if was.answer is not now.answer and Outcome.FAILED in {was.answer, now.answer}:
                event = NotifiedEvent.BROKEN if now.answer is Outcome.FAILED else NotifiedEvent.HEALED
                found.append(Change.of_run(event, self._runs[key], was))
            elif was.told_of_error and now.error_since is None:
                found.append(Change.of_run(NotifiedEvent.UNVERIFIABLE, self._runs[key], was))
            if now.error_since is not None and now.error_since <= outage_since and not now.told_of_error:
                found.append(Change.of_outage(now))
                self.standings[key] = replace(now, told_of_error=True)
        return found

    def _take_one(self, run: Run, line: str, asked: Run) -> bool:
        """Take the run of one pact, or of all if none was verified; return whether it counts."""
        if run.status is RunStatus.FINISHED and run.outcome is None:
            self._end_outage(run, run.consumer or EVERY_PACT, line)  # GitHub has the dispatch
            return True
        if run.status is RunStatus.FINISHED and run.outcome is not Outcome.ERROR:
            return self._take_answer(run, line, asked)
        return _failed_attempt(run) and self._take_error(run, line, asked)

    def _take_answer(self, run: Run, line: str, asked: Run) -> bool:
        if run.outcome is Outcome.FAILED and not run.weight:
            return False  # a pending pact
        standing = self._standing(run, line)
        if standing.asked_at is not None and asked.created_at < standing.asked_at:
            return True  # a later run was taken already
        if run.is_for_all_pacts:
            self._end_outage(run, EVERY_PACT, line)
            return True
        is_change = run.outcome is not standing.answer and Outcome.FAILED in {run.outcome, standing.answer}
        if is_change and not self.counts(run):
            return False
        self._set(
            replace(
                standing,
                answer=run.outcome,
                run_id=run.id,
                asked_at=asked.created_at,
                consumer_version=run.consumer_version,
                provider_version=run.provider_version,
                error_since=None,
                error_run_id=None,
                error=None,
                told_of_error=False,
            ),
            run,
        )
        self._end_outage(run, EVERY_PACT, line)
        return True

    def _take_error(self, run: Run, line: str, asked: Run) -> bool:
        if run.pending and run.error_kind in OF_THE_PACT:
            return False
        standing = self._standing(run, line)
        if standing.asked_at is None or asked.created_at >= standing.asked_at:
            since = standing.error_since or asked.started_at or asked.created_at
            self._set(replace(standing, error_since=since, error_run_id=run.id, error=run.error), run)
        return True

    def _end_outage(self, run: Run, consumer: str, line: str) -> None:
        standing = self.standings.get((consumer, line)) or self.told.get((consumer, line))
        if standing is not None and standing.error_since is not None:
            self._set(
                replace(standing, error_since=None, error_run_id=None, error=None, told_of_error=False), run
            )

    def _standing(self, run: Run, line: str) -> Standing:
        key = (run.consumer or EVERY_PACT, line)
        if key not in self.told:
            self.told[key] = self.before(run, line)
        return self.standings.get(key) or self.told[key]

    def _set(self, standing: Standing, run: Run) -> None:
        self.standings[standing.key] = standing
        self._runs[standing.key] = run


def _failed_attempt(run: Run) -> bool:
    """Return whether a run came to nothing, for good or until its next attempt."""
    if run.error_kind in _NO_OUTAGE:
        return False
    if run.status is RunStatus.WAITING:
        return run.failures > 0 and run.error_kind is not None
    return run.status is RunStatus.FINISHED and run.outcome is Outcome.ERROR
