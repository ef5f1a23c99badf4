"""Which dispatches are accepted; each is stored with its delivery, its run and the run's job in one transaction.

Nothing in a payload becomes a host or a provider: both are configured.
"""

from __future__ import annotations

from dataclasses import replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

import psycopg

from app.config.provider import CheckoutProvider, RelayedProvider
from app.database.failures import is_unstorable, may_pass
from app.intake.refusal import Refusal
from app.queue import jobs
from app.records import deliveries
from app.records.deliveries import Source
from broker.http.addresses import Addresses
from broker.http.origin import Origin
from verifier.commit_id import is_commit_id

if TYPE_CHECKING:
    from psycopg_pool import ConnectionPool

    from app.config.provider import ProviderSettings
    from app.config.settings import Settings
    from app.dispatch import Dispatch
    from app.intake.tokens import Token
    from app.push import Push
    from app.records.deliveries import Accepted, IncomingDelivery, Repeated

RELAY_USER_AGENT = "pact-dispatch relay"
"""The user agent of a dispatch that a receiver passes on, by which a receiver recognises it."""


def check_token(token: Token, repository: str) -> None:
    """Raise unless a token may dispatch for a repository.

    Raises:
        Refusal: It may not (404): as on GitHub, a token doesn't see what it may not use.
    """
    if not token.may_dispatch_for(repository):
        raise Refusal.not_found(
            "other-repository", f"the token {token.name} may not dispatch for the repository {repository}"
        )


def provider_of(settings: Settings, repository: str) -> ProviderSettings:
    """Return the provider that has a repository.

    Raises:
        Refusal: No provider has it (404).
    """
    provider = settings.provider_of(repository)
    if provider is None:
        raise Refusal.not_found("unknown-repository", f"no provider has the repository {repository}")
    return provider


def check_configured(settings: Settings, provider: ProviderSettings, dispatch: Dispatch) -> None:
    """Raise unless everything that a dispatch asks for is configured.

    Raises:
        Refusal: The event type, the broker or the provider is another one, or the provider is checked out and the
            dispatched version is no commit id (422).
    """
    if dispatch.event_type not in settings.event_types and not dispatch.is_push:
        accepted = ", ".join(sorted(settings.event_types))
        raise Refusal.invalid("event-type", "event_type", f"is none that is configured: {accepted}")
    if dispatch.pact_url is not None and not addresses_of(settings).contain(dispatch.pact_url):
        raise Refusal.invalid(
            "other-broker", "client_payload.pact_url", "is not on the configured Pact Broker"
        )
    if dispatch.provider is not None and dispatch.provider != provider.name:
        raise Refusal.invalid(
            "other-provider",
            "client_payload.pact_url",
            f"is a pact of the provider {dispatch.provider!r}; {dispatch.repository} is {provider.name!r}",
        )
    if isinstance(provider, CheckoutProvider) and dispatch.sha is not None and not is_commit_id(dispatch.sha):
        raise Refusal.invalid(
            "invalid",
            "client_payload.sha",
            f"must be a commit id (7 to 64 hexadecimal digits): {provider.name} is checked out at it",
        )


def dispatch_of_push(provider: ProviderSettings, push: Push) -> Dispatch | None:
    """Return what a push to a provider's repository asks for; None if it asks for nothing.

    Where dispatches are passed on to GitHub, the push itself has started the workflow there. A provider that runs is
    not changed by a push, but by a deployment: it is verified, as the version that it is, only if its branches are
    configured.
    """
    if isinstance(provider, RelayedProvider):
        return None
    checked_out = isinstance(provider, CheckoutProvider)
    if provider.branches is None:
        wanted = checked_out and push.is_default_branch
    else:
        wanted = any(fnmatchcase(push.branch, pattern) for pattern in provider.branches)
    if not wanted:
        return None
    return push.dispatch if checked_out else replace(push.dispatch, sha=None, branch=None, push_order=None)


def addresses_of(settings: Settings) -> Addresses:
    """Return the addresses of the configured broker."""
    return Addresses(Origin.of(settings.broker.url), tuple(map(Origin.of, settings.broker.aliases)))


def with_one_address(settings: Settings, dispatch: Dispatch) -> Dispatch:
    """Return a dispatch whose pact has the broker's one address, whichever its sender knows, to be recorded so."""
    if dispatch.pact_url is None:
        return dispatch
    return replace(dispatch, pact_url=addresses_of(settings).at_origin(dispatch.pact_url))


def check_loop(settings: Settings, delivery: IncomingDelivery, dispatch: Dispatch) -> None:
    """Raise if a dispatch that is to be relayed was relayed already, by this receiver or by another one.

    Raises:
        Refusal: It was (422).
    """
    if delivery.source == Source.GITHUB and dispatch.repository.lower() in settings.relay_targets:
        detail = (
            "is a repository that dispatches are passed on to: GitHub's event would come back without end"
        )
        raise Refusal.invalid("loop", "repository.full_name", detail)
    if (delivery.user_agent or "").startswith(RELAY_USER_AGENT):
        detail = "says that a pact-dispatch passed this on already: it isn't passed on a second time"
        raise Refusal.invalid("loop", "User-Agent", detail)


def check(settings: Settings, delivery: IncomingDelivery, dispatch: Dispatch) -> ProviderSettings:
    """Check a dispatch, and return the provider that it is for.

    Raises:
        Refusal: It is not accepted (404, 422).
    """
    provider = provider_of(settings, dispatch.repository)
    check_configured(settings, provider, dispatch)
    if isinstance(provider, RelayedProvider):
        check_loop(settings, delivery, dispatch)
    return provider


def accept(
    pool: ConnectionPool[Any],
    settings: Settings,
    delivery: IncomingDelivery,
    dispatch: Dispatch,
    *,
    client_payload: dict[str, Any],
) -> Accepted | Repeated:
    """Check a dispatch, store it and queue it.

    Args:
        pool: The pool of connections to the database.
        settings: The configuration.
        delivery: The delivery that carried it.
        dispatch: What it asks for.
        client_payload: The payload as it came, which is stored where the provider's dispatches are relayed.

    Returns:
        What became of it: a run of its own or one that waited already, or none, since it was accepted before.

    Raises:
        Refusal: It is not accepted (404, 422), or can't be stored now (503) or ever (422).
        psycopg.Error: A statement is wrong.
    """
    provider = check(settings, delivery, dispatch)
    dispatch = with_one_address(settings, dispatch)
    if isinstance(provider, RelayedProvider):
        dispatch = replace(dispatch, client_payload=client_payload)
    lock = jobs.lock_of(provider.name, parallel=provider.parallel)
    try:
        with pool.connection() as connection:
            return deliveries.accept(connection, delivery, dispatch, provider=provider.name, lock=lock)
    except (psycopg.Error, UnicodeEncodeError) as error:
        detail = f"it could not be stored: {type(error).__name__}"
        if may_pass(error):  # the broker's own retry brings the dispatch back
            raise Refusal(503, "not-stored", "Service Unavailable", detail) from error
        if is_unstorable(error):
            raise Refusal(422, "unstorable", "Validation Failed", detail) from error
        raise
