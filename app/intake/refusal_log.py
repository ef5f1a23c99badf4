"""The log of requests that are not carried out; nobody can fill the disk with them.

Those without credentials have one quota, and each sender with credentials has one too: of refusals and repetitions that
are stored one by one, and of their bodies. What is beyond it is counted. Where the database is slow, a flood of them
has but a part of the connections, so that dispatches are stored all the same.
"""

from __future__ import annotations

import json
import threading
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import psycopg
import structlog

from app.database.failures import is_away
from app.intake.quota import Quota
from app.intake.redacted_payload import redacted
from app.records import counters, deliveries
from app.records.counters import REFUSED, REPEATED, Counts, Series

if TYPE_CHECKING:
    from collections.abc import Callable

    from psycopg import Connection
    from psycopg_pool import ConnectionPool

    from app.intake.refusal import Refusal
    from app.records.deliveries import IncomingDelivery, Repeated

BURST = 100
"""Requests of one sender, or of all without credentials, that one process stores in a row."""
PER_MINUTE = 10.0
"""Those that it stores in the long run."""
BODY_BYTES = 1024 * 1024
"""Bytes of their bodies that it stores in a row."""
BODY_BYTES_PER_MINUTE = 2048.0
"""Bytes that it stores in the long run: 3 MB a day."""
SHARE = 4
"""One of so many connections to the database is for what is refused or repeated."""
WAIT_SECONDS = 3.0
"""For how long one of these is waited for; without one, a request is counted alone."""
COUNT_SECONDS = 1.0
"""For how long others are counted in this process before the count is stored."""
AGAIN_SECONDS = 5.0
"""After this, a count that could not be stored is tried again."""
NOT_KEPT = " (the body is not kept: this sender has sent too many that were refused)"
WITHOUT_CREDENTIALS = "without a token or signature"

log = structlog.get_logger("web")


@dataclass(frozen=True)
class _Quotas:
    requests: Quota = field(default_factory=lambda: Quota(BURST, PER_MINUTE))
    bodies: Quota = field(default_factory=lambda: Quota(BODY_BYTES, BODY_BYTES_PER_MINUTE))


class RefusalLog:
    """The log of the requests that a web process refuses, and of those that repeat an earlier one.

    Args:
        pool: The pool of connections to the database.
    """

    def __init__(self, pool: ConnectionPool[Any]) -> None:
        self._pool = pool
        self._connections = threading.BoundedSemaphore(max(1, pool.max_size // SHARE))
        self._lock = threading.Lock()
        self._storing = threading.Lock()
        self._quotas: dict[str | None, _Quotas] = {}  # there are only so many names of tokens
        self._counts = Counts()
        self._senders: Counter[str] = Counter()
        self._timer: threading.Timer | None = None
        self._closed = False

    def add(self, delivery: IncomingDelivery, refusal: Refusal) -> None:
        """Store a refusal and log it, or count it alone.

        The request is refused whether or not it can be stored.
        """
        if refusal.status == 503:
            _log(delivery, refusal, refusal.detail)
            return
        quotas = self._quotas_of(delivery.sender)
        if not quotas.requests.take():
            self._count(Series.of(REFUSED, reason=refusal.reason), delivery.sender)
            return
        detail = refusal.detail
        if delivery.payload is not None and not quotas.bodies.take(len(json.dumps(delivery.payload))):
            delivery = replace(delivery, payload=None)
            detail = f"{detail[: deliveries.LONGEST_DETAIL - len(NOT_KEPT)]}{NOT_KEPT}"
        _log(delivery, refusal, detail)
        if not self._store_in_turn(
            lambda connection: deliveries.refuse(
                connection,
                delivery,
                status=refusal.status,
                refusal=refusal.reason,
                detail=detail,
                answer=redacted(refusal.document()),
            )
        ):
            self._count(Series.of(REFUSED, reason=refusal.reason), delivery.sender)

    def add_repetition(self, delivery: IncomingDelivery, repeated: Repeated) -> None:
        """Store a delivery that was accepted before and log it, or count it alone."""
        if not self._quotas_of(delivery.sender).requests.take():
            self._count(Series.of(REPEATED), delivery.sender)
            return
        log.warning("repeated: nothing was done", repeats=str(repeated.first_id), **_known(delivery))
        if not self._store_in_turn(lambda connection: deliveries.repeat(connection, delivery, repeated)):
            self._count(Series.of(REPEATED), delivery.sender)

    def store_counts(self) -> None:
        """Store how many were counted alone; those that can't be stored are tried again later."""
        with self._storing:
            self._store_counts()

    def close(self) -> None:
        """Store what was counted, as far as that can be done; nothing goes on by itself after this."""
        with self._lock:
            self._closed = True
            timer = self._timer
        self.store_counts()
        if timer is not None:
            timer.join()

    def _store_counts(self) -> None:
        with self._lock:
            counts, self._counts = self._counts, Counts()
            senders, self._senders = self._senders, Counter()
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
        if not counts:
            return
        if not self._store(lambda connection: counters.add(connection, counts)):
            with self._lock:
                self._counts.update(counts)
                self._senders.update(senders)
                self._store_in(AGAIN_SECONDS)
            return
        log.warning(
            "not kept one by one: too many that were refused or repeated",
            reasons={series["reason"] or series.name: number for series, number in counts.items()},
            senders=dict(senders),
        )

    def _store_in_turn(self, store: Callable[[Connection[Any]], None]) -> bool:
        if not self._connections.acquire(timeout=WAIT_SECONDS):
            log.warning("refusals not stored", error="the database is busy with others")
            return False
        try:
            return self._store(store)
        finally:
            self._connections.release()

    def _store(self, store: Callable[[Connection[Any]], None]) -> bool:
        try:
            with self._pool.connection() as connection:
                store(connection)
        except psycopg.Error as error:
            (log.warning if is_away(error) else log.exception)("refusals not stored", error=str(error))
            return False
        return True

    def _quotas_of(self, sender: str | None) -> _Quotas:
        with self._lock:
            return self._quotas.setdefault(sender, _Quotas())

    def _count(self, series: Series, sender: str | None) -> None:
        with self._lock:
            self._counts[series] += 1
            self._senders[sender or WITHOUT_CREDENTIALS] += 1
            self._store_in(COUNT_SECONDS)

    def _store_in(self, seconds: float) -> None:
        """Have the counts stored after a time; the lock is held."""
        if self._timer is None and not self._closed and not self._pool.closed:
            timer = threading.Timer(seconds, self.store_counts)
            timer.daemon = True
            try:
                timer.start()
            except (
                RuntimeError
            ) as error:  # the system has no thread left: the next that is counted tries again
                log.warning("refusals not stored", error=str(error))
                return
            self._timer = timer


def _log(delivery: IncomingDelivery, refusal: Refusal, detail: str) -> None:
    log.warning("refused", status=refusal.status, reason=refusal.reason, detail=detail, **_known(delivery))


def _known(delivery: IncomingDelivery) -> dict[str, str | None]:
    """Return what the log shows of a delivery."""
    return {
        "delivery": str(delivery.id),
        "repository": delivery.repository,
        "sender": delivery.sender,
        "address": delivery.address,
        "user_agent": delivery.user_agent,
    }
