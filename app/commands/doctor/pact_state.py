"""What a broker knows of one pact, fetched when it is needed."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from app.commands.dispatch_url import DispatchUrl
from app.commands.doctor.chain import Case
from app.commands.github_judgement import Trigger
from app.commands.provider_versions import NeededVersions
from broker.client.for_verification import content_of
from broker.client.pact_results import results_of
from broker.events import PUBLICATION_EVENTS, WebhookEvent
from broker.http.errors import BrokerError, NotFound, UnexpectedAnswer
from broker.http.json_values import text_at
from broker.text.times import EARLIEST, read_time
from broker.webhooks import Webhooks
from broker.webhooks.triggered import TriggeredWebhooks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from broker.client import BrokerClient
    from broker.client.missing_results import ProviderVersion
    from broker.client.pact_results import Result
    from broker.webhooks.definition import Webhook
    from broker.webhooks.triggered import Triggered


@dataclass(frozen=True)
class Target:
    """Where the webhooks of a pact send their requests.

    Attributes:
        url: The URL of the request.
        base: The part of it before `/repos/`; None if it is no dispatch.
        repository: The repository in it, OWNER/REPO; None if it is no dispatch.
        event_types: The event types of the dispatches that are sent there.
        started: The workflow that a `workflow_dispatch` starts there; None for a `repository_dispatch`.
    """

    url: str
    base: str | None
    repository: str | None
    event_types: tuple[str, ...]
    started: Trigger | None = None

    @property
    def triggers(self) -> tuple[Trigger, ...]:
        """What the dispatches start at GitHub."""
        return (self.started,) if self.started else tuple(Trigger(one) for one in self.event_types)


class PactState:
    """One pact in one broker. Everything raises BrokerError when the broker can't be asked.

    Args:
        client: The session with the broker, which should send no request twice.
        case: The pact.
    """

    def __init__(self, client: BrokerClient, case: Case) -> None:
        self.client = client
        self.case = case

    @cached_property
    def pact(self) -> dict[str, Any] | None:
        """The pact, if there is one."""
        case = self.case
        url = self.client.index_link(
            "pb:publish-pact",
            provider=case.provider,
            consumer=case.consumer,
            consumerApplicationVersion=case.version,
        )
        return self.client.find_object(url)

    @property
    def content(self) -> str | None:
        """The broker's id of the pact's content."""
        link = self.client.link(self.pact, "pb:pact-version")
        return content_of(link) if link else None

    @property
    def url(self) -> str:
        """The URL of this version's pact."""
        case = self.case
        pair = ("pacts", "provider", case.provider, "consumer", case.consumer)
        return self.client.link(self.pact, "self") or self.client.url(*pair, "version", case.version)

    @cached_property
    def _latest(self) -> dict[str, Any] | None:
        case = self.case
        url = self.client.url("pacts", "provider", case.provider, "consumer", case.consumer, "latest")
        return self.client.find_object(self.client.link(self.pact, "pb:latest-pact-version") or url)

    @property
    def latest_version(self) -> str | None:
        """The consumer version that has the latest pact of the two."""
        return text_at(self._latest, "_links", "pb:consumer-version", "name")

    @property
    def is_latest(self) -> bool:
        """Whether the latest pact of the two, which webhooks send when they are tried, has this content."""
        link = self.client.link(self._latest, "pb:pact-version")
        return link is None or content_of(link) == self.content

    @property
    def goes_to_receiver(self) -> bool:
        """Whether the webhook dispatches to something else than GitHub."""
        target = self.target
        return target is not None and target.base is not None and not DispatchUrl(target.base, "").is_github

    @property
    def published_at(self) -> str | None:
        """When the pact was published, as the broker gives it."""
        return text_at(self.pact, "createdAt")

    @cached_property
    def needed(self) -> NeededVersions:
        """The provider's versions that need a result: the latest of the main branch, deployed, released."""
        return NeededVersions.ask(self.client, self.case.provider)

    @property
    def versions(self) -> Sequence[ProviderVersion]:
        """The provider's versions that need a result."""
        return self.needed.versions

    @property
    def checks_out(self) -> bool:
        """Whether the provider's versions are sent to GitHub, whose workflow checks them out."""
        dispatches = [
            DispatchUrl.read(self._sent_to(webhook)) for webhook in self.triggering if _sends_version(webhook)
        ]
        return any(one is not None and one.is_github for one in dispatches)

    @cached_property
    def results(self) -> list[Result]:
        """The results that there are."""
        return results_of(self.client, self.case.consumer, self.case.version, self.case.provider)

    @property
    def lacking(self) -> list[ProviderVersion]:
        """The versions that need a result, and have none."""
        have = {result.provider_version for result in self.results}
        return [version for version in self.versions if version.number not in have]

    @property
    def complete(self) -> bool:
        """Whether all results that are needed are there; where no version matters, any will do."""
        return bool(self.results) and not self.lacking

    @cached_property
    def webhooks(self) -> list[Webhook]:
        """All webhooks for this pact."""
        return Webhooks(self.client).matching(consumer=self.case.consumer, provider=self.case.provider)

    @property
    def asking(self) -> list[Webhook]:
        """The webhooks that ask for a verification: they dispatch, or name the pact."""
        return [webhook for webhook in self.webhooks if _asks(webhook)]

    @property
    def enabled(self) -> list[Webhook]:
        """The enabled webhooks that ask for a verification."""
        return [webhook for webhook in self.asking if webhook.enabled]

    @property
    def triggering(self) -> list[Webhook]:
        """The enabled webhooks that ask for a verification when a pact is published."""
        return [webhook for webhook in self.enabled if set(webhook.events) & PUBLICATION_EVENTS]

    @property
    def needs_versions(self) -> bool:
        """Whether nothing is sent while the provider has no version that needs a result."""
        try:
            events = {event for webhook in self.triggering for event in webhook.events} & PUBLICATION_EVENTS
        except BrokerError:
            return False
        return events == {WebhookEvent.REQUIRING_VERIFICATION}

    @cached_property
    def deliveries(self) -> list[Triggered]:
        """The deliveries that the publication of this version triggered, the newest first."""
        case, uuids = self.case, {webhook.uuid for webhook in self.asking}
        try:
            found = TriggeredWebhooks(self.client).of_version(case.consumer, case.provider, case.version)
        except NotFound:
            return []
        return sorted(
            (one for one in found if one.webhook_uuid in uuids and one.event in PUBLICATION_EVENTS),
            key=lambda one: read_time(one.at) or EARLIEST,
            reverse=True,
        )

    @property
    def target(self) -> Target | None:
        """The target of the first webhook that is triggered, and the dispatches of others to it."""
        candidates = self.triggering or self.enabled or self.asking
        if not candidates:
            return None
        url = self._sent_to(candidates[0])
        same = [webhook for webhook in candidates if self._sent_to(webhook) == url]
        dispatches = DispatchUrl.read(url)
        types = [event_type(webhook.request.body) for webhook in same]
        return Target(
            url,
            dispatches.base if dispatches else None,
            dispatches.repository if dispatches else None,
            tuple(dict.fromkeys(one for one in types if one is not None)),
            Trigger.of(dispatches, same[0].request.body) if dispatches and dispatches.workflow else None,
        )

    def _sent_to(self, webhook: Webhook) -> str:
        url = webhook.request.url
        for name, value in (("consumerName", self.case.consumer), ("providerName", self.case.provider)):
            url = url.replace("${pactbroker." + name + "}", quote(value, safe=""))
        return url


