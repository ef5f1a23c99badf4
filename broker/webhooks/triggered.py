"""What became of the webhooks that were triggered, and each attempt to deliver them, seen from a client."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from broker.http.errors import UnexpectedAnswer

if TYPE_CHECKING:
    from broker.client.session import Answer, BrokerClient

_STATUS = re.compile(r"^(?:\[[^\]]*\] )?INFO: HTTP/[\d.]+ (\d{3})\b", re.MULTILINE)
_ERROR = re.compile(r"^(?:\[[^\]]*\] )?ERROR: (?:Error executing webhook(?: \S+)? )?(.*)$", re.MULTILINE)


@dataclass(frozen=True)
class Attempt:
    """One attempt to deliver.

    Attributes:
        success: whether the target took it.
        at: when, as the broker gives it.
        status: of the target's answer; None when there was none.
        error: why there was no answer.
        logs: the broker's own: what was sent and answered, stars for secrets.
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
        consumer: of the pact.
        provider: of the pact.
        name: of the webhook, as the broker gives it.
        event: what triggered it.
        status: `not_run`, `retrying`, `success` or `failure`.
        at: when it was triggered.
        attempts_remaining: how often it is still tried.
        webhook_uuid: None when the webhook was deleted.
        attempts: the oldest first.
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
        client: the session with the broker.
    """

    def __init__(self, client: BrokerClient) -> None:
        self._client = client

    def pairs(self, consumer: str | None = None, provider: str | None = None) -> list[tuple[str, str]]:
        """Fetch who has a pact with whom: consumer and provider.

        Args:
            consumer: only those of this one.
            provider: likewise.

        Raises:
            BrokerError: it can't be known.
        """
        answer = self._client.get(self._client.url("integrations"))
        found = [
            (_text(_object(one.get("consumer")), "name"), _text(_object(one.get("provider")), "name"))
            for one in _embedded(answer, "integrations")
        ]
        return [
            pair
            for pair in found
            if all(pair) and consumer in {None, pair[0]} and provider in {None, pair[1]}
        ]

    def latest(self, consumer: str, provider: str, *, webhook: str | None = None) -> list[Triggered]:
        """Fetch the latest delivery of each webhook and event for a consumer with a provider.

        Args:
            consumer: its name.
            provider: its name.
            webhook: only those of the webhook with this UUID.

        Raises:
            NotFound: the broker knows one of them not.
            BrokerError: it can't be known.
        """
        pair = ("pacts", "provider", provider, "consumer", consumer)
        return self._read(self._client.url(*pair, "webhooks", "status"), consumer, provider, webhook)

    def of_version(
        self, consumer: str, provider: str, version: str, *, webhook: str | None = None
    ) -> list[Triggered]:
        """Fetch what the publication of a consumer version's pact has triggered.

        Raises:
            NotFound: there is no such pact.
            BrokerError: it can't be known.
        """
        pair = ("pacts", "provider", provider, "consumer", consumer)
        url = self._client.url(*pair, "version", version, "triggered-webhooks")
        return self._read(url, consumer, provider, webhook)

    def _read(self, url: str, consumer: str, provider: str, webhook: str | None) -> list[Triggered]:
        answer = self._client.get(url)
        found = []
        for one in _embedded(answer, "triggeredWebhooks"):
            link = self._client.link(one, "pb:webhook")
            uuid = unquote(urlsplit(link).path.rpartition("/")[2]) if link else None
            if webhook in {None, uuid}:
                found.append(self._triggered(one, consumer, provider, uuid))
        return found

    def _triggered(
        self, document: dict[str, Any], consumer: str, provider: str, uuid: str | None
    ) -> Triggered:
        remaining = document.get("attemptsRemaining")
        logs = self._client.link(document, "pb:logs")
        return Triggered(
            consumer=consumer,
            provider=provider,
            name=_text(document, "name"),
            event=_text(document, "eventName"),
            status=_text(document, "status"),
            at=_text(document, "triggeredAt") or None,
            attempts_remaining=remaining if isinstance(remaining, int) else None,
            webhook_uuid=uuid,
            attempts=self._attempts(logs) if logs else (),
        )

    def _attempts(self, url: str) -> tuple[Attempt, ...]:
        answer = self._client.get(url)
        executions = _object(answer.document).get("executions")
        if not isinstance(executions, list):
            raise UnexpectedAnswer(f"{answer.url} did not answer with the logs of a webhook")
        return tuple(_attempt(one) for one in executions if isinstance(one, dict))


def _attempt(document: dict[str, Any]) -> Attempt:
    logs = _text(document, "logs")
    status, error = _STATUS.search(logs), _ERROR.search(logs)
    return Attempt(
        success=document.get("success") is True,
        at=_text(document, "createdAt") or None,
        status=int(status[1]) if status else None,
        error=error[1] if error else None,
        logs=logs,
    )


def _embedded(answer: Answer, name: str) -> list[dict[str, Any]]:
    found = _object(_object(answer.document).get("_embedded")).get(name)
    if not isinstance(found, list):
        raise UnexpectedAnswer(f"{answer.url} did not answer with a list of {name}")
    return [one for one in found if isinstance(one, dict)]


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(document: dict[str, Any], name: str) -> str:
    value = document.get(name)
    return value if isinstance(value, str) else ""
