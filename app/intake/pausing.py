"""What people do to a provider: pause it and resume it. Each is kept in `actions`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from app.records import actions
from app.records.actions import ActionKind
from app.records.pause_change import PauseChange
from app.records.pauses import kept_reason
from app.records.run_changes import RunChanges

if TYPE_CHECKING:
    from psycopg import Connection

    from app.config.settings import Settings
    from app.records.actions import Doer


class NoSuchProvider(Exception):
    """There is no provider of this name in the configuration; the message says so."""


def pause(
    connection: Connection[Any], settings: Settings, provider: str, doer: Doer, reason: str | None = None
) -> PauseChange | None:
    """Pause a provider: its runs are accepted and queued, and none is started.

    One that is paused stays so; a reason takes the place of the former one.

    Args:
        connection: The open connection; the caller commits.
        settings: The configuration.
        provider: The provider's name.
        doer: Who does it.
        reason: Why.

    Returns:
        What has changed; None if nothing has.

    Raises:
        NoSuchProvider: It is not in the configuration.
    """
    if settings.provider_named(provider) is None:
        raise NoSuchProvider(f"there is no provider {provider!r} in the configuration")
    changed = RunChanges().pause(connection, provider, doer.name, reason)
    if changed:
        actions.add(connection, doer, ActionKind.PAUSE, provider=provider, reason=kept_reason(reason))
    return changed


def resume(connection: Connection[Any], settings: Settings, provider: str, doer: Doer) -> PauseChange | None:
    """Resume a provider, and start the runs that have waited for that. One that is not paused is left as it is.

    Args:
        connection: The open connection; the caller commits.
        settings: The configuration.
        provider: The provider's name, which may have gone from the configuration since.
        doer: Who does it.

    Returns:
        What has changed; None if nothing has.

    Raises:
        NoSuchProvider: It is neither paused nor in the configuration.
    """
    if RunChanges().resume(connection, provider):
        actions.add(connection, doer, ActionKind.RESUME, provider=provider)
        return PauseChange.RESUMED
    if settings.provider_named(provider) is None:
        raise NoSuchProvider(f"there is no provider {provider!r} in the configuration, and none is paused")
    return None
