"""The sending of messages that are stored, each by a job of its own, which is tried again.

Between an answer of a target and the note of it a process may end: then the message is sent again, with the same id.
"""

from __future__ import annotations

import time
from datetime import UTC
from typing import TYPE_CHECKING, Any

import psycopg
import structlog

from app.database.failures import is_away
from app.notifications.sending import NotSent, send
from app.records import notifications, run_spans
from app.records.notification_result import NotificationResult
from broker.traces import spans

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from uuid import UUID

    from psycopg_pool import ConnectionPool

    from app.config.settings import Settings
    from app.records.notifications import Notification
    from broker.traces.spans import AnySpan

GONE_SECONDS = 600.0
"""For how long a message waits for a target that this process doesn't know."""
NOTE_SECONDS = 30.0
"""For how long it is tried to note what became of a message, while the database is away."""
NOTE_RETRY_SECONDS = 0.5

log = structlog.get_logger("notifications")


class Messenger:
    """Sends the messages of one configuration.

    Args:
        settings: The configuration.
        pool: The pool of connections to the database; none is held while anybody is asked.
        environment: Where the secrets of targets are.
    """

    def __init__(self, settings: Settings, pool: ConnectionPool[Any], environment: Mapping[str, str]) -> None:
        self._settings = settings
        self._pool = pool
        self._environment = environment

    def send(self, number: UUID) -> None:
        """Send a notification, as the job that was queued for it, and those that wait for its target.

        Whatever goes wrong is tried again, and then ends the notification with the reason.

        Args:
            number: The notification's id.

        Raises:
            psycopg.OperationalError: The database is away.
        """
        while self._send_next(number):
            pass

    def _send_next(self, number: UUID) -> bool:
        """Send the oldest notification that waits for a target; return whether there may be another one."""
        with self._pool.connection() as connection:
            found = notifications.next_to_send(connection, number)
            trace = (
                notifications.trace_of(connection, found[0].id)
                if found is not None and spans.are_taken()
                else None
            )
        if found is None:
            return False
        with run_spans.after(trace, "tell of a change", pact_dispatch__target=found[0].target) as one:
            return self._send(one, *found)

    def _send(self, one: AnySpan, notification: Notification, age: float) -> bool:
        provider = self._settings.provider_named(notification.provider)
        targets = () if provider is None else self._settings.notify_of(provider).targets
        target = next((known for known in targets if known.name == notification.target), None)
        fields = {
            "notification": str(notification.id),
            "provider": notification.provider,
            "target": notification.target,
        }
        if target is None:
            gone = f"{notification.target} is not told of {notification.provider} any more"
            # another process may have a newer configuration than this one
            error = NotSent(gone, retryable=age < GONE_SECONDS)
            return self._not_sent(one, notification, error, age, fields)
        try:
            sent = send(
                target,
                notification.content,
                notification.id,
                created_at=notification.created_at.astimezone(UTC).isoformat(timespec="seconds"),
                environment=self._environment,
            )
        except NotSent as error:
            return self._not_sent(one, notification, error, age, fields)
        except Exception as error:
            if is_away(error):
                raise
            log.exception("not told", **fields)
            unexpected = NotSent(f"an unexpected {type(error).__name__}", retryable=True)
            return self._not_sent(one, notification, unexpected, age, fields)
        self._note(notifications.finish, notification, NotificationResult.SENT, host=sent.host)
        log.info("told", host=sent.host, status=sent.status, events=notification.events, **fields)
        return True

    def _not_sent(
        self,
        one: AnySpan,
        notification: Notification,
        error: NotSent,
        age: float,
        fields: Mapping[str, str],
    ) -> bool:
        one.fail(type(error).__name__, str(error))
        provider = self._settings.provider_named(notification.provider)
        settings = self._settings.notify if provider is None else self._settings.notify_of(provider)
        wait = None
        if error.retryable:
            wait = settings.retry_plan.wait_after(
                notification.attempts + 1, elapsed=age, at_least=error.retry_after or 0.0
            )
        log.warning("not told", error=str(error), retry_in=wait, **fields)
        if wait is None:
            result = NotificationResult.GIVEN_UP if error.retryable else NotificationResult.REFUSED
            self._note(notifications.finish, notification, result, host=error.host, error=str(error))
        else:
            self._note(notifications.try_again, notification, str(error), host=error.host, wait=wait)
        return wait is None

    def _note(self, note: Callable[..., None], *arguments: Any, **options: Any) -> None:
        """Store what became of a message; while the database is away, again and again: else it is sent once more."""
        end = time.monotonic() + NOTE_SECONDS
        while True:
            try:
                with self._pool.connection() as connection:
                    note(connection, *arguments, **options)
            except psycopg.Error as error:
                if not is_away(error) or time.monotonic() > end:
                    raise
                time.sleep(NOTE_RETRY_SECONDS)
            else:
                return
