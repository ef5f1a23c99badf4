"""A webhook as a value: the pacts it is for, the events that trigger it, and its request (no I/O)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_OF_THE_BROKER = frozenset({"uuid", "createdAt", "updatedAt", "_links", "_embedded"})
_KNOWN = frozenset({"description", "consumer", "provider", "enabled", "events", "request"})


class NotAWebhook(ValueError):
    """A document is not a webhook's; the message names the field."""


@dataclass(frozen=True)
class Pacticipant:
    """A consumer or a provider, with its labels."""

    name: str
    labels: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Party:
    """One side of the pacts that a webhook is for: the pacticipant of a name, or all that have a label."""

    name: str | None = None
    label: str | None = None

    def includes(self, pacticipant: Pacticipant) -> bool:
        """Return whether this is the pacticipant's name or label."""
        return pacticipant.name == self.name if self.name is not None else self.label in pacticipant.labels

    def document(self) -> dict[str, str]:
        """Return it in a broker's form."""
        return {"name": self.name} if self.name is not None else {"label": self.label or ""}

    @classmethod
    def read(cls, document: Any, role: str) -> Party | None:
        """Return the part of a webhook's document that is about it.

        Raises:
            NotAWebhook: It is neither a name nor a label.
        """
        if document is None:
            return None
        found = document if isinstance(document, dict) else {}
        for key in ("name", "label"):
            if isinstance(found.get(key), str):
                return cls(**{key: found[key]})
        raise NotAWebhook(f"{role} has neither a name nor a label")


@dataclass(frozen=True)
class Scope:
    """The pacts that a webhook is for; a side that is None is any."""

    consumer: Party | None = None
    provider: Party | None = None

    def covers(self, consumer: Pacticipant | None, provider: Pacticipant | None) -> bool:
        """Return whether the scope includes pacts of these two; None is any."""
        return all(
            party is None or pacticipant is None or party.includes(pacticipant)
            for party, pacticipant in ((self.consumer, consumer), (self.provider, provider))
        )

    def __str__(self) -> str:
        sides = [
            f"{role} {party.name}" if party.name is not None else f"{role}s labelled {party.label}"
            for role, party in (("consumer", self.consumer), ("provider", self.provider))
            if party is not None
        ]
        return ", ".join(sides) or "all pacts"


@dataclass(frozen=True)
class WebhookRequest:
    """The request that a webhook sends.

    Attributes:
        method: The HTTP method, in capitals.
        url: The URL, with variables in its path and query.
        headers: By name; a broker shows names in lower case, and `**********` for values that it hides.
        body: JSON, or text that is sent as it is; None for no body.
        username: The user name of basic auth.
        password: The password of basic auth.
    """

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: Any = None
    username: str | None = None
    password: str | None = field(default=None, repr=False)

    def document(self) -> dict[str, Any]:
        """Return it in a broker's form."""
        document: dict[str, Any] = {"method": self.method, "url": self.url, "headers": dict(self.headers)}
        optional = {"body": self.body, "username": self.username, "password": self.password}
        return document | {name: value for name, value in optional.items() if value is not None}

    @classmethod
    def read(cls, document: Any) -> WebhookRequest:
        """Return the part of a webhook's document that is about it.

        Raises:
            NotAWebhook: A field is missing, or of another type.
        """
        if not isinstance(document, dict):
            raise NotAWebhook("request is missing")
        headers = document.get("headers") or {}
        if not isinstance(headers, dict) or not all(isinstance(value, str) for value in headers.values()):
            raise NotAWebhook("request.headers are not texts by name")
        return cls(
            method=_text(document, "method", "request.", default="POST").upper(),
            url=_text(document, "url", "request."),
            headers=headers,
            body=document.get("body"),
            username=_optional(document, "username", "request."),
            password=_optional(document, "password", "request."),
        )


@dataclass(frozen=True)
class Webhook:
    """A webhook.

    Attributes:
        uuid: 16 or more of `A-Z a-z 0-9 _ -`.
        scope: The pacts that it is for.
        events: The names of the events that trigger it.
        request: The request that it sends.
        description: A description for people.
        enabled: False if nothing triggers it.
        more: The broker's own fields, such as PactFlow's `teamUuid`; they are sent back unchanged.
        created_at: The time, as the broker gives it.
        updated_at: The time, as the broker gives it.
    """

    uuid: str
    scope: Scope
    events: tuple[str, ...]
    request: WebhookRequest
    description: str | None = None
    enabled: bool = True
    more: Mapping[str, Any] = field(default_factory=dict)
    created_at: str | None = None
    updated_at: str | None = None

    def document(self) -> dict[str, Any]:
        """Return it in a broker's form."""
        document: dict[str, Any] = dict(self.more)
        if self.description is not None:
            document["description"] = self.description
        for role, party in (("consumer", self.scope.consumer), ("provider", self.scope.provider)):
            if party is not None:
                document[role] = party.document()
        document["enabled"] = self.enabled
        document["events"] = [{"name": name} for name in self.events]
        document["request"] = self.request.document()
        return document

    @classmethod
    def read(cls, document: Any, uuid: str | None = None) -> Webhook:
        """Return the webhook of a broker's document.

        Args:
            document: The JSON.
            uuid: The UUID in the URL, for a broker that doesn't repeat it.

        Raises:
            NotAWebhook: It is not a webhook's.
        """
        if not isinstance(document, dict):
            raise NotAWebhook("it is not an object")
        events = document.get("events")
        if not isinstance(events, list) or not all(
            isinstance(event, dict) and isinstance(event.get("name"), str) for event in events
        ):
            raise NotAWebhook("events are not a list of objects with a name")
        return cls(
            uuid=_text(document, "uuid", default=uuid),
            scope=Scope(
                Party.read(document.get("consumer"), "consumer"),
                Party.read(document.get("provider"), "provider"),
            ),
            events=tuple(event["name"] for event in events),
            request=WebhookRequest.read(document.get("request")),
            description=_optional(document, "description"),
            enabled=document.get("enabled") is not False,
            more={name: value for name, value in document.items() if name not in _OF_THE_BROKER | _KNOWN},
            created_at=_optional(document, "createdAt"),
            updated_at=_optional(document, "updatedAt"),
        )


def _text(document: Mapping[str, Any], name: str, where: str = "", *, default: str | None = None) -> str:
    value = document.get(name, default)
    if not isinstance(value, str) or not value:
        raise NotAWebhook(f"{where}{name} is {'missing' if value is None else 'not a text'}")
    return value


def _optional(document: Mapping[str, Any], name: str, where: str = "") -> str | None:
    value = document.get(name)
    if value is not None and not isinstance(value, str):
        raise NotAWebhook(f"{where}{name} is not a text")
    return value
