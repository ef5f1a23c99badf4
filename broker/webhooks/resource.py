"""Webhooks of a Pact Broker or PactFlow as a client sees them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid5

from broker.http.errors import NotFound, UnexpectedAnswer
from broker.http.json_values import integer_at, object_at, objects_at, text_at, value_at
from broker.webhooks.definition import NotAWebhook, Pacticipant, Webhook
from broker.webhooks.hidden_secrets import is_stars

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from broker.client.exchange import Answer
    from broker.client.session import BrokerClient
    from broker.webhooks.definition import Scope

_NAMESPACE = UUID("6e6f31c4-3d0a-5b0e-9a53-6a4d1f0a2b77")
_KEEPS_HIDDEN_VALUES = (2, 120, 0)
_OWN_BROKER = "pact-dispatch/"


def stable_uuid(scope: Scope, url: str, kind: str = "") -> str:
    """Return the UUID of a webhook, which is the same on any broker, so that creating it twice makes one.

    It doesn't depend on events, headers and the rest: these may change.

    Args:
        scope: The pacts that the webhook is for.
        url: The URL of its request.
        kind: Another value for a webhook that sends something else for the same scope to the same URL.
    """
    sides = [
        f"{key}:{value}"
        for party in (scope.consumer, scope.provider)
        for key, value in (party.document() if party else {"any": ""}).items()
    ]
    return str(uuid5(_NAMESPACE, "\n".join([*sides, url, kind])))


@dataclass(frozen=True)
class Execution:
    """The request of a webhook that was sent once, and the answer.

    Attributes:
        success: Whether the target took it.
        line: The method and the URL, as in `POST https://api.github.com/repos/acme/products/dispatches`.
        headers: The headers that were sent, with stars for secrets.
        body: The body that was sent.
        status: The HTTP status of the target's answer; None if there was none.
        answer_headers: The headers of the answer, by their names in lower case.
        answer_body: The body of the answer: JSON, or text.
        error: The reason why there was no answer.
        logs: The broker's log.
    """

    success: bool
    line: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    status: int | None = None
    answer_headers: Mapping[str, str] = field(default_factory=dict)
    answer_body: Any = None
    error: str | None = None
    logs: str = ""


class Webhooks:
    """The webhooks of one broker.

    Args:
        client: The session with the broker.
    """

    def __init__(self, client: BrokerClient) -> None:
        self._client = client

    def all(self) -> list[Webhook]:
        """Fetch all webhooks.

        Raises:
            BrokerError: The broker could not be asked; the subclass and the message say why.
        """
        return list(self._each())

    def matching(
        self, *, consumer: str | None = None, provider: str | None = None, event: str | None = None
    ) -> list[Webhook]:
        """Fetch the webhooks that are for pacts of a consumer, of a provider, or of both.

        Webhooks for all pacts, for one side alone, and for a label that the pacticipant has are among them, and
        so are disabled ones.

        Args:
            consumer: The consumer's name; None for any.
            provider: The provider's name; None for any.
            event: Only webhooks that this event triggers.

        Raises:
            BrokerError: The broker could not be asked.
        """
        labels: dict[str, frozenset[str]] = {}
        return [
            webhook
            for webhook in self._each()
            if (event is None or event in webhook.events)
            and self._covers(webhook.scope, consumer, provider, labels)
        ]

    def get(self, uuid: str) -> Webhook:
        """Fetch a webhook.

        Raises:
            NotFound: There is none of that UUID.
            BrokerError: The broker could not be asked.
        """
        found = self.find(uuid)
        if found is None:
            raise _no_webhook(uuid)
        return found

    def find(self, uuid: str) -> Webhook | None:
        """Fetch a webhook, or return None if there is none of that UUID.

        Raises:
            BrokerError: The broker could not be asked.
        """
        answer = self._client.find(self._url(uuid))
        return _read(answer, uuid) if answer else None

    def put(self, webhook: Webhook) -> tuple[Webhook, bool]:
        """Create the webhook, or replace the one of its UUID, all of it.

        A Pact Broker (2.120.0) keeps the description and the password of the webhook that is there where a PUT leaves
        them out: so they are always sent, as `null` where there are none. A password that the broker shows as stars is
        the one that it has: it alone is left out, which keeps it.

        Returns:
            The webhook as the broker has it now, and whether it was created.

        Raises:
            BrokerError: The broker did not take it.
        """
        document = {"description": None, **webhook.document()}
        password = webhook.request.password
        document["request"].setdefault("password", None)
        if password is not None and is_stars(password):
            del document["request"]["password"]
        answer = self._client.put(self._url(webhook.uuid), document)
        return _read(answer, webhook.uuid), answer.status == 201

    def delete(self, uuid: str) -> None:
        """Delete a webhook.

        Raises:
            NotFound: There is none of that UUID.
            BrokerError: It was not deleted.
        """
        try:
            self._client.delete(self._url(uuid))
        except NotFound as error:
            raise _no_webhook(uuid) from error

    def execute(self, uuid: str) -> Execution:
        """Have the broker send a webhook's request once, with the latest pact, also if the webhook is disabled.

        Raises:
            NotFound: There is none of that UUID.
            BrokerError: It isn't known whether the request was sent.
        """
        webhook = self.get(uuid)
        answer = self._client.post_once(self._url(uuid) + "/execute")
        document = answer.document
        if not isinstance(document, dict) or not isinstance(document.get("success"), bool):
            raise UnexpectedAnswer(f"{answer.url} did not answer with what came of the webhook")
        logs = text_at(document, "logs") or ""
        line = re.search(r"INFO: HTTP/1\.\d ([A-Z]+ \S+)", logs)
        return Execution(
            success=document["success"],
            line=line[1] if line else f"{webhook.request.method} {webhook.request.url}",
            headers=_headers(document, "request"),
            body=value_at(document, "request", "body"),
            status=integer_at(document, "response", "status"),
            answer_headers=_headers(document, "response"),
            answer_body=value_at(document, "response", "body"),
            error=text_at(document, "error", "message"),
            logs=logs,
        )

    def keeps_hidden_values(self) -> bool:
        """Return whether the broker is known to keep a header that comes back as stars, and a password left out.

        A Pact Broker 2.120.0 does; others may take the stars for the new value, or drop the password.

        Raises:
            BrokerError: The broker could not be asked.
        """
        version = self._client.index().broker_version or ""
        numbers = re.match(r"(\d{1,9})\.(\d{1,9})\.(\d{1,9})", version)
        return version.startswith(_OWN_BROKER) or (
            numbers is not None and tuple(map(int, numbers.groups())) >= _KEEPS_HIDDEN_VALUES
        )

    def sent_to_same_target(self, webhook: Webhook) -> list[Webhook]:
        """Fetch the other webhooks that send from the same scope to the same URL.

        Raises:
            BrokerError: The broker could not be asked.
        """
        return [
            other
            for other in self._each()
            if other.uuid != webhook.uuid
            and (other.scope, other.request.url) == (webhook.scope, webhook.request.url)
        ]

    def _each(self) -> Iterator[Webhook]:
        answer = self._client.get(self._client.index_link("pb:webhooks"))
        if not isinstance(answer.document, dict) or "_links" not in answer.document:
            raise UnexpectedAnswer(f"{answer.url} did not answer with a list of webhooks")
        for url in dict.fromkeys(self._client.links(answer.document, "pb:webhooks")):
            found = self._client.find(url)
            if found is not None:  # else it was deleted since it was listed
                yield _read(found)

    def _covers(
        self, scope: Scope, consumer: str | None, provider: str | None, labels: dict[str, frozenset[str]]
    ) -> bool:
        """Return whether a scope is for pacts of these two; labels are fetched if one matters, and kept."""
        sides = []
        for party, name in ((scope.consumer, consumer), (scope.provider, provider)):
            if name is not None and name not in labels and party is not None and party.name is None:
                labels[name] = self._labels(name)
            sides.append(None if name is None else Pacticipant(name, labels.get(name, frozenset())))
        return scope.covers(*sides)

    def _labels(self, name: str) -> frozenset[str]:
        answer = self._client.find(self._client.index_link("pb:pacticipant", pacticipant=name))
        labels = objects_at(answer and answer.document, "_embedded", "labels") or []
        return frozenset(label for one in labels if (label := text_at(one, "name")))

    def _url(self, uuid: str) -> str:
        return self._client.index_link("pb:webhook", uuid=uuid)


def carried_over(webhook: Webhook, existing: Webhook) -> Webhook:
    """Return a webhook with those fields of the one it replaces that only the broker understands."""
    return replace(webhook, more={**existing.more, **webhook.more})


def _no_webhook(uuid: str) -> NotFound:
    return NotFound(f"the broker has no webhook {uuid}", status=404)


def _read(answer: Answer, uuid: str | None = None) -> Webhook:
    try:
        return Webhook.read(answer.document, uuid)
    except NotAWebhook as error:
        raise UnexpectedAnswer(f"the answer of {answer.url} is not a webhook: {error}") from error


def _headers(document: Any, side: str) -> dict[str, str]:
    return {name.lower(): str(text) for name, text in object_at(document, side, "headers").items()}
