"""What people do to a provider: pause it and resume it. Each is kept in `actions`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from app.records import actions, pauses
from app.records.actions import ActionKind
from app.records.run_changes import RunChanges

if TYPE_CHECKING:
    from psycopg import Connection

    from app.config.settings import Settings
    from app.records.actions import Doer


class NoSuchProvider(Exception):
    """There is no provider of this name in the configuration; the message says so."""


def pause(connection: Connection[Any], settings: Settings, provider: str, doer: Doer) -> None:
    """Pause a provider: its runs are accepted and queued, and none is started. One that is paused stays so.

    Args:
        connection: The open connection; the caller commits.
        settings: The configuration.
        provider: The provider's name.
        doer: Who does it.

    Raises:
        NoSuchProvider: It is not in the configuration.
    """
    if settings.provider_named(provider) is None:
        raise NoSuchProvider(f"there is no provider {provider!r} in the configuration")
    if pauses.add(connection, provider, doer.name):
        actions.add(connection, doer, ActionKind.PAUSE, provider=provider)


def resume(connection: Connection[Any], settings: Settings, provider: str, doer: Doer) -> None:
    """Resume a provider, and start the runs that have waited for that. One that is not paused is left as it is.

    Args:
        connection: The open connection; the caller commits.
        settings: The configuration.
        provider: The provider's name, which may have gone from the configuration since.
        doer: Who does it.

    Raises:
        NoSuchProvider: It is neither paused nor in the configuration.
    """
    if RunChanges().resume(connection, provider):
        actions.add(connection, doer, ActionKind.RESUME, provider=provider)
    elif settings.provider_named(provider) is None:
        raise NoSuchProvider(f"there is no provider {provider!r} in the configuration, and none is paused")
