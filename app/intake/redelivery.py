"""Redelivery: the dispatch of a delivery is carried out again, from what was stored of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from app.config.provider import CheckoutProvider, RelayedProvider
from app.dispatch import (
    PUSH,
    Dispatch,
    FieldError,
    InvalidDispatch,
    check,
    from_api,
    from_delivery,
)
from app.intake.acceptance import check_configured, with_one_address
from app.intake.redacted_payload import is_whole, redacted
from app.intake.refusal import Refusal
from app.push import from_push
from app.queue import jobs
from app.records import deliveries, relays, runs
from app.records.deliveries import IncomingDelivery, Source
from app.records.run import RunReason

if TYPE_CHECKING:
    from uuid import UUID

    from psycopg import Connection

    from app.config.provider import ProviderSettings
    from app.config.settings import Settings
    from app.records.deliveries import Delivery
    from app.records.run import Run


class NotDeliverable(Exception):
    """The dispatch of a delivery can't be carried out again: too little of it was stored, or it must not be."""


def redeliver(
    connection: Connection[Any],
    settings: Settings,
    delivery: Delivery,
    *,
    sender: str,
    address: str | None,
    user_agent: str | None,
) -> UUID:
    """Store a new delivery of the same dispatch, and queue it.

    Args:
        connection: A connection that is in no transaction, or in one that the caller commits.
        settings: The configuration as it is now: what was refused then may be accepted now.
        delivery: The delivery that is carried out again.
        sender: The name of the token that the request for it came with.
        address: The address that the request came from.
        user_agent: The program that sent the request.

    Returns:
        The new delivery's id.

    Raises:
        NotDeliverable: Too little of it was stored, or it would be passed on without end.
        Refusal: It would be refused as the configuration is now.
    """
    again = _prepared(connection, settings, delivery)
    dispatch, provider = again.dispatch, again.provider
    incoming = IncomingDelivery(
        Source.REDELIVERY,
        sender=sender,
        address=address,
        user_agent=user_agent,
        repository=dispatch.repository,
        event_type=dispatch.event_type,
        payload=again.payload,
    )
    lock = jobs.lock_of(provider.name, parallel=provider.parallel)
    deliveries.accept(
        connection, incoming, dispatch, provider=provider.name, lock=lock, reason=RunReason.REDELIVERED
    )
    return incoming.id


def why_not(connection: Connection[Any], settings: Settings, delivery: Delivery) -> str | None:
    """Return why the dispatch of a delivery can't be carried out again; None if it can."""
    try:
        _prepared(connection, settings, delivery)
    except NotDeliverable as error:
        return str(error)
    except Refusal as refusal:
        return f"delivered again, it would be refused: {refusal.detail}"
    return None


@dataclass(frozen=True)
class _Again:
    dispatch: Dispatch
    provider: ProviderSettings
    payload: Any


def _prepared(connection: Connection[Any], settings: Settings, delivery: Delivery) -> _Again:
    """Return what a new delivery of the same dispatch consists of.

    Raises:
        NotDeliverable: There can be none.
        Refusal: It would be refused.
    """
    if delivery.refusal == "loop":
        raise NotDeliverable("it can't be delivered again: it would be passed on without end (loop)")
    run = None if delivery.run_id is None else runs.get(connection, delivery.run_id)
    dispatch = _dispatch(delivery, run)
    client_payload = _client_payload(delivery, dispatch)
    dispatch, provider = checked(connection, settings, dispatch, run, client_payload)
    payload = (
        delivery.payload
        if dispatch.is_push
        else {"event_type": dispatch.event_type, "client_payload": redacted(client_payload)}
    )
    return _Again(dispatch, provider, payload)


def checked(
    connection: Connection[Any],
    settings: Settings,
    dispatch: Dispatch,
    run: Run | None,
    client_payload: dict[str, Any],
) -> tuple[Dispatch, ProviderSettings]:
    """Return a dispatch as it can be carried out again, and the provider that it is for.

    Args:
        connection: The open connection.
        settings: The configuration as it is now.
        dispatch: What was asked for.
        run: The run that it led to, if any.
        client_payload: What was kept of its payload.

    Raises:
        NotDeliverable: It can't be carried out again.
        Refusal: It would be refused.
    """
    try:
        check(dispatch)
    except InvalidDispatch as error:
        raise Refusal(422, "invalid", "Validation Failed", str(error), error.errors) from error
    provider = settings.provider_of(dispatch.repository)
    if provider is None:
        detail = f"is {dispatch.repository}, and no provider has that one"
        raise Refusal.invalid("unknown-repository", "repository", detail)
    if dispatch.is_push and isinstance(provider, RelayedProvider):
        raise NotDeliverable("it is not passed on to GitHub, where the push itself has started the workflow")
    if dispatch.is_push and not isinstance(provider, CheckoutProvider):
        dispatch = replace(dispatch, sha=None, branch=None, push_order=None)
    check_configured(settings, provider, dispatch)
    dispatch = with_one_address(settings, dispatch)
    if isinstance(provider, RelayedProvider):
        if run is None and not is_whole(client_payload):
            why = "it held a secret or too long a text, which was not kept"
            raise NotDeliverable(f"it can't be delivered again: {why}")
        passed_on = client_payload if run is None else relays.payload_of(connection, run)
        if passed_on is None:
            why = "it was passed on, and what may be a secret in it was not kept since"
            raise NotDeliverable(f"it can't be delivered again: {why}. Send the webhook again")
        dispatch = replace(dispatch, client_payload=passed_on)
    return dispatch, provider


def _dispatch(delivery: Delivery, run: Run | None) -> Dispatch:
    """Return what was asked for: from the payload, else from the run that it led to.

    Raises:
        NotDeliverable: Too little was stored.
    """
    why = f"nothing of its body was kept: it was refused before that was read ({delivery.refusal})"
    if delivery.payload is not None:
        try:
            dispatch = _read(delivery)
        except InvalidDispatch as error:
            why = f"what was kept of it is no dispatch: {error}"
        else:
            if is_whole([dispatch.pact_url, dispatch.branch]):
                return dispatch
            why = "it held a secret or too long a text, which was not kept"
    if run is None:
        raise NotDeliverable(f"it can't be delivered again: {why}")
    return run.dispatch


def _read(delivery: Delivery) -> Dispatch:
    if delivery.event_type == PUSH and isinstance(delivery.payload, dict) and "ref" in delivery.payload:
        push = from_push(delivery.payload)
        if push is None:
            raise InvalidDispatch(FieldError("ref", "invalid", "is none of a branch with commits"))
        return push.dispatch
    if delivery.source == Source.GITHUB:
        return from_delivery(delivery.payload)
    return from_api(delivery.repository or "", delivery.payload)


def _client_payload(delivery: Delivery, dispatch: Dispatch) -> dict[str, Any]:
    if isinstance(delivery.payload, dict) and isinstance(delivery.payload.get("client_payload"), dict):
        return dict(delivery.payload["client_payload"])
    return dispatch.payload
