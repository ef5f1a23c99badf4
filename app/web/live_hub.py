"""The changes that PostgreSQL notifies this process of, and the open pages that they concern.

One connection listens for all pages of a process, as long as there are any. Whatever was missed while it was away is
made up for: every page is told that something may have changed when it is there again. So is a page that was made
before a change, and that asks to be told after it.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections import deque
from contextlib import contextmanager
from itertools import count
from typing import TYPE_CHECKING

import psycopg
import structlog

from app.database.connections import connection_options

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

CHANNEL = "pact_dispatch_pages"
"""The channel of the notifications, as in `0010_dashboard.sql`."""
CHECK_SECONDS = 10.0
"""How often it is checked that the database is still there, and that there are pages."""
RECONNECT_SECONDS = 2.0
PAGES_PER_SECOND = 100
"""How many pages are told of a change in a second, at most, one after another: each one asks for its new content
then, and all at once would hold up what comes meanwhile."""
LATE_SECONDS = 0.02
"""By how much later than its turn a page is woken where others wait too long for the process."""
LONGEST_GAP = 0.1
"""The longest time between the turns of two pages, in seconds."""
SHORTEST_SECONDS = 0.5
"""The shortest time between two events of a page."""

KEPT_CHANGES = 2000
"""How many changes are remembered, for pages that were made before them and ask after them."""
CLOCKS_SECONDS = 5.0
"""By how much the clocks of the machines that make pages may differ."""

log = structlog.get_logger("web")


class TooManyPages(Exception):
    """There are as many open pages as this process serves, or half as many of the one who opens another one."""


class Subscription:
    """An open page.

    Args:
        topics: What it shows.
        hub: The hub that it belongs to.
        of: Who has it open.
    """

    def __init__(self, topics: Collection[str], hub: LiveHub, of: str) -> None:
        self.topics = frozenset(topics)
        self.of = of
        self._hub = hub
        self._changed = threading.Event()
        self._change = ""
        self._last = 0.0

    def tell(self, change: str) -> None:
        """Note that something that it shows has changed."""
        self._change = change
        self._changed.set()

    def wait(self, seconds: float) -> str | None:
        """Wait for a change, and return its name; None if there was none.

        Several changes that follow each other closely are one, with the name of the last.
        """
        if not self._changed.wait(seconds):
            return None
        self._hub.stopping.wait(max(0.0, self._last + SHORTEST_SECONDS - time.monotonic()))
        seconds = self._hub.turns.seconds_to_wait(time.monotonic())
        turn = time.monotonic() + seconds
        self._hub.stopping.wait(seconds)
        self._hub.turns.note_delay(time.monotonic() - turn)
        self._changed.clear()
        self._last = time.monotonic()
        return self._change


class Turns:
    """The turns in which pages are told of changes: further apart where the process is busy, or the machine is."""

    def __init__(self) -> None:
        self._next = 0.0
        self._gap = 1 / PAGES_PER_SECOND

    def seconds_to_wait(self, now: float) -> float:
        """Return how long a page has to wait for its turn, from now."""
        turn = max(now, self._next)
        self._next = turn + self._gap
        return turn - now

    def note_delay(self, seconds: float) -> None:
        """Note how much later than its turn a page was woken: a dispatch that came then waited for as long."""
        if seconds > LATE_SECONDS:
            self._gap = min(LONGEST_GAP, self._gap * 1.25)
        else:
            self._gap = max(1 / PAGES_PER_SECOND, self._gap * 0.95)


class LiveHub:
    """Tells the open pages of a process what has changed.

    Args:
        conninfo: The database.
        most: How many pages it serves, at most.
    """

    def __init__(self, conninfo: str, *, most: int) -> None:
        self._conninfo = conninfo
        self._most = most
        self._lock = threading.Lock()
        self._subscriptions: set[Subscription] = set()
        self._listens = False
        self._recent: deque[tuple[float, frozenset[str]]] = deque(maxlen=KEPT_CHANGES)
        self._complete_since: float | None = None
        self.turns = Turns()
        prefix = secrets.token_hex(6)
        self._changes = map(f"{prefix}-{{}}".format, count(1))
        self.stopping = threading.Event()

    def __len__(self) -> int:
        return len(self._subscriptions)

    @contextmanager
    def subscribed(self, topics: Collection[str], *, of: str, since: float = 0.0) -> Iterator[Subscription]:
        """Have a page told of changes for the length of a `with` block.

        Args:
            topics: What it shows.
            of: Who has it open: nobody takes more than half of the pages that this process serves.
            since: The `time.time()` at which it was made.

        Raises:
            TooManyPages: There are too many.
        """
        subscription = Subscription(topics, self, of)
        with self._lock:
            own = sum(one.of == of for one in self._subscriptions)
            if len(self._subscriptions) >= self._most or own >= (self._most + 1) // 2:
                raise TooManyPages
            self._subscriptions.add(subscription)
            if not self._listens:
                self._listens = True
                threading.Thread(target=self._listen, name="live pages", daemon=True).start()
            if self._has_changed(subscription.topics, since - CLOCKS_SECONDS):
                subscription.tell(secrets.token_hex(6))
        try:
            yield subscription
        finally:
            with self._lock:
                self._subscriptions.discard(subscription)

    def _has_changed(self, topics: frozenset[str], since: float) -> bool:
        """Return whether what a page shows may have changed since a time; what the start of listening tells counts."""
        if self._complete_since is None:
            return False
        if since < self._complete_since:
            return True
        return any(at >= since and not topics.isdisjoint(changed) for at, changed in self._recent)

    def close(self) -> None:
        """End all pages' events, since the process stops."""
        self.stopping.set()
        self._tell_all()

    def _listen(self) -> None:
        while not self.stopping.is_set():
            with self._lock:
                if not self._subscriptions:
                    self._listens = False
                    return
            try:
                self._listen_once()
            except psycopg.Error as error:
                log.warning("pages are not told of changes", error=type(error).__name__)
                self.stopping.wait(RECONNECT_SECONDS)
            except Exception:
                log.exception("pages are not told of changes")
                self.stopping.wait(RECONNECT_SECONDS)

    def _listen_once(self) -> None:
        """Listen until there are no pages any more.

        Raises:
            psycopg.Error: The database is away.
        """
        options = connection_options(self._conninfo)
        with psycopg.connect(self._conninfo, autocommit=True, **options) as connection:
            connection.execute(f"LISTEN {CHANNEL}".encode())
            self._complete_since = time.time()
            self._tell_all()
            try:
                while self._subscriptions and not self.stopping.is_set():
                    for notification in connection.notifies(timeout=CHECK_SECONDS, stop_after=1):
                        self._tell(topics_of(notification.payload))
                    connection.execute("SELECT 1")
            finally:
                self._complete_since = None
                self._recent.clear()

    def _tell(self, topics: Collection[str]) -> None:
        if len(self._recent) == KEPT_CHANGES:
            self._complete_since = self._recent[0][0] + CLOCKS_SECONDS
        self._recent.append((time.time(), frozenset(topics)))
        change = next(self._changes)
        for subscription in list(self._subscriptions):
            if not subscription.topics.isdisjoint(topics):
                subscription.tell(change)

    def _tell_all(self) -> None:
        change = secrets.token_hex(6)
        for subscription in list(self._subscriptions):
            subscription.tell(change)


def topics_of(payload: str) -> frozenset[str]:
    """Return what a notification is about; `0010_dashboard.sql` has their forms."""
    kind, _, rest = payload.partition(" ")
    first, _, second = rest.partition(" ")
    if kind == "run":
        return frozenset({"runs", f"run {first}", f"provider {second}"})
    if kind == "delivery":
        return frozenset({"deliveries", f"run {first}"})
    if kind == "log":
        return frozenset({f"log {first}"})
    return frozenset({"runs", f"provider {second}"})
