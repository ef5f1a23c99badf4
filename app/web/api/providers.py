"""The JSON documents of providers; their docstrings and descriptions are part of the OpenAPI document."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import Field

from app.records import pauses
from app.web.api.documents import Time
from app.web.problem import Document

if TYPE_CHECKING:
    from psycopg import Connection

    from app.config.settings import Settings
    from app.records.pauses import Pause

MOST_PAUSED = 10_000


class Provider(Document):
    """A provider, and whether it is paused."""

    name: str
    repository: Annotated[str | None, Field(description="None of one that is not in the configuration.")]
    paused_at: Annotated[Time | None, Field(description="Since when its runs wait; null if it isn't paused.")]
    paused_by: str | None

    @classmethod
    def of(cls, settings: Settings, name: str, pause: Pause | None) -> Self:
        """Make the document of a provider."""
        found = settings.provider_named(name)
        return cls(
            name=name,
            repository=None if found is None else found.repository,
            paused_at=None if pause is None else pause.paused_at,
            paused_by=None if pause is None else pause.paused_by,
        )

    @classmethod
    def read(cls, connection: Connection[Any], settings: Settings, name: str) -> Self:
        """Read whether a provider is paused, and make its document."""
        return cls.of(settings, name, pauses.of(connection, name))


class ProviderList(Document):
    """All providers that are configured or paused, by their names."""

    items: list[Provider]

    @classmethod
    def read(cls, connection: Connection[Any], settings: Settings) -> Self:
        """Read which are paused, and make the document."""
        paused = {pause.provider: pause for pause in pauses.newest(connection, limit=MOST_PAUSED)}
        names = {provider.name for provider in settings.providers} | paused.keys()
        return cls(items=[Provider.of(settings, name, paused.get(name)) for name in sorted(names)])
