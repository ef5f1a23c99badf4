"""The whole of `pact-dispatch.toml`; `app.config.file` reads it.

Secrets come from the environment, or from files that it names, and never from the configuration file itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

from pydantic import PrivateAttr, ValidationInfo, field_validator, model_validator

from app.config.notify import NotifySettings
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
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from app.config.sources import Sources

EVENT_TYPES = (PACT_CHANGED, WebhookEvent.REQUIRING_VERIFICATION.value, PROVIDER_CHANGED)
"""The event types that are always accepted."""
SOURCES = "sources"
"""The files that are validated, in the context of the validation."""


@dataclass(frozen=True)
class _Index:
    """Where each provider is found.

    Attributes:
        providers: All of them.
        by_name: Each one by its name.
        by_repository: Each one by its repository, in lower case.
    """

    providers: tuple[ProviderSettings, ...]
    by_name: dict[str, ProviderSettings]
    by_repository: dict[str, ProviderSettings]


@dataclass(eq=False)
class _Kept:
    """What is kept beside the settings, and makes no difference between two of them.

    Attributes:
        sources: The files that they come from.
        index: Where each provider is found; None until somebody asks.
    """

    sources: Sources | None = None
    index: _Index | None = None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Kept)

    __hash__ = None  # type: ignore[assignment]


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
    notify: NotifySettings = NotifySettings()
    _kept: _Kept = PrivateAttr(default_factory=_Kept)

    @field_validator("providers", mode="before")
    @classmethod
    def _at_least_one(cls, providers: Any) -> Any:
        # before they are validated: those with a mistake don't count afterwards
        if providers in ([], ()):
            raise ValueError("there must be one at least")
        return providers

    @model_validator(mode="after")
    def _from_files(self, info: ValidationInfo) -> Self:
        self._kept.sources = (info.context or {}).get(SOURCES)
        return self

    @model_validator(mode="after")
    def _no_provider_twice(self) -> Self:
        if self._kept.sources is None:  # else `app.config.file` tells in which files they are
            found = {
                number: {"name": one.name, "repository": one.repository}
                for number, one in enumerate(self.providers)
            }
            if mistakes := [what for what, _ in twins(found)]:
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

    @cached_property
    def runs_at_once(self) -> dict[str, int]:
        """How many runs go on at once, by the names of the providers that have a limit for that."""
        return {
            provider.name: provider.max_runs for provider in self.providers if provider.max_runs is not None
        }

    @property
    def variables_of_providers(self) -> frozenset[str]:
        """The names of the environment variables in which secrets of the providers are."""
        sources = (source for provider in self.providers for source in provider.secret_sources)
        return frozenset(source.env for source in sources if source.env is not None)

    def notify_of(self, provider: ProviderSettings) -> NotifySettings:
        """Return who is told of a provider's changes, and of which."""
        return self.notify if provider.notify is None else provider.notify.over(self.notify)

    @property
    def variables_of_targets(self) -> frozenset[str]:
        """The names of the environment variables in which secrets of those are who are told of changes."""
        tables = [
            self.notify,
            *(provider.notify for provider in self.providers if provider.notify is not None),
        ]
        targets = (target for table in tables for target in table.targets)
        sources = (source for target in targets for _, source in target.secret_sources)
        return frozenset(source.env for source in sources if source.env is not None)

    @property
    def needs_github(self) -> str | None:
        """The key of the configuration that needs credentials for GitHub; None if none does."""
        for number, provider in enumerate(self.providers, start=1):
            where = self.name_of(number)
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
        return self._indexed.by_repository.get(repository.lower())

    def provider_named(self, name: str) -> ProviderSettings | None:
        """Return the provider of that name, or None."""
        return self._indexed.by_name.get(name)

    def key_of(self, number: int) -> str:
        """Return the key of a provider, with its file unless that is the configuration file itself, for people.

        Args:
            number: Its number over all files, from 1.
        """
        if self._kept.sources is None:
            return f"providers[{number}]"
        place = self._kept.sources.places[number - 1]
        return place.key if place.file == self._kept.sources.file else f"{place.file}: {place.key}"

    def name_of(self, number: int) -> str:
        """Return the same with the name of the provider."""
        return f"{self.key_of(number)} ({self.providers[number - 1].name})"

    def file_of(self, number: int) -> Path | None:
        """Return the file that a provider comes from; None if nobody knows.

        Args:
            number: Its number over all files, from 1.
        """
        return None if self._kept.sources is None else self._kept.sources.places[number - 1].file

    @property
    def digest(self) -> str | None:
        """The digest of the files that these settings come from; None if nobody knows them."""
        return None if self._kept.sources is None else self._kept.sources.digest

    @property
    def _indexed(self) -> _Index:
        # a copy of these settings may have other providers
        if self._kept.index is None or self._kept.index.providers is not self.providers:
            self._kept.index = _Index(
                self.providers,
                {one.name: one for one in reversed(self.providers)},
                {one.repository.lower(): one for one in reversed(self.providers)},
            )
        return self._kept.index


def twins(providers: Mapping[int, Mapping[str, Any]]) -> Iterator[tuple[str, list[int]]]:
    """Yield what two providers can't both have, and which of them have it; letter case makes no difference.

    Args:
        providers: Their keys and values, by number.
    """
    for key in ("name", "repository"):
        found: dict[str, list[int]] = {}
        for number, provider in providers.items():
            value = provider.get(key)
            if isinstance(value, str):
                found.setdefault(value.lower(), []).append(number)
        for numbers in found.values():
            if len(numbers) > 1:
                first, *others = dict.fromkeys(providers[number][key] for number in numbers)
                same = (
                    f", since {', '.join(map(repr, others))} is the same: letter case doesn't count"
                    if others
                    else ""
                )
                yield f"two providers have the {key} {first!r}{same}", numbers


def _same_server(first: str, second: str) -> bool:
    one, other = Origin.of(first), Origin.of(second)
    return (one.host, one.port) == (other.host, other.port)
