"""Triggered webhooks as a client sees them, and the attempts to deliver them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from broker.http.json_values import integer_at, text_at

if TYPE_CHECKING:
    from broker.client.session import BrokerClient

_STATUS = re.compile(r"^(?:\[[^\]]*\] )?INFO: HTTP/[\d.]+ (\d{3})\b", re.MULTILINE)
_ERROR = re.compile(r"^(?:\[[^\]]*\] )?ERROR: (?:Error executing webhook(?: \S+)? )?(.*)$", re.MULTILINE)


@dataclass(frozen=True)
class Attempt:
    """One attempt to deliver.

    Attributes:
        success: Whether the target took it.
        at: The time, as the broker gives it.
        status: The HTTP status of the target's answer; None if there was none.
        error: The reason why there was no answer.
        logs: The broker's log of what was sent and answered, with stars for secrets.
    """

    success: bool
    at: str | None
    status: int | None
    error: str | None
    logs: str = field(repr=False)


@dataclass(frozen=True)
class Triggered:
    """A webhook that an event triggered.

    Attributes:
        consumer: The pact's consumer.
        provider: The pact's provider.
        name: The webhook's name, as the broker gives it.
        event: The event that triggered it.
        status: `not_run`, `retrying`, `success` or `failure`.
        at: The time of the event, as the broker gives it.
        attempts_remaining: How often it is still tried.
        webhook_uuid: The webhook's UUID; None if the webhook was deleted.
        attempts: The attempts, the oldest first.
    """

    consumer: str
    provider: str
    name: str
    event: str
    status: str
    at: str | None
    attempts_remaining: int | None
    webhook_uuid: str | None
    attempts: tuple[Attempt, ...] = ()


class TriggeredWebhooks:
    """The triggered webhooks of one broker.

    Args:
        client: The session with the broker.
    """

    def __init__(self, client: BrokerClient) -> None:
        self._client = client

    def pairs(self, consumer: str | None = None, provider: str | None = None) -> list[tuple[str, str]]:
        """Fetch the names of each consumer and provider that have a pact with each other.

        Args:
            consumer: Only pairs with this consumer.
            provider: Only pairs with this provider.

        Raises:
            BrokerError: The broker could not be asked.
        """
        answer = self._client.get(self._client.url("integrations"))
        found = [
            (text_at(one, "consumer", "name"), text_at(one, "provider", "name"))
            for one in answer.objects_at("_embedded", "integrations")
        ]
        return [
            (one, other)
            for one, other in found
            if one and other and consumer in {None, one} and provider in {None, other}
        ]

    def latest(self, consumer: str, provider: str, *, webhook: str | None = None) -> list[Triggered]:
        """Fetch the latest delivery of each webhook and event for a consumer with a provider.

        Args:
            consumer: The consumer's name.
            provider: The provider's name.
            webhook: Only those of the webhook with this UUID.

        Raises:
            NotFound: The broker doesn't know one of them.
            BrokerError: The broker could not be asked.
        """
        pair = ("pacts", "provider", provider, "consumer", consumer)
        return self._read(self._client.url(*pair, "webhooks", "status"), consumer, provider, webhook)

    def of_version(
        self, consumer: str, provider: str, version: str, *, webhook: str | None = None
    ) -> list[Triggered]:
        """Fetch what the publication of a consumer version's pact has triggered.

        Raises:
            NotFound: There is no such pact.
            BrokerError: The broker could not be asked.
        """
        pair = ("pacts", "provider", provider, "consumer", consumer)
        url = self._client.url(*pair, "version", version, "triggered-webhooks")
        return self._read(url, consumer, provider, webhook)

    def _read(self, url: str, consumer: str, provider: str, webhook: str | None) -> list[Triggered]:
        found = []
        for one in self._client.get(url).objects_at("_embedded", "triggeredWebhooks"):
            link = self._client.link(one, "pb:webhook")
            uuid = unquote(urlsplit(link).path.rpartition("/")[2]) if link else None
            if webhook in {None, uuid}:
                found.append(self._triggered(one, consumer, provider, uuid))
        return found

    def _triggered(
        self, document: dict[str, Any], consumer: str, provider: str, uuid: str | None
    ) -> Triggered:
        logs = self._client.link(document, "pb:logs")
        return Triggered(
            consumer=consumer,
            provider=provider,
            name=text_at(document, "name") or "",
            event=text_at(document, "eventName") or "",
            status=text_at(document, "status") or "",
            at=text_at(document, "triggeredAt"),
            attempts_remaining=integer_at(document, "attemptsRemaining"),
            webhook_uuid=uuid,
            attempts=self._attempts(logs) if logs else (),
        )

    def _attempts(self, url: str) -> tuple[Attempt, ...]:
        answer = self._client.find(url)  # none if it was deleted since it was listed
        return () if answer is None else tuple(_attempt(one) for one in answer.objects_at("executions"))


def _attempt(document: dict[str, Any]) -> Attempt:
    logs = text_at(document, "logs") or ""
    status, error = _STATUS.search(logs), _ERROR.search(logs)
    return Attempt(
        success=document.get("success") is True,
        at=text_at(document, "createdAt"),
        status=int(status[1]) if status else None,
        error=error[1] if error else None,
        logs=logs,
    )
