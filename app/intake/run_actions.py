"""What people do to a run: cancel it, have it run again, have its result published again. Each is kept in `actions`.

A row is locked before it is looked at: two who do the same at once do it once, and a run that ended meanwhile is seen.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from app.dispatch import PACT_CHANGED
from app.intake.redacted_payload import redacted
from app.intake.redelivery import checked
from app.queue import jobs
from app.records import actions, deliveries, pact_runs, runs
from app.records.actions import ActionKind
from app.records.deliveries import Accepted, IncomingDelivery, Source
from app.records.run import Publishing, Run, RunReason, RunStatus
from app.records.run_changes import RunChanges

if TYPE_CHECKING:
    from uuid import UUID

    from psycopg import Connection

    from app.config.settings import Settings
    from app.records.actions import Doer

ONE_CLICK_SECONDS = 5.0
"""Within so many seconds, whoever has the same run again is led to the run that is there already."""


class NoSuchRun(Exception):
    """There is no run of this id, or not any more."""


class NotDone(Exception):
    """Something can't be done to a run as it now is; the message says why, and what to do."""


def cancel(connection: Connection[Any], run_id: UUID, doer: Doer) -> Run:
    """Cancel a run that waits, or have one that runs stopped; one that is cancelled already is left as it is.

    Args:
        connection: The open connection; the caller commits.
        run_id: The run's id.
        doer: Who does it.

    Returns:
        The run as it now is.

    Raises:
        NoSuchRun: There is none.
        NotDone: It is finished.
    """
    run = _locked(connection, run_id)
    if run.status is RunStatus.FINISHED:
        raise NotDone("the run is finished: there is nothing to cancel")
    if run.status is RunStatus.CANCELLED or run.cancel_requested:
        return run
    actions.add(connection, doer, ActionKind.CANCEL, provider=run.provider, run_id=run_id)
    cancelled = RunChanges().cancel(connection, run_id)
    return run if cancelled is None else cancelled


def run_again(
    connection: Connection[Any], settings: Settings, run_id: UUID, doer: Doer, *, user_agent: str | None
) -> UUID:
    """Have the dispatch of a run carried out again, as a delivery and a run of its own.

    The pact of a run for every pact is verified by itself.

    Args:
        connection: The open connection; the caller commits.
        settings: The configuration as it is now.
        run_id: The run's id.
        doer: Who does it.
        user_agent: The program that the request for it came from.

    Returns:
        The id of the new run, or of one that waits already and answers the same.

    Raises:
        NoSuchRun: There is none.
        NotDone: It has not ended, or its provider is not configured any more.
        NotDeliverable: Not enough of it was kept.
        Refusal: It would be refused as the configuration is now.
    """
    run = _locked(connection, run_id)
    if not run.status.ended:
        raise NotDone(f"the run has not ended: it is {run.status}. Cancel it first, or wait for its outcome")
    same = actions.latest_outcome(connection, ActionKind.RUN_AGAIN, run_id, seconds=ONE_CLICK_SECONDS)
    if same is not None:
        return same
    if settings.provider_named(run.provider) is None:
        raise NotDone(
            f"{run.provider} is not among the providers of the configuration any more, so that nothing can verify it: "
            "add it again, and restart the receiver"
        )
    dispatch = run.dispatch
    if run.parent_id is not None and run.pact_url is not None:
        dispatch = replace(dispatch, event_type=PACT_CHANGED)
    dispatch, provider = checked(connection, settings, dispatch, run, dispatch.payload)
    is_simple = not dispatch.is_push and not dispatch.pact_urls
    incoming = IncomingDelivery(
        Source.REDELIVERY,
        sender=doer.name,
        address=doer.address,
        user_agent=user_agent,
        repository=dispatch.repository,
        event_type=dispatch.event_type,
        # without one, it is delivered again by what the run knows
        payload={"event_type": dispatch.event_type, "client_payload": redacted(dispatch.payload)}
        if is_simple
        else None,
    )
    accepted = deliveries.accept(
        connection,
        incoming,
        dispatch,
        provider=provider.name,
        lock=jobs.lock_of(provider.name, parallel=provider.parallel),
        reason=RunReason.REDELIVERED,
    )
    assert isinstance(accepted, Accepted)  # noqa: S101 - only deliveries of GitHub's have an id that may come twice
    actions.add(
        connection,
        doer,
        ActionKind.RUN_AGAIN,
        provider=run.provider,
        run_id=run_id,
        delivery_id=incoming.id,
        outcome_id=accepted.run_id,
    )
    return accepted.run_id


def publish_again(connection: Connection[Any], run_id: UUID, doer: Doer) -> None:
    """Have the result of a run published now that the broker has not taken; of a run for every pact, all such results.

    Args:
        connection: The open connection; the caller commits.
        run_id: The run's id.
        doer: Who does it.

    Raises:
        NoSuchRun: There is none.
        NotDone: It has no such result.
    """
    found = runs.get(connection, run_id)
    if found is None:
        raise NoSuchRun
    if found.parent_id is not None:  # whoever locks both begins with the parent
        runs.lock(connection, found.parent_id)
    run = _locked(connection, run_id)
    if run.status is not RunStatus.FINISHED:
        raise NotDone(f"the run is {run.status}: there is no result that could be published again")
    open_ones = pact_runs.not_published(connection, run_id) if run.is_for_all_pacts else [run]
    open_ones = [one for one in open_ones if one.publishing in {Publishing.PENDING, Publishing.REFUSED}]
    if not open_ones:
        raise NotDone(
            "the broker has the result already"
            if run.publishing is Publishing.PUBLISHED
            else "the run has no result that could be published"
        )
    changes = RunChanges()
    for one in open_ones:
        changes.publish_again(connection, one)
    actions.add(connection, doer, ActionKind.PUBLISH_AGAIN, provider=run.provider, run_id=run_id)


def _locked(connection: Connection[Any], run_id: UUID) -> Run:
    run = runs.lock(connection, run_id)
    if run is None:
        raise NoSuchRun
    return run
