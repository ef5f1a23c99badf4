"""The threads that deliver triggered webhooks, as they become due in the database.

What has to be delivered is stored with what triggered it, and stays due until the outcome of an attempt is stored.
An attempt that a crash interrupts is made again: a target gets each delivery at least once.
"""

from __future__ import annotations

import json
import logging
import threading
import time
import traceback
from collections import Counter
from functools import partial
from itertools import count
from typing import TYPE_CHECKING

from sqlalchemy import select
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from broker.embedded.deliveries.attempt import Attempt, attempt
from broker.embedded.deliveries.pruning import EVERY_SECONDS, prune
from broker.embedded.storage.encryption import KeyUnusable
from broker.embedded.storage.webhook_tables import TriggeredWebhook, WebhookExecution
from broker.embedded.webhooks.records import secrets_for, template_of
from broker.embedded.webhooks.triggered_records import FAILURE, PENDING, RETRYING, SUCCESS
from broker.http.waits import RetryPlan

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.orm import Session

    from broker.embedded.storage.database import Database
    from broker.embedded.storage.encryption import Vault
    from broker.embedded.webhooks.settings import WebhookSettings

THREADS = 8
MOST_OF_ONE_WEBHOOK = 2
"""The most threads that deliver one webhook, so that a slow target leaves the others to the other webhooks."""
LONGEST_WAIT_SECONDS = 30.0
"""After this, what has become due without a notification is found; the clock may have been set."""
WAIT_AFTER_ERROR_SECONDS = 1.0
STORE_AGAIN = RetryPlan.doubling(1, 60)
"""Between the tries to store the outcome of a delivery."""

_log = logging.getLogger(__name__)


