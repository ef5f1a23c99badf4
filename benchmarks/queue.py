"""The queue: what it costs as it grows, and how soon a dispatch is carried out beside the backlogs of others.

    python -m benchmarks.queue [--quick] [--only costs|fairness]

All of it with real processes: `pact-dispatch web` and `worker`, the embedded PostgreSQL on disk, the embedded broker,
and a provider that takes hardly any time. The figures go to standard output and to build/bench-queue.json.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
from rich.console import Console
from rich.table import Table

from app.database.connections import database
from benchmarks import backlog
from benchmarks.accept_load import hammer
from benchmarks.receiver import folder, plain_provider
from benchmarks.verify import pact_document
from tests.support.processes import BrokerProcess
from tests.support.receiver import PROVIDER, REPOSITORY, TOKEN, ReceiverProcess, configuration

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from psycopg import Connection

RESULT = Path(__file__).parents[1] / "build" / "bench-queue.json"
PROVIDERS = (1, 10, 100, 1_000)
WAITING = (0, 10_000, 100_000)
CLIENTS = 4
LIMIT_MS = 5.0
"""Of taking a run and ending it, at the median, whatever waits."""
FAIR_MS = 1_000.0
"""From accepted to started at most, beside a backlog: as long as a run of another provider takes, and a moment."""
PATIENCE = 120.0


class Place:
    """A database and a broker with one pact, for all parts of a benchmark."""

    def __init__(self, stack: ExitStack) -> None:
        self.folder = stack.enter_context(folder())
        self.broker = stack.enter_context(BrokerProcess(self.folder))
        self.broker.publish(pact_document(1), "1")
        self.pact = f"{self.broker.url}/pacts/provider/{PROVIDER}/consumer/Storefront/version/1"
        self.provider = stack.enter_context(plain_provider())
        self.database = stack.enter_context(database(None, self.folder))
        self.connection: Connection[Any] = stack.enter_context(
            psycopg.connect(self.database, autocommit=True)
        )

    def configuration(self, backlogs: int, *, concurrency: int = 2, **keys: Any) -> str:
        """Return a configuration with the provider that is measured, and those of the backlog."""
        running = {"base_url": self.provider, "version": "abc123", "branch": "main"}
        others = (
            {
                **running,
                **keys,
                "name": f"{backlog.NAME} {number}",
                "repository": f"acme/backlog-{number}",
            }
            for number in range(backlogs)
        )
        return configuration(self.broker.url, running, *others, worker={"concurrency": concurrency})

    @contextmanager
    def process(self, command: str, config: str) -> Iterator[ReceiverProcess]:
        """Run the web side or a worker."""
        place = self.folder / command
        place.mkdir(exist_ok=True)
        place.chmod(0o755)
        with ReceiverProcess(place, config, command=command, database_url=self.database) as process:
            yield process

    def dispatch(self, web: ReceiverProcess) -> dict[str, float]:
        """Dispatch, wait for the result, and return when it had started and was published, in ms since it came."""
        assert web.dispatch(self.pact).status_code == 204
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            row = self.connection.execute(
                "SELECT 1000 * extract(epoch FROM started_at - created_at)::float, "
                "1000 * extract(epoch FROM finished_at - created_at)::float, publishing = 'published' FROM runs "
                "WHERE provider = %s ORDER BY created_at DESC LIMIT 1",
                [PROVIDER],
            ).fetchone()
            if row is not None and row[1] is not None:
                assert row[2], "the run has no result"
                return {"started": row[0], "published": row[1]}
            time.sleep(0.005)
        raise AssertionError("the run has not ended")


def costs(quick: bool, console: Console) -> list[dict[str, Any]]:  # noqa: FBT001
    """Measure the queue at each size."""
    seconds, times, results = (0.5, 20, 5) if quick else (2.0, 100, 25)
    figures: list[dict[str, Any]] = []
    with ExitStack() as stack:
        place = Place(stack)
        for providers in PROVIDERS[::3] if quick else PROVIDERS:
            config = place.configuration(providers)
            with place.process("web", config) as web:
                other = stack.enter_context(backlog.OtherMachine(place.database))
                for waiting in WAITING:
                    figures.append(
                        {
                            "providers": providers,
                            "waiting": waiting,
                            **_at(place, web, other, config, providers, waiting, (seconds, times, results)),
                        }
                    )
                    console.print(f"{providers:,} providers, {waiting:,} waiting: measured", style="dim")
    _print_costs(figures, console)
    return figures


def _at(
    place: Place,
    web: ReceiverProcess,
    other: backlog.OtherMachine,
    config: str,
    providers: int,
    waiting: int,
    amounts: tuple[float, int, int],
) -> dict[str, Any]:
    """Measure at one size."""
    seconds, times, results = amounts
    backlog.empty(place.connection)
    backlog.fill(place.connection, providers=providers, runs=waiting, pact=place.pact)
    found: dict[str, Any] = backlog.costs(place.connection, f"{backlog.NAME} 0", times)
    path = f"/repos/{REPOSITORY}/dispatches"
    port = int(web.url.rsplit(":", 1)[1])
    accepted = hammer(port, path, TOKEN, CLIENTS, seconds, broker=place.broker.url)
    found["accepted_per_second"], found["accepted_p99_ms"] = accepted.per_second, accepted.p99_ms
    place.connection.execute(
        "DELETE FROM procrastinate_jobs USING runs WHERE job_id = procrastinate_jobs.id AND runs.provider = %s",
        [PROVIDER],
    )
    place.connection.execute("DELETE FROM runs WHERE provider = %s", [PROVIDER])
    found["busy"] = other.take_all(place.connection)
    found |= backlog.costs_of_nothing(place.connection, times)
    with place.process("worker", config):
        place.dispatch(web)  # the first one of a process makes its connections
        taken = sorted(place.dispatch(web)["published"] for _ in range(results))
    found["result_p50_ms"], found["result_p99_ms"] = statistics.median(taken), taken[-1]
    return found


def _print_costs(figures: list[dict[str, Any]], console: Console) -> None:
    table = Table(
        *(
            "providers",
            "waiting",
            "accepted/s",
            "p99",
            "to the result, p50",
            "p99",
            "take + end",
            "nothing to take",
            "as it was",
        ),
        title=f"The queue as it grows ({CLIENTS} clients; a run of each provider is carried out elsewhere)",
    )
    work = ("promote", "recover", "state", "lines", "of provider")
    more = Table("providers", "waiting", *work, title="What is read and done now and then, in ms")
    for figure in figures:
        size = (f"{figure['providers']:,}", f"{figure['waiting']:,}")
        table.add_row(
            *size,
            f"{figure['accepted_per_second']:.0f}",
            f"{figure['accepted_p99_ms']:.0f} ms",
            f"{figure['result_p50_ms']:.0f} ms",
            f"{figure['result_p99_ms']:.0f} ms",
            f"{figure['take'] + figure['end']:.2f} ms",
            f"{figure['take nothing']:.2f} ms",
            f"{figure['procrastinate']:.1f} ms",
        )
        more.add_row(*size, *(f"{figure[name]:.1f}" for name in work))
    console.print(table)
    console.print(
        "take + end: of a job, without the disk; nothing to take: the provider of each job that waits has one running;"
        " as it was: Procrastinate's own function finds that",
        style="dim",
    )
    console.print(more)
    most = max(figure["take"] + figure["end"] for figure in figures)
    verdict = "ok" if most < LIMIT_MS else "NOT ok"
    console.print(
        f"Taking and ending a run: {most:.2f} ms where it costs most (limit {LIMIT_MS:g} ms: {verdict})"
    )


def fairness(quick: bool, console: Console) -> list[dict[str, Any]]:  # noqa: FBT001
    """Measure how soon a provider's dispatch is started while another one has a backlog that is carried out."""
    runs, results = (2_000, 5) if quick else (10_000, 20)
    cases: dict[str, dict[str, Any] | None] = {
        "an empty queue": None,
        f"{runs:,} runs of another provider": {},
        f"{runs:,} runs of a parallel provider": {"parallel": True},
        "the same, with max_runs = 1 beside 2 slots": {"parallel": True, "max_runs": 1},
    }
    figures: list[dict[str, Any]] = []
    with ExitStack() as stack:
        place = Place(stack)
        for name, keys in cases.items():
            config = place.configuration(0 if keys is None else 1, **(keys or {}))
            with place.process("web", config) as web:
                backlog.empty(place.connection)
                if keys is not None:
                    backlog.fill(
                        place.connection, providers=1, runs=runs, pact=place.pact, parallel="parallel" in keys
                    )
                with place.process("worker", config):
                    place.dispatch(web)
                    started = sorted(place.dispatch(web)["started"] for _ in range(results))
                done = place.connection.execute(
                    "SELECT count(*) FROM runs WHERE provider <> %s AND status = 'finished'", [PROVIDER]
                ).fetchone()
            figures.append(
                {
                    "beside": name,
                    "p50_ms": statistics.median(started),
                    "max_ms": started[-1],
                    "of the backlog meanwhile": done[0] if done else 0,
                }
            )
    table = Table("beside", "p50", "at most", "ended of the backlog", "", title="From accepted to started")
    for figure in figures:
        verdict = "ok" if figure["max_ms"] < FAIR_MS else "NOT ok"
        table.add_row(
            figure["beside"],
            f"{figure['p50_ms']:.0f} ms",
            f"{figure['max_ms']:.0f} ms",
            str(figure["of the backlog meanwhile"]),
            f"limit {FAIR_MS:g} ms: {verdict}",
        )
    console.print(table)
    return figures


PARTS: dict[str, Callable[[bool, Console], Any]] = {"costs": costs, "fairness": fairness}


def main() -> None:
    """Measure, and print the figures."""
    parser = argparse.ArgumentParser(description="Time the queue, empty and with 100,000 runs that wait.")
    parser.add_argument("--quick", action="store_true", help="a short look at everything")
    parser.add_argument("--only", choices=PARTS, help="measure one thing alone")
    options = parser.parse_args()
    console = Console(width=None if sys.stdout.isatty() else 120)
    figures = {
        name: part(options.quick, console) for name, part in PARTS.items() if options.only in {None, name}
    }
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    console.print(f"Written to {RESULT}")


if __name__ == "__main__":
    main()
