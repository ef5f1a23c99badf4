"""Webhooks of a Pact Broker or PactFlow, seen from a client: found, written, deleted, tried out."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid5

from broker.http.errors import NotFound, UnexpectedAnswer
from broker.webhooks.definition import NotAWebhook, Pacticipant, Webhook

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from broker.client.session import Answer, BrokerClient
    from broker.webhooks.definition import Scope

_NAMESPACE = UUID("6e6f31c4-3d0a-5b0e-9a53-6a4d1f0a2b77")
_KEEPS_HIDDEN_HEADERS = (2, 120, 0)
_OWN_BROKER = "pact-dispatch/"


def stable_uuid(scope: Scope, url: str, kind: str = "") -> str:
    """Give the UUID of a webhook by what it is, on whatever broker, so that creating it twice makes one.

    Events, headers and the rest may change: it is the same webhook then, changed.

    Args:
        scope: whose pacts it is for.
        url: where its request goes.
        kind: tells two webhooks apart that send different things from the same scope to the same URL.
    """
    sides = [
        f"{key}:{value}"
        for party in (scope.consumer, scope.provider)
        for key, value in (party.document() if party else {"any": ""}).items()
    ]
    return str(uuid5(_NAMESPACE, "\n".join([*sides, url, kind])))


@dataclass(frozen=True)
class Execution:
    """What came of sending a webhook's request once.

    Attributes:
        success: whether the target took it.
        line: method and URL, as in `POST https://api.github.com/repos/acme/products/dispatches`.
        headers: that were sent, stars for secrets.
        body: that was sent.
        status: of the target's answer; None when there was none.
        answer_headers: names in lower case.
        answer_body: JSON, or text.
        error: why there was no answer.
        logs: the broker's own.
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
        client: the session with the broker.
    """

    def __init__(self, client: BrokerClient) -> None:
        self._client = client
        self._index: Answer | None = None

    def all(self) -> list[Webhook]:
        """Fetch all webhooks.

        Raises:
            BrokerError: they can't be had; the subclass and the message say why.
        """
        return list(self._each())

    def matching(
        self, *, consumer: str | None = None, provider: str | None = None, event: str | None = None
    ) -> list[Webhook]:
        """Fetch the webhooks that are for pacts of a consumer, of a provider, or of both.

        Those for all pacts are among them, those for one side, and those for a label that the pacticipant has;
        so are disabled ones.

        Args:
            consumer: its name; None for no one in particular.
            provider: its name; likewise.
            event: only those that this event triggers.

        Raises:
            BrokerError: they can't be had.
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
            NotFound: there is none of that UUID.
            BrokerError: it can't be had.
        """
        try:
            answer = self._client.get(self._url(uuid))
        except NotFound as error:
            raise NotFound(f"the broker has no webhook {uuid}", status=error.status) from error
        return _read(answer, uuid)

    def find(self, uuid: str) -> Webhook | None:
        """Fetch a webhook; None when there is none of that UUID.

        Raises:
            BrokerError: it can't be had.
        """
        try:
            return self.get(uuid)
        except NotFound:
            return None

    def put(self, webhook: Webhook) -> tuple[Webhook, bool]:
        """Create the webhook, or replace the one of its UUID, all of it.

        Returns:
            The webhook as the broker has it now, and whether it was created.

        Raises:
            BrokerError: the broker did not take it.
        """
        answer = self._client.put(self._url(webhook.uuid), webhook.document())
        return _read(answer, webhook.uuid), answer.status == 201

    def delete(self, uuid: str) -> None:
        """Delete a webhook.

        Raises:
            NotFound: there is none of that UUID.
            BrokerError: it was not deleted.
        """
        try:
            self._client.delete(self._url(uuid))
        except NotFound as error:
            raise NotFound(f"the broker has no webhook {uuid}", status=error.status) from error

    def execute(self, uuid: str) -> Execution:
        """Have the broker send a webhook's request once, with the latest pact, also while it is disabled.

        Raises:
            NotFound: there is none of that UUID.
            BrokerError: what came of it isn't known.
        """
        webhook = self.get(uuid)
        answer = self._client.post_once(self._url(uuid) + "/execute")
        document = answer.document
        if not isinstance(document, dict) or not isinstance(document.get("success"), bool):
            raise UnexpectedAnswer(f"{answer.url} did not answer with what came of the webhook")
        sent, got, error = (_object(document.get(name)) for name in ("request", "response", "error"))
        logs, status, message = document.get("logs"), got.get("status"), error.get("message")
        logs = logs if isinstance(logs, str) else ""
        line = re.search(r"INFO: HTTP/1\.\d ([A-Z]+ \S+)", logs)
        return Execution(
            success=document["success"],
            line=line[1] if line else f"{webhook.request.method} {webhook.request.url}",
            headers=_headers(sent.get("headers")),
            body=sent.get("body"),
            status=status if isinstance(status, int) else None,
            answer_headers=_headers(got.get("headers")),
            answer_body=got.get("body"),
            error=message if isinstance(message, str) else None,
            logs=logs,
        )

    def keeps_hidden_headers(self) -> bool:
        """Tell whether this broker is known to keep a header whose stars come back to it.

        Observed on a Pact Broker 2.120.0; others may take the stars for the new value.

        Raises:
            BrokerError: the broker can't be asked.
        """
        version = self._index_answer().broker_version or ""
        numbers = re.match(r"(\d+)\.(\d+)\.(\d+)", version)
        return version.startswith(_OWN_BROKER) or (
            numbers is not None and tuple(map(int, numbers.groups())) >= _KEEPS_HIDDEN_HEADERS
        )

    def sent_to_same_target(self, webhook: Webhook) -> list[Webhook]:
        """Fetch the other webhooks that send from the same scope to the same URL.

        Raises:
            BrokerError: they can't be had.
        """
        return [
            other
            for other in self._each()
            if other.uuid != webhook.uuid
            and (other.scope, other.request.url) == (webhook.scope, webhook.request.url)
        ]

    def _each(self) -> Iterator[Webhook]:
        answer = self._client.get(self._link("pb:webhooks"))
        if not isinstance(answer.document, dict) or "_links" not in answer.document:
            raise UnexpectedAnswer(f"{answer.url} did not answer with a list of webhooks")
        for url in dict.fromkeys(self._client.links(answer.document, "pb:webhooks")):
            try:
                yield _read(self._client.get(url))
            except NotFound:  # deleted since it was listed
                continue

    def _covers(
        self, scope: Scope, consumer: str | None, provider: str | None, labels: dict[str, frozenset[str]]
    ) -> bool:
        """Tell whether a scope is for pacts of these two; labels are fetched when one matters, and kept."""
        sides = []
        for party, name in ((scope.consumer, consumer), (scope.provider, provider)):
            if name is not None and name not in labels and party is not None and party.name is None:
                labels[name] = self._labels(name)
            sides.append(None if name is None else Pacticipant(name, labels.get(name, frozenset())))
        return scope.covers(*sides)

    def _labels(self, name: str) -> frozenset[str]:
        try:
            document = self._client.get(self._link("pb:pacticipant", pacticipant=name)).document
        except NotFound:
            return frozenset()
        labels = _object(_object(document).get("_embedded")).get("labels")
        found = labels if isinstance(labels, list) else []
        return frozenset(
            label["name"] for label in found if isinstance(label, dict) and isinstance(label.get("name"), str)
        )

    def _url(self, uuid: str) -> str:
        return self._link("pb:webhook", uuid=uuid)

    def _link(self, rel: str, **parameters: str) -> str:
        answer = self._index_answer()
        url = self._client.link(answer.document, rel, **parameters)
        if url is None:
            raise UnexpectedAnswer(
                f"{answer.url} has no link {rel}, as the index of a Pact Broker has: check --pact-broker-base-url"
            )
        return url

    def _index_answer(self) -> Answer:
        if self._index is None:
            self._index = self._client.get(f"{self._client.origin}/")
        return self._index


def carried_over(webhook: Webhook, existing: Webhook) -> Webhook:
    """Give a webhook those fields of the one it replaces that only the broker knows the meaning of."""
    return replace(webhook, more={**existing.more, **webhook.more})


def _read(answer: Answer, uuid: str | None = None) -> Webhook:
    try:
        return Webhook.read(answer.document, uuid)
    except NotAWebhook as error:
        raise UnexpectedAnswer(f"the answer of {answer.url} is not a webhook: {error}") from error


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _headers(value: Any) -> dict[str, str]:
    return {name.lower(): str(text) for name, text in _object(value).items()}
