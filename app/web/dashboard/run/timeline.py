"""What happened to a run, step by step, and the attempts that came to nothing. No I/O."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from app.records.commit_statuses import StatusResult
from app.records.notification_result import NotificationResult
from app.records.run import PAUSED_PROVIDER, Publishing, RunStatus
from app.records.run_moments import MomentName
from verifier.verification import Outcome

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from app.records.commit_statuses import StoredStatus
    from app.records.notifications import Notification
    from app.records.run import Run
    from app.records.run_moments import Moment

_OF_WORKERS = {
    MomentName.CHECKED_OUT: "Checked out",
    MomentName.PROVIDER_READY: "Provider ready",
}


class StepState(StrEnum):
    """Where a step stands."""

    DONE = "done"
    UNDER_WAY = "under way"
    WRONG = "wrong"


@dataclass(frozen=True)
class Step:
    """A step of a run.

    Attributes:
        name: What happened.
        at: When; None if it is under way, or was not told.
        detail: More about it.
        state: Where it stands.
        seconds: How long after the step before; None of the first.
    """

    name: str
    at: datetime | None
    detail: str = ""
    state: StepState = StepState.DONE
    seconds: float | None = None


def timeline(
    run: Run,
    moments: Sequence[Moment],
    statuses: Sequence[StoredStatus],
    relay: Mapping[str, Any] | None,
    told: Sequence[Notification] = (),
) -> list[Step]:
    """Return the steps of a run, in their order.

    Args:
        run: The run.
        moments: Those of its attempts.
        statuses: Those of its commit.
        relay: Where its dispatch was passed on to; None if it was not.
        told: What people were told of it.
    """
    steps = [Step("Accepted, queued", run.created_at)] if run.parent_id is None else []
    started = next(
        (
            one.at
            for one in reversed(moments)
            if one.attempt == run.attempt and one.name is MomentName.STARTED
        ),
        run.started_at,
    )
    if run.attempt and started is not None:
        steps.append(Step("Started", started, f"attempt {run.attempt}" if run.attempt > 1 else ""))
    steps += [
        Step(_OF_WORKERS[one.name], one.at)
        for one in moments
        if one.attempt == run.attempt and one.name in _OF_WORKERS
    ]
    steps += _end(run, relay)
    steps += _status(statuses)
    steps += map(_told, told)
    return _timed(steps)


@dataclass(frozen=True)
class Attempt:
    """An attempt of a run.

    Attributes:
        number: Its number, from 1.
        started_at: When it started; None if that was not noted.
        worker: The worker that carried it out.
        ended_at: When it ended without an outcome; None if it has not, or nobody could say.
        end: Why it ended so.
    """

    number: int
    started_at: datetime | None
    worker: str | None
    ended_at: datetime | None
    end: str


def attempts(run: Run, moments: Sequence[Moment]) -> list[Attempt]:
    """Return the attempts of a run that are known, newest first."""
    found = []
    for number in sorted({one.attempt for one in moments}, reverse=True):
        of_it = {one.name: one for one in moments if one.attempt == number}
        started, ended = of_it.get(MomentName.STARTED), of_it.get(MomentName.ENDED)
        if ended is not None:
            end = ended.detail or "It was handed back, since its worker stopped."
        elif number < run.attempt:
            end = "Its worker went away."
        else:
            end = _end_of_latest(run)
        found.append(
            Attempt(
                number,
                None if started is None else started.at,
                None if started is None else started.detail,
                None if ended is None else ended.at,
                end,
            )
        )
    return found


def _end_of_latest(run: Run) -> str:
    if run.status is RunStatus.RUNNING:
        return "It runs."
    if run.status is RunStatus.CANCELLED:
        return "It was cancelled."
    return (
        {
            Outcome.PASSED: "The pact passed.",
            Outcome.FAILED: "The pact failed.",
            Outcome.ERROR: run.error or "It could not verify.",
        }.get(run.outcome, "It passed the dispatch on.")
        if run.outcome
        else "It passed the dispatch on."
    )


def _end(run: Run, relay: Mapping[str, Any] | None) -> list[Step]:
    if relay is not None:
        return [
            Step(
                "Passed on to GitHub", relay["relayed_at"], f"{relay['repository']} as {relay['event_type']}"
            )
        ]
    steps = []
    if run.verified_at is not None and run.outcome is not None:
        state = StepState.DONE if run.outcome is Outcome.PASSED else StepState.WRONG
        steps.append(Step("Verified", run.verified_at, _outcome(run), state))
    if run.publishing is Publishing.PUBLISHED:
        detail = "" if run.is_for_all_pacts else "the broker has confirmed it"
        steps.append(Step("Published", None if run.is_for_all_pacts else run.finished_at, detail))
    elif run.publishing is Publishing.PENDING:
        detail = f"not yet: {run.publish_error}" if run.publish_error else "not yet"
        steps.append(Step("Published", None, detail, StepState.UNDER_WAY))
    elif run.publishing is Publishing.REFUSED:
        detail = "some results were not taken" if run.is_for_all_pacts else (run.publish_error or "not taken")
        steps.append(Step("Not published", None, detail, StepState.WRONG))
    if run.status is RunStatus.CANCELLED:
        steps.append(Step("Cancelled", run.finished_at, "", StepState.WRONG))
    elif run.status is RunStatus.FINISHED and not steps:
        steps.append(Step("Given up", run.finished_at, run.error or "", StepState.WRONG))
    elif run.status is RunStatus.RUNNING and not steps:
        detail = (
            "its worker was told to stop it" if run.cancel_requested else "the log below says what it does"
        )
        steps.append(Step("Verifying", None, detail, StepState.UNDER_WAY))
    elif run.status is RunStatus.WAITING:
        steps.append(Step("Waiting", None, _awaited(run), StepState.UNDER_WAY))
    return steps


def _awaited(run: Run) -> str:
    """Return what a run waits for."""
    if run.error_kind == PAUSED_PROVIDER:
        return "until its provider is resumed"
    return "for its next attempt" if run.retry_at else "for a worker"


def _outcome(run: Run) -> str:
    return "could not verify" if run.outcome is Outcome.ERROR else str(run.outcome)


def _status(statuses: Sequence[StoredStatus]) -> list[Step]:
    if not statuses:
        return []
    status = statuses[-1]
    what = f"{status.context}: {status.state}"
    if status.result is StatusResult.SET:
        return [Step("Status set", status.finished_at, what)]
    if status.result is StatusResult.WAITING:
        why = f": {status.error}" if status.error else ""
        return [Step("Status set", None, f"{what}, not yet{why}", StepState.UNDER_WAY)]
    if status.result is StatusResult.SUPERSEDED:
        return [Step("Status set", None, f"{what}, not any more: a later run of the commit has set its own")]
    return [Step("Status not set", None, f"{what}: {status.error}", StepState.WRONG)]


def _told(notification: Notification) -> Step:
    host = f" at {notification.host}" if notification.host else ""
    what = f"{notification.target}{host}: {', '.join(notification.events)}"
    if notification.result is NotificationResult.SENT:
        return Step("Told", notification.finished_at, what)
    if notification.failed:
        return Step("Not told", notification.finished_at, f"{what}: {notification.error}", StepState.WRONG)
    why = f": {notification.error}" if notification.error else ""
    return Step("Told", None, f"{what}, not yet{why}", StepState.UNDER_WAY)


def _timed(steps: Sequence[Step]) -> list[Step]:
    """Return the steps with the time that each took, those with a time in its order."""
    ordered = sorted(
        enumerate(steps),
        key=lambda pair: (pair[1].at is None, pair[1].at.timestamp() if pair[1].at else 0, pair[0]),
    )
    found: list[Step] = []
    last: datetime | None = None
    for _, step in ordered:
        seconds = None if step.at is None or last is None else max(0.0, (step.at - last).total_seconds())
        found.append(replace(step, seconds=seconds))
        last = step.at or last
    return found
