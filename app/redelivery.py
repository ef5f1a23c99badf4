"""Carrying the dispatch of a delivery out again, from what was kept of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from app import deliveries, jobs, runs
from app.deliveries import Arrival
from app.dispatch import Dispatch, FieldError, InvalidDispatch, from_api, from_delivery
from app.dispatches import check_configured
from app.payloads import STARS
from app.problem import Fault, Problem
from app.refusal import Refusal

if TYPE_CHECKING:
    from uuid import UUID

    from psycopg import Connection

    from app.config import Settings
    from app.deliveries import Delivery

SOURCE, REASON = "redelivery", "redelivered"


def redeliver(
    connection: Connection[Any],
    settings: Settings,
    delivery: Delivery,
    *,
    sender: str,
    address: str | None,
) -> UUID:
    """Store a new delivery of the same dispatch, and queue it.

    Args:
        connection: from a pool; the transaction is this function's.
        settings: the configuration as it is now: what was refused then may be accepted now.
        delivery: what is carried out again.
        sender: the name of the token of whoever wants it.
        address: where they are.

    Returns:
        The new delivery's id.

    Raises:
        Problem: 409 if too little of it was kept, 422 if it would be refused.
    """
    dispatch = _dispatch(connection, delivery)
    provider = settings.provider_of(dispatch.repository)
    if provider is None:
        raise Problem.invalid(Fault("repository", f"is {dispatch.repository}, and no provider has that one"))
    try:
        check_configured(settings, provider, dispatch)
    except Refusal as refusal:
        faults = tuple(Fault(error.field, error.message) for error in refusal.errors)
        raise Problem(422, f"it would be refused: {refusal.detail}", faults) from refusal
    arrival = Arrival(
        SOURCE,
        Arrival.new_id(),
        sender=sender,
        address=address,
        repository=dispatch.repository,
        event_type=dispatch.event_type,
        payload={"event_type": dispatch.event_type, "client_payload": _client_payload(dispatch)},
    )
    lock = jobs.lock_of(provider.name, parallel=provider.parallel)
    deliveries.accept(connection, arrival, dispatch, provider=provider.name, lock=lock, reason=REASON)
    return arrival.id


def _dispatch(connection: Connection[Any], delivery: Delivery) -> Dispatch:
    """Read what was asked for: from the payload, else from the run that it led to.

    Raises:
        Problem: too little was kept.
    """
    why = f"nothing of its body was kept: it was refused before that was read ({delivery.refusal})"
    if delivery.payload is not None:
        try:
            return _read(delivery)
        except InvalidDispatch as error:
            why = f"what was kept of it is no dispatch: {error}"
    run = None if delivery.run_id is None else runs.get(connection, delivery.run_id)
    if run is None:
        raise Problem(409, f"it can't be delivered again: {why}")
    return Dispatch(run.repository, run.event_type, run.pact_url, run.sha, run.branch)


def _read(delivery: Delivery) -> Dispatch:
    if delivery.source == "github":
        dispatch = from_delivery(delivery.payload)
    else:
        dispatch = from_api(delivery.repository or "", delivery.payload)
    for field, value in (("pact_url", dispatch.pact_url), ("branch", dispatch.branch)):
        if value is not None and STARS in value:
            raise InvalidDispatch(
                FieldError(f"client_payload.{field}", "invalid", "held a secret, which was not kept")
            )
    return dispatch


def _client_payload(dispatch: Dispatch) -> dict[str, str]:
    known = {
        "pact_url": dispatch.pact_url,
        "sha": dispatch.sha,
        "branch": dispatch.branch,
        "message": dispatch.message,
    }
    return {name: value for name, value in known.items() if value is not None}
