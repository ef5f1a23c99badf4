"""The sections of `pact-dispatch.toml`, and the broker's credentials; `app.config.file` reads them.

Secrets come from the environment, or from files that it names, and never from the configuration file itself.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import Field, field_validator, model_validator

from app.config.provider import ProviderSettings, RelayedProvider
from app.config.provider_table import AnyProvider
from app.config.provider_values import NewFolder
from app.config.values import (
    MISTAKE_SEPARATOR,
    ConfigurationError,
    Count,
    Flag,
    Network,
    Number,
    Seconds,
    Section,
    UserName,
    Waits,
    secret,
)
from app.dispatch import PACT_CHANGED
from broker.events import WebhookEvent
from broker.http.access import BrokerAccess
from broker.http.origin import Origin
from broker.http.waits import RetryPlan
from verifier.environment import BROKER_PASSWORD, BROKER_TOKEN, BROKER_USERNAME

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

EVENT_TYPES = (PACT_CHANGED, WebhookEvent.REQUIRING_VERIFICATION.value)
"""The event types that are always accepted."""


class BrokerSettings(Section):
    """The Pact Broker.

    Attributes:
        url: Its base URL. Pacts are fetched only from there, and results are published there.
        aliases: Other base URLs that it gives its links with; nothing is sent there.
    """

    url: str
    aliases: Annotated[tuple[str, ...], Field(max_length=20)] = ()

    @field_validator("url")
    @classmethod
    def _is_a_base_url(cls, url: str) -> str:
        Origin.of(url)
        return url

    @field_validator("aliases")
    @classmethod
    def _are_base_urls(cls, urls: tuple[str, ...]) -> tuple[str, ...]:
        for url in urls:
            Origin.of(url)
        return urls


class DispatchSettings(Section):
    """Which dispatches are accepted.

    Attributes:
        event_types: Those that are accepted besides `pact_changed` and `contract_requiring_verification_published`.
    """

    event_types: tuple[Annotated[str, Field(min_length=1, max_length=100)], ...] = ()

    @field_validator("event_types")
    @classmethod
    def _can_be_sent(cls, types: tuple[str, ...]) -> tuple[str, ...]:
        for one in types:
            if not one.isprintable():
                raise ValueError(f"{one!r} can't be an event type: it must be printable")
        return types


class ServerSettings(Section):
    """The web side.

    Attributes:
        public_url: The URL at which people reach the receiver; links to runs begin with it.
        processes: The number of web processes.
        connections: The number of connections to the database from each of them, at most.
        anonymous_connections: The number of clients' connections to each of them, at most, whose sender has not proved
            who it is; for a further one an older one is given up.
        trusted_proxies: The networks of the proxies before the receiver; what they say in `X-Forwarded-For` counts.
    """

    public_url: Annotated[str, Field(max_length=1000)] | None = None
    processes: Count = Field(default=2, ge=1, le=64)
    connections: Count = Field(default=8, ge=1, le=100)
    anonymous_connections: Count = Field(default=1500, ge=10, le=100_000)
    trusted_proxies: tuple[Network, ...] = Field(default=(), max_length=100)

    @field_validator("public_url")
    @classmethod
    def _is_a_base_url(cls, url: str | None) -> str | None:
        if url is not None:
            Origin.of(url)
        return url


class WorkerSettings(Section):
    """The worker.

    Attributes:
        concurrency: The number of runs at once, of different providers.
        warm: The number of child processes that are kept ready.
        stop_seconds: How long runs may go on after SIGTERM, before they are left to another worker.
        stalled_seconds: The time without a heartbeat after which a worker's runs are taken over by another.
        retry_seconds: The waits between attempts of a run that failed for a reason that may pass.
        publish_retry_seconds: The waits between attempts to publish; the last one is repeated until `publish_hours`.
        publish_hours: How long publishing is tried.
        provider_user: The account that set-ups and commands of providers run as, where root runs the worker.
    """

    concurrency: Count = Field(default=4, ge=1, le=64)
    warm: Count = Field(default=1, ge=0, le=16)
    stop_seconds: Seconds = 20.0
    stalled_seconds: Number = Field(default=10.0, ge=1, le=3600)
    retry_seconds: tuple[Annotated[Number, Field(ge=0, lt=86400 * 7)], ...] = Field(
        default=(10, 30, 60, 180, 600), max_length=20
    )
    publish_retry_seconds: Waits = Field(default=(5, 15, 30, 60, 120, 300, 600), min_length=1, max_length=20)
    publish_hours: Number = Field(default=12.0, gt=0, le=24 * 30)
    provider_user: UserName | None = None

    @property
    def retry_plan(self) -> RetryPlan:
        """The waits between attempts of a run."""
        return RetryPlan(self.retry_seconds)

    @property
    def publish_retry_plan(self) -> RetryPlan:
        """The waits between attempts to publish."""
        return RetryPlan(self.publish_retry_seconds, self.publish_hours * 3600)


class GitHubSettings(Section):
    """GitHub's API: for commit statuses, and for dispatches that are relayed.

    The token or the App's private key comes from the environment: see `app.config.variables`.

    Attributes:
        api_url: `https://HOST/api/v3` for a GitHub Enterprise Server.
        app_id: The id of a GitHub App, instead of a token.
        installation_id: The App's installation; found by repository unless given.
        statuses: Whether the commits that are verified get statuses.
        retry_seconds: The waits between attempts while GitHub is away; the last one is repeated until `retry_hours`.
        retry_hours: How long it is tried.
    """

    api_url: str = "https://api.github.com"
    app_id: Annotated[str, Field(min_length=1, coerce_numbers_to_str=True)] | None = None
    installation_id: Count | None = Field(default=None, ge=1)
    statuses: Flag = False
    retry_seconds: Waits = Field(default=(5, 15, 30, 60, 120, 300, 600), min_length=1, max_length=20)
    retry_hours: Number = Field(default=12.0, gt=0, le=24 * 30)

    @field_validator("api_url")
    @classmethod
    def _is_a_base_url(cls, url: str) -> str:
        Origin.of(url)
        return url.rstrip("/")

    @property
    def retry_plan(self) -> RetryPlan:
        """The waits while GitHub is away."""
        return RetryPlan(self.retry_seconds, self.retry_hours * 3600)


class RetentionSettings(Section):
    """How long and how much of the history is kept.

    Attributes:
        days: How long deliveries, runs and their logs are kept.
        log_kilobytes: The size of each run's log, at most.
    """

    days: Number = Field(default=30.0, gt=0, le=36500)
    log_kilobytes: Count = Field(default=256, ge=1, le=16384)


class ReconcileSettings(Section):
    """The search for pacts that have no result.

    Attributes:
        minutes: The time between two searches of the worker; 0 for none.
    """

    minutes: Number = Field(default=15.0, ge=0, le=60 * 24 * 30)


class Settings(Section):
    """The whole configuration file.

    Attributes:
        data_dir: The folder of the checkouts and of the embedded database; `--data-dir` comes first.
    """

    data_dir: NewFolder | None = None
    broker: BrokerSettings
    providers: tuple[AnyProvider, ...]
    dispatches: DispatchSettings = DispatchSettings()
    server: ServerSettings = ServerSettings()
    worker: WorkerSettings = WorkerSettings()
    github: GitHubSettings = GitHubSettings()
    retention: RetentionSettings = RetentionSettings()
    reconcile: ReconcileSettings = ReconcileSettings()

    @field_validator("providers", mode="before")
    @classmethod
    def _at_least_one(cls, providers: Any) -> Any:
        # before they are validated: those with a mistake don't count afterwards
        if providers in ([], ()):
            raise ValueError("there must be one at least")
        return providers

    @model_validator(mode="after")
    def _no_provider_twice(self) -> Self:
        mistakes = twins([{"name": one.name, "repository": one.repository} for one in self.providers])
        if mistakes:
            raise ValueError(MISTAKE_SEPARATOR.join(mistakes))
        return self

    @model_validator(mode="after")
    def _does_not_relay_to_itself(self) -> Self:
        relayed = [provider.name for provider in self.providers if isinstance(provider, RelayedProvider)]
        public_url = self.server.public_url
        if relayed and public_url is not None and _same_server(public_url, self.github.api_url):
            raise ValueError(
                f"{relayed[0]}: relay would pass dispatches on to this receiver itself: github.api_url and "
                "server.public_url are the same server"
            )
        return self

    @property
    def relay_targets(self) -> frozenset[str]:
        """The repositories that dispatches are relayed to, in lower case."""
        return frozenset(
            (provider.relay.repository or provider.repository).lower()
            for provider in self.providers
            if isinstance(provider, RelayedProvider)
        )

    @property
    def variables_of_providers(self) -> frozenset[str]:
        """The names of the environment variables in which secrets of the providers are."""
        sources = (source for provider in self.providers for source in provider.secret_sources)
        return frozenset(source.env for source in sources if source.env is not None)

    @property
    def needs_github(self) -> str | None:
        """The key of the configuration that needs credentials for GitHub; None if none does."""
        for number, provider in enumerate(self.providers, start=1):
            where = f"providers[{number}] ({provider.name})"
            if isinstance(provider, RelayedProvider):
                return f"{where}.relay"
            if provider.statuses:
                return f"{where}.statuses"
        return "github.statuses" if self.github.statuses else None

    def sets_statuses(self, provider: ProviderSettings) -> bool:
        """Return whether the commits of a provider get statuses."""
        if isinstance(provider, RelayedProvider):
            return False
        return self.github.statuses if provider.statuses is None else provider.statuses

    @property
    def event_types(self) -> frozenset[str]:
        """All event types that are accepted."""
        return frozenset({*EVENT_TYPES, *self.dispatches.event_types})

    def provider_of(self, repository: str) -> ProviderSettings | None:
        """Return the provider that has a repository, or None; letter case makes no difference, as on GitHub."""
        name = repository.lower()
        return next((provider for provider in self.providers if provider.repository.lower() == name), None)

    def provider_named(self, name: str) -> ProviderSettings | None:
        """Return the provider of that name, or None."""
        return next((provider for provider in self.providers if provider.name == name), None)


def twins(providers: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the mistakes for names and repositories that two providers have; letter case makes no difference."""
    mistakes = []
    for key in ("name", "repository"):
        values = [provider.get(key) for provider in providers]
        counted = Counter(value.lower() for value in values if isinstance(value, str))
        mistakes += [
            f"two providers have the {key} {value!r}" for value, times in counted.items() if times > 1
        ]
    return mistakes


def broker_access(settings: Settings, environment: Mapping[str, str]) -> BrokerAccess:
    """Return the broker's address and its credentials.

    Raises:
        ConfigurationError: The credentials can't be used.
    """
    username, password, token = (
        secret(name, environment) for name in (BROKER_USERNAME, BROKER_PASSWORD, BROKER_TOKEN)
    )
    if token and (username or password):
        raise ConfigurationError(
            f"{BROKER_TOKEN} and {BROKER_USERNAME} are two kinds of credentials: give one"
        )
    if bool(username) != bool(password):
        missing = BROKER_PASSWORD if username else BROKER_USERNAME
        raise ConfigurationError(f"basic auth wants both a user name and a password: {missing} is missing")
    try:
        return BrokerAccess(settings.broker.url, username, password, token, settings.broker.aliases)
    except ValueError as error:
        raise ConfigurationError(f"the broker's credentials can't be used: {error}") from error


def _same_server(first: str, second: str) -> bool:
    one, other = Origin.of(first), Origin.of(second)
    return (one.host, one.port) == (other.host, other.port)
