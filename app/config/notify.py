"""Where changes of outcome are reported: the tables `[notify]` and `[providers.notify]`."""

from __future__ import annotations

from enum import StrEnum
from ipaddress import ip_address
from typing import TYPE_CHECKING, Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from app.config.provider_values import BrokerNames, Headers
from app.config.values import Flag, Kind, Number, Seconds, Secret, SecretSource, Section
from broker.http.origin import Origin
from broker.http.waits import RetryPlan

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

RETRY_WAITS = (5.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0)
"""The seconds between the attempts to send a notification; the last one is repeated."""


class NotifiedEvent(StrEnum):
    """A change that somebody may be told of."""

    BROKEN = "broken"
    """A pact that passed fails now, or the first one fails."""
    HEALED = "healed"
    """A pact that failed passes now."""
    UNVERIFIABLE = "unverifiable"
    """A pact could not be verified for an hour; or it can be verified again."""
    REFUSED = "refused"
    """Dispatches for the provider's repository are refused."""


class TargetKind(StrEnum):
    """What a target takes; the key that has its URL."""

    SLACK = "slack"
    TEAMS = "teams"
    URL = "url"


def _events(events: tuple[NotifiedEvent, ...]) -> tuple[NotifiedEvent, ...]:
    if not events:
        raise ValueError("must name one at least: leave the target out, or the key for all of them")
    return tuple(dict.fromkeys(events))


Events = Annotated[tuple[NotifiedEvent, ...], AfterValidator(_events), Kind("list of events")]


def misplaced(kinds: Sequence[TargetKind], *, has_more: bool) -> str | None:
    """Return what in a target does not go together; None if all does.

    Args:
        kinds: Those of its keys that have a URL.
        has_more: Whether it has headers or a signing secret.
    """
    if len(kinds) != 1:
        return f"needs one of slack, teams and url; there is {' and '.join(kinds) or 'none'}"
    if has_more and kinds[0] is not TargetKind.URL:
        return "headers and signing_secret are for url: Slack and Teams look at neither"
    return None


def repeated(names: Sequence[str]) -> str | None:
    """Return that two targets are the same one, if they are."""
    twice = next((name for name in names if names.count(name) > 1), None)
    return None if twice is None else f"two targets are {twice}: give all of its events to one of them"


def name_of(kind: TargetKind, source: SecretSource) -> str:
    """Return what a target is called: its kind and where its URL is, which is no secret."""
    return f"{kind} {source.env or source.file}"


class NotifyTarget(Section):
    """Somebody who is told. Each target has one of `slack`, `teams` and `url`.

    Attributes:
        slack: The URL of an incoming webhook of Slack.
        teams: The URL of a workflow of Microsoft Teams that is started by a webhook.
        url: Any other URL, which gets JSON.
        events: What it is told: `broken`, `healed`, `unverifiable`, `refused`.
        headers: Headers of each request to `url`.
        signing_secret: The key of the signature in `X-Hub-Signature-256`, by which the server at `url` can check that a
            request comes from here.
        allow_http: Whether the URL may be an `http` one of another machine.
    """

    slack: Secret | None = None
    teams: Secret | None = None
    url: Secret | None = None
    events: Events = tuple(NotifiedEvent)
    headers: Headers = Field(default_factory=dict)
    signing_secret: Secret | None = None
    allow_http: Flag = False

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        given = [kind for kind in TargetKind if getattr(self, kind) is not None]
        mistake = misplaced(given, has_more=bool(self.headers or self.signing_secret))
        if mistake:
            raise ValueError(mistake)
        return self

    @property
    def kind(self) -> TargetKind:
        """What it takes."""
        return next(kind for kind in TargetKind if getattr(self, kind) is not None)

    @property
    def source(self) -> SecretSource:
        """Where its URL is."""
        found: SecretSource = getattr(self, self.kind)
        return found

    @property
    def name(self) -> str:
        """What it is called: its kind and where its URL is, which is no secret."""
        return name_of(self.kind, self.source)

    @property
    def secret_sources(self) -> Iterator[tuple[str, SecretSource]]:
        """The keys of its secrets, with where each is."""
        yield self.kind, self.source
        for name, value in self.headers.items():
            if isinstance(value, SecretSource):
                yield f"headers.{name}", value
        if self.signing_secret is not None:
            yield "signing_secret", self.signing_secret


class NotifySettings(Section):
    """Who is told of changes of outcome, and which changes count.

    A provider's own table `[providers.notify]` comes before `[notify]`, key by key.

    Attributes:
        targets: The tables `[[notify.targets]]` or `[[providers.notify.targets]]`.
        branches: The provider's branches that count, as names or patterns; its main branch unless given, which is
            `branch` or `checkout.default_branch`, or else `main`, `master`, `trunk` or `develop`.
        consumer_branches: The consumers' branches that count, as names or patterns. Unless given, each one's main
            branch, as the broker knows it, and in a run for every pact all that the broker asks for.
        outage_minutes: How long a pact can't be verified before somebody is told.
        collect_seconds: How long changes are collected after the first one, to be told together.
        interval_seconds: The time between two messages about a provider, at least.
        retry_hours: For how many hours it is tried to send a message.
    """

    targets: Annotated[tuple[NotifyTarget, ...], Field(max_length=20), Kind("list of tables")] = ()
    branches: BrokerNames | None = None
    consumer_branches: BrokerNames | None = None
    outage_minutes: Annotated[Number, Field(gt=0, le=60 * 24 * 30), Kind("minutes")] = 60.0
    collect_seconds: Seconds = 10.0
    interval_seconds: Annotated[Number, Field(ge=0, le=3600), Kind("seconds")] = 300.0
    retry_hours: Annotated[Number, Field(gt=0, le=24 * 30), Kind("hours")] = 24.0

    @model_validator(mode="after")
    def _no_target_twice(self) -> Self:
        mistake = repeated([target.name for target in self.targets])
        if mistake:
            raise ValueError(mistake)
        return self

    def over(self, general: NotifySettings) -> NotifySettings:
        """Return these settings with those of `[notify]` for the keys that are not given here."""
        given = {name: getattr(self, name) for name in self.model_fields_set}
        return general.model_copy(update=given)

    @property
    def retry_plan(self) -> RetryPlan:
        """The waits between the attempts to send a message."""
        return RetryPlan(RETRY_WAITS, self.retry_hours * 3600)


def url_mistake(url: str, *, allow_http: bool) -> str | None:
    """Return why nothing can be sent to a URL, continuing a sentence about it; None if something can.

    Args:
        url: The URL, which no answer repeats: it is a secret.
        allow_http: Whether it may be an `http` one of another machine.
    """
    base, _, query = url.partition("?")
    try:
        origin = Origin.of(base)
    except ValueError as error:
        return f"is no URL that can be sent to: {error}"
    if not url.isascii() or not query.isprintable() or " " in query or "#" in query:
        return "is no URL that can be sent to: it has a character that a URL can't have"
    if origin.scheme != "https" and not allow_http and not _is_loopback(origin.host):
        return "must be an https:// URL, or the target needs allow_http = true: it is a secret, and http shows it"
    return None


def host_of(url: str) -> str:
    """Return the host of a URL, with its port if that is another than usual: the part that is no secret."""
    origin = Origin.of(url.partition("?")[0])
    return str(origin).removesuffix(origin.path).partition("://")[2]


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