class Deliveries:
    """The threads that deliver; one such object may exist for a database at a time."""

    def __init__(self, database: Database, vault: Vault, settings: WebhookSettings) -> None:
        self._database = database
        self._vault = vault
        self._settings = settings
        self._changed = threading.Condition()
        self._in_flight: dict[int, int] = {}  # the webhook of each delivery
        self._stopped = threading.Event()
        self._prune_at = time.monotonic()
        # A target that doesn't answer must not hold up the broker's stop: what it was sent is still due then.
        self._threads = [
            threading.Thread(target=self._run, name=f"deliveries-{number}", daemon=True)
            for number in range(THREADS)
        ]

    def start(self) -> None:
        """Start to deliver, first what was due when the broker stopped or crashed."""
        for thread in self._threads:
            thread.start()

    def wake(self) -> None:
        """Notify the threads of a new delivery, after its transaction was committed."""
        with self._changed:
            self._changed.notify()

    def stop(self, timeout: float) -> None:
        """Start no further attempt, and wait so many seconds for the current ones to end."""
        with self._changed:
            self._stopped.set()
            self._changed.notify_all()
        deadline = time.monotonic() + timeout
        for thread in self._threads:
            thread.join(max(deadline - time.monotonic(), 0.0))

    def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                self._maybe_prune()
                number = self._claim()
                if number is not None:
                    self._deliver_claimed(number)
            except Exception as error:  # noqa: BLE001 - whatever it is, the other deliveries go on
                _log.error("Webhooks can't be delivered for now: %s", _described(error))
                self._stopped.wait(WAIT_AFTER_ERROR_SECONDS)

    def _maybe_prune(self) -> None:
        """Delete what is old, once an hour, in one of the threads."""
        if self._settings.history_days is None:
            return
        with self._changed:
            if time.monotonic() < self._prune_at:
                return
            self._prune_at = time.monotonic() + EVERY_SECONDS
        prune(self._database, days=self._settings.history_days)

    def _deliver_claimed(self, number: int) -> None:
        try:
            self._deliver(number)
        finally:
            with self._changed:
                del self._in_flight[number]
                self._changed.notify()

    def _claim(self) -> int | None:
        """Wait for the next delivery that is due and return its id; None if there is none yet."""
        with self._changed:
            if self._stopped.is_set():
                return None
            many = Counter(self._in_flight.values())
            busy = [webhook for webhook, count in many.items() if count >= MOST_OF_ONE_WEBHOOK]
            with self._database.session(write=False) as session:
                query = select(
                    TriggeredWebhook.id, TriggeredWebhook.webhook_id, TriggeredWebhook.due_at
                ).where(
                    TriggeredWebhook.status.in_(PENDING),
                    TriggeredWebhook.webhook_id.is_not(None),
                    TriggeredWebhook.webhook_id.not_in(busy),
                    TriggeredWebhook.id.not_in(self._in_flight),
                )
                first = session.execute(
                    query.order_by(TriggeredWebhook.due_at, TriggeredWebhook.id).limit(1)
                ).first()
            wait = LONGEST_WAIT_SECONDS if first is None else self._seconds_until(first.due_at)
            if first is None or wait > 0:
                self._changed.wait(min(wait, LONGEST_WAIT_SECONDS))
                return None
            self._in_flight[first.id] = first.webhook_id
            self._changed.notify()  # there may be more that is due
            return int(first.id)

    def _seconds_until(self, due_at: float) -> float:
        """Return how long to wait; nothing is put off for longer than this, unless the clock was set back since."""
        seconds = due_at - time.time()
        longest = max(self._settings.delay_seconds, *self._settings.retry_seconds, 0.0)
        return seconds if seconds <= longest else 0.0

    def _deliver(self, number: int) -> None:
        # The target may take its time: no transaction waits with it.
        try:
            with self._database.session(write=False) as session:
                prepared = self._prepared(session, number)
            if prepared is None:
                return
            made = prepared if isinstance(prepared, str) else prepared()
        except SQLAlchemyError:
            raise
        except Exception as error:  # noqa: BLE001 - it ends this attempt, with a reason
            made = _unexpected(error)
        for failures in count(1):
            try:
                self._store(number, made)
                break
            except Exception as error:  # noqa: BLE001 - only storing is tried again: the request was sent
                _log.error("The outcome of a delivery can't be stored for now: %s", _described(error))
                if not isinstance(error, SQLAlchemyError):
                    made = _unexpected(error)
                if self._stopped.wait(STORE_AGAIN.wait_after(failures)):
                    break

    def _store(self, number: int, made: Attempt | str) -> None:
        with self._database.session(write=True) as session:
            triggered = session.get(TriggeredWebhook, number)
            if triggered is not None:
                self._keep(session, triggered, made)

    def _prepared(self, session: Session, number: int) -> Callable[[], Attempt] | str | None:
        """Return a function that makes the attempt, the reason why none can be made, or None if it is deleted."""
        triggered = session.get(TriggeredWebhook, number)
        webhook = triggered.webhook if triggered else None
        if triggered is None or webhook is None:
            return None
        try:
            template = template_of(webhook, self._vault)
            secrets = secrets_for(template, session, self._vault)
        except KeyUnusable as error:
            return str(error)
        values, context = json.loads(triggered.variables), json.loads(triggered.context)
        return partial(attempt, template, values, secrets, context, self._settings, uuid=webhook.uuid)

    def _keep(self, session: Session, triggered: TriggeredWebhook, made: Attempt | str) -> None:
        """Store the outcome of an attempt, and when the next one is due."""
        triggered.attempts_made += 1
        success = isinstance(made, Attempt) and made.success
        wait = RetryPlan(self._settings.retry_seconds).wait_after(triggered.attempts_made)
        if success:
            triggered.status, last = SUCCESS, "Successfully executed webhook"
        elif wait is not None and triggered.webhook is not None:
            triggered.status, last = RETRYING, f"Retrying webhook in {wait:g} seconds"
            triggered.due_at = time.time() + wait
        else:
            triggered.status = FAILURE
            last = f"Webhook execution failed after {triggered.attempts_made} attempts"
        logs = made.logs(last) if isinstance(made, Attempt) else f"{made}\n{last}\n"
        session.add(WebhookExecution(triggered_webhook_id=triggered.id, success=success, logs=logs))


def _unexpected(error: Exception) -> str:
    """Log an exception that nobody expected, and return the reason that the delivery's log has."""
    where = "".join(traceback.format_tb(error.__traceback__))
    _log.error("A delivery ended unexpectedly: %s\n%s", _described(error), where)
    return f"The delivery ended with an unexpected error ({type(error).__name__}): see the broker's own log"


def _described(error: Exception) -> str:
    """Return what may be logged of an exception: the message of another than SQLite's may hold a secret."""
    return str(error.orig) if isinstance(error, DBAPIError) else type(error).__name__
