"""What the page of the queue reads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from app.queue import waiting, workers
from app.queue.state import QueueState
from app.records import pauses, run_moments, runs

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    from psycopg import Connection

    from app.queue.waiting import Chore, Line
    from app.queue.workers import WorkerProcess
    from app.records.pauses import Pause
    from app.records.run import Run

MOST_LINES = 50
"""So many providers are shown whose runs wait."""
MOST_WAITING = 60
"""So many waiting runs of one provider are shown."""
MOST_WORKERS = 50
MOST_RESULTS = 10


@dataclass(frozen=True)
class Queue:
    """What waits, and who works.

    Attributes:
        state: How much there is of each.
        workers: The worker processes.
        lines: The providers whose runs wait, in the order in which workers take the first one of each.
        runs: The runs that are shown, by their id: those that are carried out, and the first one of each provider.
        running: The runs that are carried out, by their provider.
        begins: When the latest attempt of each run that is carried out has begun, as far as that is known.
        pauses: The pauses of these providers.
        chores: The short jobs.
        results: The runs whose results are published next.
    """

    state: QueueState
    workers: list[WorkerProcess]
    lines: list[Line]
    runs: dict[UUID, Run]
    running: dict[str, list[Run]]
    begins: dict[UUID, datetime]
    pauses: dict[str, Pause]
    chores: list[Chore]
    results: list[tuple[Run, datetime | None]]


@dataclass(frozen=True)
class ProviderQueue:
    """The runs of a provider that wait.

    Attributes:
        waiting: The first ones, in the order in which they are taken, each with the time from when it can be.
        number: How many wait.
        running: Those that are carried out.
        begins: When the latest attempt of each of these has begun, as far as that is known.
        pause: The pause of the provider; None if there is none.
    """

    waiting: list[tuple[Run, datetime | None]]
    number: int
    running: list[Run]
    begins: dict[UUID, datetime]
    pause: Pause | None


def read(connection: Connection[Any], *, stalled_seconds: float, limits: Mapping[str, int]) -> Queue:
    """Read the queue.

    Args:
        connection: The open connection.
        stalled_seconds: After so long without a heartbeat a worker is dead.
        limits: How many runs of a provider go on at once, by the providers that have such a limit.
    """
    lines = waiting.lines(connection, most=MOST_LINES, limits=limits)
    processes = workers.read(connection, stalled_seconds=stalled_seconds, most=MOST_WORKERS)
    providers = [line.provider for line in lines]
    running = _running(connection, providers)
    of_workers = [run_id for process in processes for run_id in process.runs]
    found = runs.of_ids(connection, [*(line.first for line in lines), *of_workers])
    of_providers: dict[str, list[Run]] = {}
    for run in running:
        of_providers.setdefault(run.provider, []).append(run)
    return Queue(
        QueueState.read(connection, stalled_seconds=stalled_seconds),
        processes,
        lines,
        found,
        of_providers,
        run_moments.begins(connection, [*running, *(found[one] for one in of_workers if one in found)]),
        _pauses(connection, providers),
        waiting.chores(connection),
        _results(connection),
    )


def read_provider(connection: Connection[Any], provider: str) -> ProviderQueue:
    """Read the runs of a provider that wait."""
    jobs = waiting.of_provider(connection, provider, most=MOST_WAITING)
    found = runs.of_ids(connection, [job.run_id for job in jobs])
    row = connection.execute(
        "SELECT count(*) FROM runs WHERE status = 'waiting' AND provider = %(provider)s",
        {"provider": provider},
    ).fetchone()
    running = _running(connection, [provider])
    return ProviderQueue(
        [(found[job.run_id], job.due) for job in jobs if job.run_id in found],
        row[0] if row else 0,
        running,
        run_moments.begins(connection, running),
        _pauses(connection, [provider]).get(provider),
    )


def _running(connection: Connection[Any], providers: Iterable[str]) -> list[Run]:
    return runs.select_many(
        connection,
        "SELECT {columns} FROM runs WHERE status = 'running' AND provider = ANY(%(providers)s) "
        "ORDER BY started_at, id LIMIT 200",
        providers=list(providers),
    )


def _pauses(connection: Connection[Any], providers: Sequence[str]) -> dict[str, Pause]:
    found = pauses.newest(connection, providers, limit=len(providers))
    return {pause.provider: pause for pause in found}


def _results(connection: Connection[Any]) -> list[tuple[Run, datetime | None]]:
    due = waiting.results(connection, most=MOST_RESULTS)
    found = runs.of_ids(connection, [job.run_id for job in due])
    return [(found[job.run_id], job.due) for job in due if job.run_id in found]
