"""What one dispatch and one run take of a machine: processor time, memory, connections, and what is stored and written.

    python -m benchmarks.capacity [--quick]

These are the figures that docs/scaling.md calculates with. All of it with real processes: `pact-dispatch web` and
`worker` with four runs at once, the embedded PostgreSQL on disk, the embedded broker, and a provider that takes hardly
any time. Each pact is dispatched once, and its result published. The time of a processor is that of all processes of a
part, with those that have ended. The figures go to standard output and to build/bench-capacity.json.
"""

from __future__ import annotations

import argparse
import json
import time
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
from rich.console import Console
from rich.table import Table

from benchmarks.queue import Place
from benchmarks.receiver import wait_for_all
from benchmarks.verify import pact_document
from tests.support.receiver import PROVIDER, ReceiverProcess
from verifier.report.amounts import count

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.support.processes import BrokerProcess

RESULT = Path(__file__).parents[1] / "build" / "bench-capacity.json"
INTERACTIONS = (1, 20, 100)
AT_ONCE = 4


@dataclass(frozen=True)
class Figures:
    """What a dispatch and its run took, with a pact of so many interactions.

    Attributes:
        interactions: Of the pact.
        runs: How many were measured.
        runs_per_second: Carried out, with four at once.
        web_ms: Processor time of the web side for a dispatch.
        worker_ms: Of the worker and its children for a run.
        postgres_ms: Of PostgreSQL for both.
        stored_kb: How much the database has grown for each.
        written_kb: How much PostgreSQL has written ahead (WAL) for each.
        web_mb: Memory of the web side: the proportional set of all its processes.
        worker_mb: Of the worker alone.
        child_mb: Of what verifies one run.
        connections: Of the web side and the worker to the database, at most.
    """

    interactions: int
    runs: int
    runs_per_second: float
    web_ms: float
    worker_ms: float
    postgres_ms: float
    stored_kb: float
    written_kb: float
    web_mb: float
    worker_mb: float
    child_mb: float
    connections: int


def measure(interactions: int, runs: int) -> Figures:
    """Dispatch so many pacts of so many interactions, and measure what that takes."""
    with ExitStack() as stack:
        place = Place(stack)
        pacts = list(publish(place.broker, interactions, runs + AT_ONCE))
        config = place.configuration(0, concurrency=AT_ONCE).replace(
            "[[providers]]", "[[providers]]\nparallel = true", 1
        )
        web = stack.enter_context(place.process("web", config))
        worker = stack.enter_context(place.process("worker", config))
        for pact in pacts[:AT_ONCE]:  # the first ones of a process make its connections and its children
            assert web.dispatch(pact).status_code == 204
        wait_for_all(web, AT_ONCE)
        before = state(place, web, worker)
        began = time.perf_counter()
        most = 0
        for pact in pacts[AT_ONCE:]:
            assert web.dispatch(pact).status_code == 204
            most = max(most, connections(place))
        of_web, of_worker, children = memory(web), memory(worker, alone=True), memory(worker)
        at_once = len(psutil.Process(process_id(worker)).children())
        wait_for_all(web, runs + AT_ONCE)
        seconds = time.perf_counter() - began
        used = {name: value - before[name] for name, value in state(place, web, worker).items()}
    return Figures(
        interactions=interactions,
        runs=runs,
        runs_per_second=runs / seconds,
        web_ms=1000 * used["web"] / runs,
        worker_ms=1000 * used["worker"] / runs,
        postgres_ms=1000 * used["postgres"] / runs,
        stored_kb=used["stored"] / runs / 1000,
        written_kb=used["written"] / runs / 1000,
        web_mb=of_web,
        worker_mb=of_worker,
        child_mb=(children - of_worker) / max(at_once, 1),
        connections=most,
    )


