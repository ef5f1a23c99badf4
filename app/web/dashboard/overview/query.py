"""What the overview reads of the history and of the queue: each statement reads so many rows at most."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from psycopg.rows import class_row

from app.queue.state import QueueState
from app.records import outcomes, processes, sightings
from app.records.outcomes import LatestResult, Step
from app.web.dashboard.overview.troubles import Troubles, read_troubles

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from datetime import datetime
    from uuid import UUID

    from psycopg import Connection

    from app.records.processes import ReceiverProcess
    from app.records.sightings import Seen, Sighting

HOURS, DAYS = 24, 30
"""How far the charts go back."""
MOST_TIMED = 1000
"""The latest runs that the times to a result are those of."""
MOST_TIMED_OF_PROVIDER = 200
RESULTS_OF_PROVIDER = 6
"""The consumers of a provider that are shown."""
PER_PAGE = 20
"""The providers that a page shows."""
MOST_REFUSED = 5
"""The refused deliveries that are shown."""


@dataclass(frozen=True)
class Times:
    """How long results took, from the request until the broker had them.

    Attributes:
        number: How many there were.
        median: Seconds.
        p95: Seconds.
    """

    number: int
    median: float
    p95: float


@dataclass(frozen=True)
class Provider:
    """A provider, as the overview tells of it.

    Attributes:
        name: Its name.
        configured: Whether it is in the configuration.
        consumers: The number of consumers with a result.
        broken: How many of them it is broken for.
        errors: How many could not be verified the last time.
        waiting: Its runs that wait.
        running: Its runs that run.
        oldest: When the oldest of those that wait was asked for.
        paused: Whether its runs are held back.
        results: The latest result of each consumer, as far as they are shown.
        times: How long its results of the day took; None if there is none.
    """

    name: str
    configured: bool = True
    consumers: int = 0
    broken: int = 0
    errors: int = 0
    waiting: int = 0
    running: int = 0
    oldest: datetime | None = None
    paused: bool = False
    results: list[LatestResult] = field(default_factory=list)
    times: Times | None = None

    @property
    def shown(self) -> int:
        """How many consumers are shown."""
        return sum(result.consumer != outcomes.EVERY_PACT for result in self.results)

    @property
    def rank(self) -> tuple[int, str]:
        """Its place in the list: those with something first, then by name."""
        urgent = (self.broken, self.errors, not self.configured or self.paused, self.waiting, self.running)
        first = next((place for place, there_is in enumerate(urgent) if there_is), len(urgent))
        return first, self.name.casefold()


@dataclass(frozen=True)
class ProviderPage:
    """Some of the providers.

    Attributes:
        items: Those of this page.
        number: The number of the page, from 1.
        pages: How many pages there are.
        total: How many providers there are, of those that were searched for.
    """

    items: list[Provider]
    number: int
    pages: int
    total: int


@dataclass(frozen=True)
class RefusedDelivery:
    """A delivery that was refused.

    Attributes:
        id: Its id.
        received_at: When it came.
        sender: The name of the token that it came with, if any.
        address: The address that it came from.
        refusal: The reason, in a word.
        detail: The reason, in a sentence.
    """

    id: UUID
    received_at: datetime
    sender: str | None
    address: str | None
    refusal: str
    detail: str | None


@dataclass(frozen=True)
class Overview:
    """All that the overview shows.

    Attributes:
        state: The state of the queue.
        troubles: What needs attention.
        seen: What workers saw of the broker and of GitHub.
        refusing: The processes that were told to take a configuration with a mistake, and keep what they had.
        times: How long the results of the day took; None if there is none.
        hours: The number of runs by the begin of the hour and the outcome.
        days: The number of runs by the begin of the day and the outcome.
        providers: Some of the providers.
        refused: The newest deliveries that were refused.
    """

    state: QueueState
    troubles: Troubles
    seen: Mapping[Seen, Sighting]
    refusing: list[ReceiverProcess]
    times: Times | None
    hours: Mapping[tuple[datetime, str], int]
    days: Mapping[tuple[datetime, str], int]
    providers: ProviderPage
    refused: list[RefusedDelivery]


def read(
    connection: Connection[Any],
    configured: Collection[str],
    *,
    stalled_seconds: float,
    now: datetime,
    search: str,
    page: int,
) -> Overview:
    """Read the overview.

    Args:
        connection: The open connection.
        configured: The names of the providers in the configuration.
        stalled_seconds: After so long without a heartbeat a worker is dead.
        now: The time, in UTC.
        search: What the names of the providers contain that are shown.
        page: The number of the page of providers.
    """
    hour = now.replace(minute=0, second=0, microsecond=0)
    known = frozenset(configured)
    providers = _all_providers(connection, known)
    unknown = sorted(one.name for one in providers if one.waiting and not one.configured)
    return Overview(
        state=QueueState.read(connection, stalled_seconds=stalled_seconds),
        troubles=read_troubles(connection, known, unknown),
        seen=sightings.read(connection),
        refusing=[process for process in processes.present(connection) if process.refused],
        times=_times(connection),
        hours=outcomes.by_time(connection, Step.HOUR, since=hour - timedelta(hours=HOURS - 1)),
        days=outcomes.by_time(connection, Step.DAY, since=hour.replace(hour=0) - timedelta(days=DAYS - 1)),
        providers=_page(connection, providers, search=search, number=page),
        refused=_refused(connection),
    )


def _page(connection: Connection[Any], found: list[Provider], *, search: str, number: int) -> ProviderPage:
    """Return some of the providers, with their results."""
    if search:
        found = [one for one in found if search.casefold() in one.name.casefold()]
    found = sorted(found, key=lambda one: one.rank)
    pages = max(1, -(-len(found) // PER_PAGE))
    number = min(max(number, 1), pages)
    shown = found[(number - 1) * PER_PAGE : number * PER_PAGE]
    names = [one.name for one in shown]
    results = outcomes.latest(connection, names, most=RESULTS_OF_PROVIDER)
    times = _times_of(connection, names)
    items = [replace(one, results=results.get(one.name, []), times=times.get(one.name)) for one in shown]
    return ProviderPage(items, number, pages, len(found))


def _all_providers(connection: Connection[Any], configured: frozenset[str]) -> list[Provider]:
    """Return those that are configured, and those that there are results or open runs of."""
    facts: dict[str, dict[str, Any]] = defaultdict(dict)
    for name in configured:
        facts[name] = {}
    for name, consumers, broken, errors in connection.execute(
        """
        SELECT provider, count(*) FILTER (WHERE consumer <> ''),
            count(*) FILTER (WHERE broken AND consumer <> ''), count(*) FILTER (WHERE outcome = 'error')
        FROM latest_results GROUP BY provider
        """
    ).fetchall():
        facts[name] |= {"consumers": consumers, "broken": broken, "errors": errors}
    for name, waiting, running, oldest in connection.execute(
        """
        SELECT provider, count(*) FILTER (WHERE status = 'waiting'), count(*) FILTER (WHERE status = 'running'),
            min(created_at) FILTER (WHERE status = 'waiting')
        FROM runs WHERE status IN ('waiting', 'running') GROUP BY provider
        """
    ).fetchall():
        facts[name] |= {"waiting": waiting, "running": running, "oldest": oldest}
    for (name,) in connection.execute("SELECT provider FROM paused_providers"):
        facts[name]["paused"] = True
    return [Provider(name, configured=name in configured, **values) for name, values in facts.items()]


def _times(connection: Connection[Any]) -> Times | None:
    """Return how long the latest results of the last 24 hours took."""
    row = connection.execute(
        """
        SELECT count(*), percentile_cont(ARRAY[0.5, 0.95]) WITHIN GROUP (
            ORDER BY extract(epoch FROM finished_at - created_at)::float8)
        FROM (
            SELECT outcome, publishing, created_at, finished_at FROM runs
            WHERE created_at > now() - interval '24 hours'
            ORDER BY created_at DESC, id DESC LIMIT %(most)s) AS latest
        WHERE outcome IN ('passed', 'failed') AND publishing = 'published' AND finished_at IS NOT NULL
        """,
        {"most": MOST_TIMED},
    ).fetchone()
    return Times(row[0], *row[1]) if row and row[0] else None


def _times_of(connection: Connection[Any], providers: Iterable[str]) -> dict[str, Times]:
    """Return the same of each of some providers."""
    rows = connection.execute(
        """
        SELECT name, count(*), percentile_cont(ARRAY[0.5, 0.95]) WITHIN GROUP (
            ORDER BY extract(epoch FROM finished_at - created_at)::float8)
        FROM unnest(%(providers)s::text[]) AS named (name) CROSS JOIN LATERAL (
            SELECT outcome, publishing, created_at, finished_at FROM runs
            WHERE provider = name AND created_at > now() - interval '24 hours'
            ORDER BY created_at DESC LIMIT %(most)s) AS latest
        WHERE outcome IN ('passed', 'failed') AND publishing = 'published' AND finished_at IS NOT NULL GROUP BY name
        """,
        {"providers": list(providers), "most": MOST_TIMED_OF_PROVIDER},
    )
    return {name: Times(number, *seconds) for name, number, seconds in rows}


def _refused(connection: Connection[Any]) -> list[RefusedDelivery]:
    """Return the newest deliveries that were refused."""
    with connection.cursor(row_factory=class_row(RefusedDelivery)) as cursor:
        return cursor.execute(
            """
            SELECT id, received_at, sender, address, refusal, detail FROM deliveries
            WHERE refusal IS NOT NULL ORDER BY received_at DESC, id DESC LIMIT %(most)s
            """,
            {"most": MOST_REFUSED},
        ).fetchall()
