"""A look at a provider in the broker: which pacts lack a result, and what became of its webhooks' requests.

It takes seconds, and the broker may be away: a worker does it, and stores what it found for the pages.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, NotRequired, TypedDict

from app.intake.missed import reconcile
from broker.client.reading import ReadingClient
from broker.http.errors import BrokerError, NotFound
from broker.webhooks import Webhooks
from broker.webhooks.hidden_secrets import redacted_urls
from broker.webhooks.triggered import TriggeredWebhooks

if TYPE_CHECKING:
    from app.config.provider import ProviderSettings
    from app.config.settings import Settings
    from app.intake.missed import Connect, MissedDispatch
    from broker.http.access import BrokerAccess
    from broker.webhooks.definition import Webhook
    from broker.webhooks.triggered import Triggered

RETRY_SECONDS = 5.0
LONGEST_SECONDS = 60.0
"""How long the broker is asked for webhooks in all."""
MOST_PACTS = 200
"""Pacts without a result that are kept."""
MOST_WEBHOOKS = 50
MOST_CONSUMERS = 30
"""Consumers whose deliveries are asked for."""
MOST_DELIVERIES = 5
"""The latest deliveries of a webhook that are kept."""
LONGEST = 500
"""Characters of one text that are kept: it may come from anyone."""


class MissingPact(TypedDict):
    """A pact that lacks a result."""

    consumer: str
    consumer_version: str
    provider_version: str | None
    why: str
    state: str
    run: str | None
    wait: float | None


class LastDelivery(TypedDict):
    """The last time that a webhook was triggered for a consumer."""

    consumer: str
    event: str
    at: str | None
    status: str
    answer: int | None
    error: str | None


class FoundWebhook(TypedDict):
    """A webhook for pacts of the provider."""

    uuid: str
    description: str
    scope: str
    url: str
    events: list[str]
    enabled: bool
    deliveries: list[LastDelivery]


class Found(TypedDict):
    """What a look has found.

    Attributes:
        pacts: How many pacts were looked at.
        missing: Those that lack a result.
        more_missing: How many there are besides.
        notes: What can't be queued, and why.
        problems: What could not be asked, and why.
        webhooks: The webhooks for pacts of the provider.
        doctor: What `doctor --json` prints of the provider.
    """

    pacts: int
    missing: list[MissingPact]
    more_missing: int
    notes: list[str]
    problems: list[str]
    webhooks: list[FoundWebhook]
    doctor: NotRequired[dict[str, Any]]


def look(
    settings: Settings, access: BrokerAccess, connect: Connect, provider: ProviderSettings, *, queues: bool
) -> Found:
    """Ask the broker about a provider.

    Args:
        settings: The configuration.
        access: The broker.
        connect: Opens a connection to the receiver's database, as a context manager.
        provider: The provider.
        queues: Whether what lacks a result is queued, if it is due.
    """
    report = reconcile(settings, access, connect, providers=[provider], dry_run=not queues)
    problems = list(report.problems)
    webhooks: list[FoundWebhook] = []
    if not report.broker_away:
        try:
            webhooks = _webhooks(access, provider.name)
        except BrokerError as error:
            problems.append(f"its webhooks could not be looked at: {error}")
    return Found(
        pacts=report.pacts,
        missing=[_missing(one) for one in report.missed[:MOST_PACTS]],
        more_missing=max(0, len(report.missed) - MOST_PACTS),
        notes=[_cut(note) for note in report.notes[:MOST_PACTS]],
        problems=[_cut(problem) for problem in problems],
        webhooks=webhooks,
    )


def failed(reason: str) -> Found:
    """Return what a look has found that failed."""
    return Found(pacts=0, missing=[], more_missing=0, notes=[], problems=[_cut(reason)], webhooks=[])


def _missing(one: MissedDispatch) -> MissingPact:
    return MissingPact(
        consumer=_cut(one.consumer),
        consumer_version=_cut(one.consumer_version),
        provider_version=None if one.provider_version is None else _cut(one.provider_version),
        why=_cut(one.why),
        state=str(one.state),
        run=None if one.run is None else str(one.run),
        wait=one.wait,
    )


def _webhooks(access: BrokerAccess, provider: str) -> list[FoundWebhook]:
    """Find the webhooks for pacts of a provider, each with its latest deliveries.

    Raises:
        BrokerError: The broker could not be asked.
    """
    deadline = time.monotonic() + LONGEST_SECONDS
    with ReadingClient(access, retry_time=RETRY_SECONDS, deadline=deadline) as client:
        found = Webhooks(client).matching(provider=provider)[:MOST_WEBHOOKS]
        triggered = TriggeredWebhooks(client)
        latest: list[Triggered] = []
        if found:
            for consumer, _ in triggered.pairs(provider=provider)[:MOST_CONSUMERS]:
                try:
                    latest += triggered.latest(consumer, provider)
                except NotFound:
                    continue
    return [_webhook(webhook, latest) for webhook in found]


def _webhook(webhook: Webhook, latest: list[Triggered]) -> FoundWebhook:
    own = [one for one in latest if one.webhook_uuid == webhook.uuid]
    own.sort(key=lambda one: one.at or "", reverse=True)
    return FoundWebhook(
        uuid=_cut(webhook.uuid),
        description=_cut(webhook.description or ""),
        scope=_cut(str(webhook.scope)),
        url=_cut(redacted_urls(webhook.request.url)),
        events=[_cut(event) for event in webhook.events[:10]],
        enabled=webhook.enabled,
        deliveries=[_delivery(one) for one in own[:MOST_DELIVERIES]],
    )


def _delivery(one: Triggered) -> LastDelivery:
    last = one.attempts[-1] if one.attempts else None
    return LastDelivery(
        consumer=_cut(one.consumer),
        event=_cut(one.event),
        at=one.at,
        status=_cut(one.status),
        answer=None if last is None else last.status,
        error=None if last is None or last.error is None else _cut(redacted_urls(last.error)),
    )


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
