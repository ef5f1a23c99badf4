"""The log of refused requests: those without credentials are stored only so often that they can't fill the disk."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

import psycopg
import structlog

from app.database.connections import is_away
from app.records import counters, deliveries
from app.records.counters import REFUSED, Counts, Series

if TYPE_CHECKING:
    from psycopg_pool import ConnectionPool

    from app.intake.refusal import Refusal
    from app.records.deliveries import IncomingDelivery

BURST = 100
"""Refused requests without credentials that one process stores in a row."""
PER_MINUTE = 10.0
"""Refused requests without credentials that it stores in the long run."""
COUNT_SECONDS = 1.0
"""For how long others are counted in this process before the count is stored."""

log = structlog.get_logger("web")


class RefusalLog:
    """The log of the requests that a web process refuses.

    Args:
        pool: The pool of connections to the database.
    """

    def __init__(self, pool: ConnectionPool[Any]) -> None:
        self._pool = pool
        self._lock = threading.Lock()
        self._room, self._measured_at = float(BURST), time.monotonic()
        self._counts = Counts()
        self._timer_runs = False

    def add(self, delivery: IncomingDelivery, refusal: Refusal) -> None:
        """Store a refusal and log it, or count it alone.

        The request is refused whether or not it can be stored.
        """
        if delivery.sender is None and not self._has_room():
            self._count(refusal.reason)
            return
        log.warning(
            "refused",
            delivery=str(delivery.id),
            status=refusal.status,
            reason=refusal.reason,
            detail=refusal.detail,
            repository=delivery.repository,
            sender=delivery.sender,
            address=delivery.address,
        )
        if refusal.status == 503:
            return
        try:
            with self._pool.connection() as connection:
                deliveries.refuse(
                    connection,
                    delivery,
                    status=refusal.status,
                    refusal=refusal.reason,
                    detail=refusal.detail,
                )
        except psycopg.Error as error:
            self._not_stored(error)

    def store_counts(self) -> None:
        """Store how many refusals were counted alone; those that can't be stored are for the next time."""
        with self._lock:
            counts, self._counts, self._timer_runs = self._counts, Counts(), False
        if not counts:
            return
        try:
            with self._pool.connection() as connection:
                counters.add(connection, counts)
        except psycopg.Error as error:
            self._not_stored(error)
            with self._lock:
                self._counts.update(counts)
            return
        log.warning(
            "refused, and not kept one by one: too many without a token or signature",
            reasons={series["reason"]: number for series, number in counts.items()},
        )

    @staticmethod
    def _not_stored(error: psycopg.Error) -> None:
        (log.warning if is_away(error) else log.exception)("refusals not stored", error=str(error))

    def _has_room(self) -> bool:
        with self._lock:
            now = time.monotonic()
            self._room = min(BURST, self._room + (now - self._measured_at) * PER_MINUTE / 60)
            self._measured_at = now
            if self._room < 1:
                return False
            self._room -= 1
            return True

    def _count(self, reason: str) -> None:
        with self._lock:
            self._counts[Series.of(REFUSED, reason=reason)] += 1
            if self._timer_runs:
                return
            self._timer_runs = True
        timer = threading.Timer(COUNT_SECONDS, self.store_counts)
        timer.daemon = True
        timer.start()
