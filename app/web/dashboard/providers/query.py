"""What the pages of providers read."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from psycopg.rows import class_row

from app.config.provider import CheckoutProvider, CommandProvider, RelayedProvider, RunningProvider
from app.records import pauses
from app.records.run import Publishing, RunStatus

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime
    from uuid import UUID

    from psycopg import Connection

    from app.config.provider import ProviderSettings
    from app.config.settings import Settings
    from app.records.pauses import Pause

KINDS: dict[type, str] = {
    RunningProvider: "runs already",
    CommandProvider: "started by a command",
    CheckoutProvider: "checked out and started",
    RelayedProvider: "passed on to GitHub",
}
"""What the kinds of providers are called."""
MOST_RUNS = 2000
"""The newest runs of a provider that its matrix is made of."""
MOST_VERSIONS = 8
"""The columns of the matrix."""
MOST_CONSUMERS = 100
"""The rows of the matrix."""


@dataclass(frozen=True)
class LatestRun:
    """The latest run of a provider, in a few words.

    Attributes:
        provider: The provider.
        id: Its id.
        status: Where it stands.
        outcome: Its outcome; None if it has none.
        consumer: Its consumer, if it is for one pact.
        created_at: When it was asked for.
    """

    provider: str
    id: UUID
    status: str
    outcome: str | None
    consumer: str | None
    created_at: datetime

    @property
    def word(self) -> str:
        """Its outcome, or where it stands."""
        return (self.outcome or "passed on") if self.status == RunStatus.FINISHED else self.status


@dataclass(frozen=True)
class ProviderRow:
    """A provider in the list.

    Attributes:
        name: Its name.
        settings: Its configuration; None if it is in the history alone.
        pause: Its pause; None if it is not paused.
        latest: Its latest run; None if it has none.
        waiting: How many of its runs wait.
        running: How many of them run.
    """

    name: str
    settings: ProviderSettings | None
    pause: Pause | None
    latest: LatestRun | None
    waiting: int
    running: int

    @property
    def kind(self) -> str:
        """What kind of provider it is."""
        return kind_of(self.settings)

    @property
    def path(self) -> str:
        """The path of its page."""
        return f"/providers/{quote(self.name, safe='')}"


@dataclass(frozen=True)
class ProviderPage:
    """A page of the list.

    Attributes:
        rows: Its providers, by their names.
        matching: How many there are on all pages.
        after: The name after which the next page begins; None if this is the last one.
    """

    rows: list[ProviderRow]
    matching: int
    after: str | None


@dataclass(frozen=True)
class Cell:
    """The latest result of a consumer's pact with one version of the provider.

    Attributes:
        run_id: The run that it is of.
        outcome: Its outcome.
        consumer_version: The consumer's version.
        pending: Whether a failure doesn't count.
        published: Whether the broker has it.
    """

    run_id: UUID
    outcome: str
    consumer_version: str | None
    pending: bool
    published: bool


@dataclass(frozen=True)
class ConsumerRow:
    """The results of a consumer's pacts.

    Attributes:
        consumer: Its name.
        latest_id: Its latest run with an outcome.
        latest: The outcome.
        ended_at: When that was known.
        broken: Whether its contract is broken: its latest result that is no error says so.
        cells: Its results with the newest versions of the provider, by the version.
    """

    consumer: str
    latest_id: UUID
    latest: str
    ended_at: datetime
    broken: bool
    cells: dict[str, Cell] = field(default_factory=dict)


@dataclass(frozen=True)
class Matrix:
    """The latest results of a provider.

    Attributes:
        versions: The newest versions of the provider, newest first.
        rows: A row for each consumer, by their names.
        more_consumers: How many consumers there are besides.
    """

    versions: list[str]
    rows: list[ConsumerRow]
    more_consumers: int


def kind_of(settings: ProviderSettings | None) -> str:
    """Return what kind of provider it is."""
    return "not in the configuration" if settings is None else KINDS[type(settings)]


def read_list(
    connection: Connection[Any],
    settings: Settings,
    *,
    text: str = "",
    state: str = "",
    after: str | None = None,
    limit: int,
) -> ProviderPage:
    """Read a page of the list of providers: those of the configuration, and those of the history.

    Args:
        connection: The open connection.
        settings: The configuration.
        text: What their names or repositories have in them, in any letter case.
        state: `paused`, `history` for those that are not configured, or nothing for all.
        after: The name after which the page begins.
        limit: How many it has at most.
    """
    configured = {provider.name: provider for provider in settings.providers}
    paused = {pause.provider: pause for pause in pauses.newest(connection, limit=10_000)}
    names = {*configured, *paused, *_in_history(connection)}
    if state == "paused":
        names &= paused.keys()
    elif state == "history":
        names -= configured.keys()
    wanted = text.lower()
    found = sorted(
        name
        for name in names
        if wanted in name.lower() or (name in configured and wanted in configured[name].repository.lower())
    )
    shown = [name for name in found if after is None or name > after]
    rest = len(shown) > limit
    shown = shown[:limit]
    latest = _latest_runs(connection, shown)
    open_runs = _open_runs(connection, shown)
    rows = [
        ProviderRow(
            name,
            configured.get(name),
            paused.get(name),
            latest.get(name),
            open_runs[name, RunStatus.WAITING],
            open_runs[name, RunStatus.RUNNING],
        )
        for name in shown
    ]
    return ProviderPage(rows, len(found), shown[-1] if rest else None)


def read_row(connection: Connection[Any], settings: Settings, name: str) -> ProviderRow | None:
    """Read one provider; None if neither the configuration nor the history has it."""
    found = settings.provider_named(name)
    latest = _latest_runs(connection, [name]).get(name)
    pause = pauses.of(connection, name)
    if found is None and latest is None and pause is None:
        return None
    open_runs = _open_runs(connection, [name])
    return ProviderRow(
        name, found, pause, latest, open_runs[name, RunStatus.WAITING], open_runs[name, RunStatus.RUNNING]
    )


def read_matrix(connection: Connection[Any], name: str) -> Matrix:
    """Read the latest results of a provider; those by its versions as far as its newest runs have them."""
    with connection.cursor(row_factory=class_row(ConsumerRow)) as cursor:
        consumers = cursor.execute(
            """
            SELECT consumer, run_id AS latest_id, outcome AS latest, ended_at, broken FROM latest_results
            WHERE provider = %(provider)s AND consumer <> '' ORDER BY consumer LIMIT %(limit)s
            """,
            {"provider": name, "limit": MOST_CONSUMERS},
        ).fetchall()
    number = len(consumers)
    if number == MOST_CONSUMERS:
        counted = connection.execute(
            "SELECT count(*) FROM latest_results WHERE provider = %(provider)s AND consumer <> ''",
            {"provider": name},
        ).fetchone()
        number = counted[0] if counted else number
    rows = connection.execute(
        """
        SELECT id, consumer, consumer_version, provider_version, outcome, pending, publishing
        FROM (SELECT * FROM runs WHERE provider = %(provider)s ORDER BY created_at DESC LIMIT %(limit)s) AS newest
        WHERE outcome IN ('passed', 'failed') AND provider_version IS NOT NULL AND consumer IS NOT NULL
          AND pact_url IS NOT NULL
        ORDER BY created_at DESC, id DESC
        """,
        {"provider": name, "limit": MOST_RUNS},
    ).fetchall()
    versions = list(dict.fromkeys(row[3] for row in rows))[:MOST_VERSIONS]
    shown = {one.consumer: one for one in consumers}
    for run_id, consumer, consumer_version, version, outcome, pending, publishing in rows:
        if version in versions and consumer in shown:
            cell = Cell(run_id, outcome, consumer_version, pending, publishing == Publishing.PUBLISHED)
            shown[consumer].cells.setdefault(version, cell)
    return Matrix(versions, consumers, number - len(consumers))


def _in_history(connection: Connection[Any]) -> Iterable[str]:
    """Return the providers of all runs, by a probe of the index for each: there are many runs of few providers."""
    rows = connection.execute(
        """
        WITH RECURSIVE found AS (
            (SELECT provider FROM runs ORDER BY provider LIMIT 1)
            UNION ALL
            SELECT (SELECT provider FROM runs WHERE provider > found.provider ORDER BY provider LIMIT 1)
            FROM found WHERE found.provider IS NOT NULL)
        SELECT provider FROM found WHERE provider IS NOT NULL
        """
    ).fetchall()
    return [name for (name,) in rows]


def _latest_runs(connection: Connection[Any], names: Sequence[str]) -> dict[str, LatestRun]:
    with connection.cursor(row_factory=class_row(LatestRun)) as cursor:
        found = cursor.execute(
            """
            SELECT latest.* FROM unnest(%(names)s::text[]) AS name CROSS JOIN LATERAL (
                SELECT provider, id, status, outcome, consumer, created_at FROM runs
                WHERE provider = name ORDER BY created_at DESC LIMIT 1) AS latest
            """,
            {"names": list(names)},
        ).fetchall()
    return {run.provider: run for run in found}


def _open_runs(connection: Connection[Any], names: Sequence[str]) -> Counter[tuple[str, str]]:
    rows = connection.execute(
        """
        SELECT provider, status, count(*) FROM runs
        WHERE status IN ('waiting', 'running') AND provider = ANY(%(names)s::text[]) GROUP BY provider, status
        """,
        {"names": list(names)},
    ).fetchall()
    return Counter({(provider, status): number for provider, status, number in rows})
