"""Refusals, kept as deliveries: all of senders with a token, and of strangers no more than can't fill the disk."""

from __future__ import annotations

import contextlib
import threading
import time
from typing import TYPE_CHECKING, Any

import structlog

from app.database.connections import DATABASE_AWAY
from app.records import counters, deliveries
from app.records.counters import REFUSED, Counts, Series

if TYPE_CHECKING:
    from psycopg_pool import ConnectionPool

    from app.intake.refusal import Refusal
    from app.records.deliveries import Arrival

AT_ONCE = 100
"""Refusals of strangers that one process keeps in a row."""
PER_MINUTE = 10.0
"""Refusals of strangers that it keeps in the long run."""
COUNT_SECONDS = 1.0
"""How long those that aren't kept are counted in this process, before the count is stored."""

log = structlog.get_logger("web")


class KeptRefusals:
    """Where a web process keeps refusals.

    Args:
        pool: of the database.
    """

    def __init__(self, pool: ConnectionPool[Any]) -> None:
        self._pool = pool
        self._lock = threading.Lock()
        self._left, self._looked = float(AT_ONCE), time.monotonic()
        self._counted = Counts()
        self._due = False

    def keep(self, arrival: Arrival, refusal: Refusal) -> None:
        """Keep a refusal and log it, or count it alone. One that could not be stored is refused all the same."""
        if arrival.sender is None and not self._has_room():
            self._count(refusal.reason)
            return
        log.warning(
            "refused",
            delivery=str(arrival.id),
            status=refusal.status,
            reason=refusal.reason,
            detail=refusal.detail,
            repository=arrival.repository,
            sender=arrival.sender,
            address=arrival.address,
        )
        if refusal.status == 503:
            return
        with contextlib.suppress(*DATABASE_AWAY), self._pool.connection() as connection:
            deliveries.refuse(
                connection, arrival, status=refusal.status, refusal=refusal.reason, detail=refusal.detail
            )

    def store_counts(self) -> None:
        """Store how many were not kept; what can't be stored now is stored with the next ones."""
        with self._lock:
            counted, self._counted, self._due = self._counted, Counts(), False
        if not counted:
            return
        try:
            with self._pool.connection() as connection:
                counters.add(connection, counted)
        except DATABASE_AWAY:
            with self._lock:
                self._counted.update(counted)
            return
        log.warning(
            "refused, and not kept one by one: too many without a token or signature",
            reasons={series["reason"]: number for series, number in counted.items()},
        )

    def _has_room(self) -> bool:
        with self._lock:
            now = time.monotonic()
            self._left = min(AT_ONCE, self._left + (now - self._looked) * PER_MINUTE / 60)
            self._looked = now
            if self._left < 1:
                return False
            self._left -= 1
            return True

    def _count(self, reason: str) -> None:
        with self._lock:
            self._counted[Series.of(REFUSED, reason=reason)] += 1
            if self._due:
                return
            self._due = True
        later = threading.Timer(COUNT_SECONDS, self.store_counts)
        later.daemon = True
        later.start()
