"""The JSON documents of providers; their docstrings and descriptions are part of the OpenAPI document."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING, Annotated, Any, Self
from uuid import UUID

from pydantic import Field

from app.records import notifications, pauses
from app.records.notification_result import NotificationResult
from app.records.pause_change import PauseChange
from app.records.provider_standings import Standing, standings
from app.web.api.documents import Next, Time
from app.web.problem import Document
from verifier.verification import Outcome

if TYPE_CHECKING:
    from psycopg import Connection

    from app.config.settings import Settings
    from app.records.pauses import Pause
    from app.web.paging import ProvidersRequest

MOST_PAUSED = 10_000


class Provider(Document):
    """A provider, whether it is paused, and how it stands."""

    name: str
    repository: Annotated[str | None, Field(description="None of one that is not in the configuration.")]
    paused_at: Annotated[Time | None, Field(description="Since when its runs wait; null if it isn't paused.")]
    paused_by: str | None
    pause_reason: Annotated[str | None, Field(description="Why, in the words of `paused_by`.")]
    waiting: Annotated[int, Field(ge=0, description="How many of its runs wait.")]
    running: Annotated[int, Field(ge=0, description="How many of its runs are running.")]
    outcome: Annotated[Outcome | None, Field(description="That of the run that ended last.")]
    ended_at: Annotated[Time | None, Field(description="When that outcome was known.")]
    broken: Annotated[int, Field(ge=0, description="With how many consumers its contract is broken.")]

    @classmethod
    def of(cls, settings: Settings, name: str, pause: Pause | None, standing: Standing | None) -> Self:
        """Make the document of a provider."""
        found = settings.provider_named(name)
        return cls(
            name=name,
            repository=None if found is None else found.repository,
            paused_at=None if pause is None else pause.paused_at,
            paused_by=None if pause is None else pause.paused_by,
            pause_reason=None if pause is None else pause.reason,
            **vars(standing or Standing()),
        )

    @classmethod
    def read(cls, connection: Connection[Any], settings: Settings, name: str) -> Self:
        """Read whether a provider is paused and how it stands, and make its document."""
        return cls.of(settings, name, pauses.of(connection, name), standings(connection, [name]).get(name))


class ChangedProvider(Provider):
    """A provider that was to be paused or resumed, and what has changed by that."""

    change: Annotated[
        PauseChange | None,
        Field(
            description="`reason`: it was paused already, and has another reason now. Null if nothing has changed."
        ),
    ] = None

    @classmethod
    def after(
        cls, connection: Connection[Any], settings: Settings, name: str, change: PauseChange | None
    ) -> Self:
        """Read how a provider stands after a change, and make its document."""
        return cls.read(connection, settings, name).model_copy(update={"change": change})


class ProviderList(Document):
    """A page of the providers that are configured or paused, by their names."""

    items: list[Provider]
    next: Next

    @classmethod
    def read(cls, connection: Connection[Any], settings: Settings, asked: ProvidersRequest) -> Self:
        """Read which are paused and how they stand, and make the document of a page."""
        paused = {pause.provider: pause for pause in pauses.newest(connection, limit=MOST_PAUSED)}
        names = sorted({provider.name for provider in settings.providers} | paused.keys())
        begin = 0 if asked.after is None else bisect_right(names, asked.after)
        shown = names[begin : begin + asked.limit]
        more = begin + asked.limit < len(names)
        found = standings(connection, shown)
        return cls(
            items=[Provider.of(settings, name, paused.get(name), found.get(name)) for name in shown],
            next=settings.server.address(f"/api/providers?{asked.next_query(shown[-1])}") if more else None,
        )


class Notification(Document):
    """A message about changes to one of those who are told of them."""

    id: UUID
    target: Annotated[str, Field(description="What it takes, and where its URL is, as in `slack SLACK_URL`.")]
    host: Annotated[str | None, Field(description="The host that it was sent to.")]
    events: list[str]
    title: str
    result: NotificationResult
    attempts: Annotated[int, Field(ge=0)]
    error: Annotated[str | None, Field(description="Why the last attempt failed.")]
    created_at: Time
    finished_at: Time | None

    @classmethod
    def of(cls, one: notifications.Notification) -> Self:
        """Make the document of a message."""
        return cls.model_validate({**vars(one), "title": str(one.content.get("title"))})


class NotificationList(Document):
    """The latest message about a provider to each of those who are told of its changes."""

    items: list[Notification]

    @classmethod
    def read(cls, connection: Connection[Any], name: str) -> Self:
        """Read the messages about a provider, and make the document."""
        found = notifications.latest_of_targets(connection, name)
        return cls(items=[Notification.of(found[target]) for target in sorted(found)])