def publish(broker: BrokerProcess, interactions: int, number: int) -> Iterable[str]:
    """Publish so many pacts, of a consumer each, and return their URLs."""
    document = pact_document(interactions)
    for index in range(number):
        consumer = f"Storefront {index}"
        broker.publish({**document, "consumer": {"name": consumer}}, "1")
        yield f"{broker.url}/pacts/provider/{PROVIDER}/consumer/{consumer.replace(' ', '%20')}/version/1"


def state(place: Place, web: ReceiverProcess, worker: ReceiverProcess) -> dict[str, float]:
    """Return what was used so far: seconds of a processor, and bytes."""
    place.connection.execute("CHECKPOINT")
    row = place.connection.execute(
        "SELECT pg_database_size(current_database())::float, pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::float"
    ).fetchone()
    assert row is not None
    return {
        "web": seconds_of(family(web)),
        "worker": seconds_of(family(worker)),
        "postgres": seconds_of(servers(place)),
        "stored": row[0],
        "written": row[1],
    }


def servers(place: Place) -> list[psutil.Process]:
    """Return the processes of the embedded PostgreSQL."""
    row = place.connection.execute("SELECT pg_backend_pid()").fetchone()
    assert row is not None
    postmaster = psutil.Process(row[0]).parent()
    assert postmaster is not None
    return [postmaster, *postmaster.children()]


def process_id(process: ReceiverProcess) -> int:
    """Return the id of a process that was started."""
    assert process.process is not None
    return process.process.pid


def family(process: ReceiverProcess) -> list[psutil.Process]:
    """Return a process with all that it has started."""
    return [psutil.Process(process_id(process)), *process.descendants()]


def seconds_of(processes: Iterable[psutil.Process]) -> float:
    """Return the seconds of a processor that processes have used, and their children that have ended."""
    return sum(sum(process.cpu_times()[:4]) for process in processes)


def memory(process: ReceiverProcess, *, alone: bool = False) -> float:
    """Return the MB of a process with all that it has started: what they share counts once."""
    processes = family(process)[: 1 if alone else None]
    found = 0.0
    for one in processes:
        try:
            found += getattr(one.memory_full_info(), "pss", 0) / 1e6
        except psutil.NoSuchProcess:
            continue
    return found


def connections(place: Place) -> int:
    """Return the connections to the database, but for this one."""
    row = place.connection.execute(
        "SELECT count(*) - 1 FROM pg_stat_activity "
        "WHERE datname = current_database() AND backend_type = 'client backend'"
    ).fetchone()
    assert row is not None
    return int(row[0])


def show(found: list[Figures], console: Console) -> None:
    """Print the figures."""
    table = Table(
        "", *(count(one.interactions, "interaction") for one in found), title="A dispatch and its run"
    )
    rows: tuple[tuple[str, str, str], ...] = (
        ("runs per second, four at once", "runs_per_second", "{:.1f}"),
        ("processor time: web", "web_ms", "{:.1f} ms"),
        ("worker with its children", "worker_ms", "{:.0f} ms"),
        ("PostgreSQL", "postgres_ms", "{:.1f} ms"),
        ("stored", "stored_kb", "{:.1f} KB"),
        ("written ahead (WAL)", "written_kb", "{:.1f} KB"),
        ("memory: web, all processes", "web_mb", "{:.0f} MB"),
        ("worker alone", "worker_mb", "{:.0f} MB"),
        ("what verifies one run", "child_mb", "{:.0f} MB"),
        ("connections to the database", "connections", "{}"),
    )
    for text, name, shown in rows:
        table.add_row(text, *(shown.format(getattr(one, name)) for one in found))
    console.print(table)


def main() -> None:
    """Measure, and print the figures."""
    parser = argparse.ArgumentParser(description="Measure what a dispatch and its run take of a machine.")
    parser.add_argument("--quick", action="store_true", help="fewer runs")
    options = parser.parse_args()
    console = Console()
    found = [measure(interactions, 40 if options.quick else 400) for interactions in INTERACTIONS]
    show(found, console)
    figures: list[dict[str, Any]] = [asdict(one) for one in found]
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    console.print(f"Written to {RESULT}")


if __name__ == "__main__":
    main()