def event_type(body: Any) -> str | None:
    """Return the event type in the body of a dispatch, whether it is JSON or text."""
    if isinstance(body, str):
        with suppress(ValueError, RecursionError):
            body = json.loads(body)
    return text_at(body, "event_type")


def latest_pacts(client: BrokerClient, provider: str, most: int) -> tuple[list[Case], int] | None:
    """Return the latest pact of each consumer with a provider.

    Returns:
        At most so many, and how many more there are; None if the broker doesn't know the provider.

    Raises:
        BrokerError: The broker could not be asked.
    """
    document = client.find_object(client.index_link("pb:latest-provider-pacts", provider=provider))
    if document is None:
        return None
    found, urls = [], client.links(document, "pb:pacts")
    for url in urls[:most]:
        answer = client.find(url)
        if answer is None:  # it was deleted since it was listed
            continue
        pact = answer.document
        consumer = text_at(pact, "_links", "pb:consumer", "name") or text_at(pact, "consumer", "name")
        version = text_at(pact, "_links", "pb:consumer-version", "name")
        if consumer is None or version is None:
            raise UnexpectedAnswer(f"the broker doesn't say whose version has the pact {url}")
        found.append(Case(consumer, version, provider))
    return found, max(0, len(urls) - most)


def pacts_of(client: BrokerClient, consumer: str, version: str, most: int) -> tuple[list[Case], int] | None:
    """Return the pacts of a consumer version.

    Returns:
        At most so many, and how many more there are; None if the broker doesn't know the version.

    Raises:
        BrokerError: The broker could not be asked.
    """
    url = client.index_link("pb:pacticipant-version", pacticipant=consumer, version=version)
    document = client.find_object(url)
    if document is None:
        return None
    urls = client.links(document, "pb:pact-versions")
    answers = [client.find(url) for url in urls[:most]]  # none of what was deleted since it was listed
    named = [text_at(answer.document, "provider", "name") for answer in answers if answer is not None]
    return [Case(consumer, version, name) for name in named if name is not None], max(0, len(urls) - most)


def pacticipant(client: BrokerClient, name: str) -> dict[str, Any] | None:
    """Return a pacticipant, or None if the broker has none of that name.

    Raises:
        BrokerError: The broker could not be asked.
    """
    return client.find_object(client.index_link("pb:pacticipant", pacticipant=name))


def _sends_version(webhook: Webhook) -> bool:
    return "${pactbroker.providerVersionNumber}" in json.dumps(webhook.request.body)


def _asks(webhook: Webhook) -> bool:
    request = webhook.request
    try:
        path = urlsplit(request.url).path
    except ValueError:  # no URL: nothing is ever sent there
        return False
    text = request.body if isinstance(request.body, str) else json.dumps(request.body)
    return path.endswith("/dispatches") or "${pactbroker.pactUrl}" in text + request.url
