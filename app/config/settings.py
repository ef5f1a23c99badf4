"""The whole of `pact-dispatch.toml`; `app.config.file` reads it.

Secrets come from the environment, or from files that it names, and never from the configuration file itself.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Self

from pydantic import field_validator, model_validator

from app.config.provider import ProviderSettings, RelayedProvider
from app.config.provider_table import AnyProvider
from app.config.provider_values import NewFolder
from app.config.sections import (
    BrokerSettings,
    DispatchSettings,
    GitHubSettings,
    ReconcileSettings,
    RetentionSettings,
    ServerSettings,
    WorkerSettings,
)
from app.config.values import MISTAKE_SEPARATOR, Section
from app.dispatch import PACT_CHANGED
from broker.events import PROVIDER_CHANGED, WebhookEvent
from broker.http.origin import Origin

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

EVENT_TYPES = (PACT_CHANGED, WebhookEvent.REQUIRING_VERIFICATION.value, PROVIDER_CHANGED)
"""The event types that are always accepted."""


class Settings(Section):
    """What stands before the first table.

    Attributes:
        data_dir: The folder of the checkouts and of the embedded database. Unless given, `pact-dispatch-data` where the
            command runs. `--data-dir` and the variable come first.
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


def _same_server(first: str, second: str) -> bool:
    one, other = Origin.of(first), Origin.of(second)
    return (one.host, one.port) == (other.host, other.port)
