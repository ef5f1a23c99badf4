"""Ten thousand dispatches while web processes, workers and PostgreSQL are killed: none lost, and none overlapping.

    python -m benchmarks.chaos [--quick] [--number N] [--providers N] [--every SECONDS] [--seed N]

All of it with real processes: `pact-dispatch serve` with two workers, which starts again what was killed, the embedded
PostgreSQL on disk, the embedded broker, and providers that write down what they are asked. Each dispatch is sent as a
broker does it, again after a 503 or a broken connection. The exit code is 1 if anything was lost, or if two runs of one
provider overlapped. The figures go to standard output and to build/bench-chaos.json.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

import psutil
import psycopg
from rich.console import Console
from rich.table import Table

from app.database.connections import database
from tests.support.dispatch_storm import aftermath, noting_providers, publish_pacts, send
from tests.support.processes import BrokerProcess
from tests.support.receiver import ReceiverProcess, configuration

if TYPE_CHECKING:
    from collections.abc import Iterator

RESULT = Path(__file__).parents[1] / "build" / "bench-chaos.json"
CLIENTS = 8
STALLED_SECONDS = 4.0
PATIENCE = 3600.0
MOST_AHEAD = 400
"""How many dispatches wait or run at once, at most."""
LOOK_SECONDS, SHOW_SECONDS = 0.5, 10.0
"""How often the progress is looked at, and shown."""
VICTIMS = {"web": 2, "worker": 4, "postgres": 1}
"""What is killed, and how often of seven times."""


class Postgres:
    """The embedded PostgreSQL of a folder, which is started again when it was killed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._running = ExitStack()

    def start(self) -> str:
        """Start it, again if need be; return its URL."""
        self._running = ExitStack()
        return self._running.enter_context(database(None, self._folder))

    def kill(self) -> None:
        """Kill all of its processes, and start it again."""
        for process in psutil.process_iter(["name", "cmdline"]):
            if "postgres" in (process.info["name"] or "") and str(self._folder) in " ".join(
                process.info["cmdline"] or ()
            ):
                with suppress(psutil.NoSuchProcess):
                    process.kill()
        before = self._running
        self.start()
        before.close()

    def stop(self) -> None:
        """Stop it."""
        self._running.close()


class Killer:
    """Kills something at random, again and again, in the `with` block.

    Args:
        receiver: Whose processes.
        postgres: Its database.
        every: The seconds between two kills, on average.
        seed: Of what is random.

    Attributes:
        kills: How many of each.
    """

    def __init__(self, receiver: ReceiverProcess, postgres: Postgres, *, every: float, seed: int) -> None:
        self.kills: Counter[str] = Counter()
        self._receiver, self._postgres, self._every = receiver, postgres, every
        self._random = random.Random(seed)
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _run(self) -> None:
        names, weights = list(VICTIMS), list(VICTIMS.values())
        while not self._done.wait(self._every * self._random.uniform(0.5, 1.5)):
            [name] = self._random.choices(names, weights)
            if name == "postgres":
                self._postgres.kill()
            elif processes := self._processes(name):
                with suppress(psutil.NoSuchProcess):
                    self._random.choice(processes).kill()
            self.kills[name] += 1

    def _processes(self, command: str) -> list[psutil.Process]:
        found = []
        for process in self._receiver.descendants():
            with suppress(psutil.Error):
                if f"app {command} " in " ".join(process.cmdline()):
                    found.append(process)
        return found


class Progress:
    """How far it is. Who sends waits while too many are accepted and not done, so that it takes as long as all of it.

    Args:
        most_ahead: How many that may be.

    Attributes:
        waits: How long each took to be accepted, in seconds.
        done: How many are done.
    """

    def __init__(self, *, most_ahead: int) -> None:
        self.waits: list[float] = []
        self.done = 0
        self._most_ahead = most_ahead
        self._pause = threading.Event()

    def accept(self, seconds: float) -> None:
        """Note that one was accepted, and wait until there is room for the next one."""
        self.waits.append(seconds)
        while len(self.waits) - self.done > self._most_ahead:
            self._pause.wait(LOOK_SECONDS / 2)


@dataclass(frozen=True)
class Figures:
    """What came of it; times are in seconds."""

    dispatches: int
    providers: int
    kills: dict[str, int]
    refused_posts: int
    lost: int
    overlaps: int
    published_twice: int
    asked_twice: int
    reruns: int
    publishing_seconds: float
    seconds: float
    accepted_p50: float
    accepted_p99: float
    result_p50: float
    result_p99: float


@contextmanager
def folder() -> Iterator[Path]:
    """Make a folder on disk that PostgreSQL has access to, even if root runs this."""
    made = Path(tempfile.mkdtemp(prefix="pact-dispatch-bench-", dir="/var/tmp"))
    made.chmod(0o755)
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


def measure(number: int, providers: int, *, every: float, seed: int, console: Console) -> Figures:
    """Send the dispatches, kill, and look at what came of them."""
    with folder() as place, ExitStack() as stack:
        (place / "broker").mkdir()
        broker = stack.enter_context(BrokerProcess(place / "broker"))
        noting = stack.enter_context(noting_providers(place, providers, takes=0.002))
        began = time.monotonic()
        asked = publish_pacts(broker, noting, number)
        publishing = time.monotonic() - began
        postgres = Postgres(place / "database")
        (place / "database").mkdir()
        url = postgres.start()
        stack.callback(postgres.stop)
        config = configuration(
            broker.url,
            *(provider.settings for provider in noting),
            worker={
                "stalled_seconds": STALLED_SECONDS,
                "retry_seconds": [0.5] * 10,
                "publish_retry_seconds": [0.5],
                "concurrency": 3,
            },
        )
        receiver = stack.enter_context(ReceiverProcess(place, config, "--workers", "2", database_url=url))
        began = time.monotonic()
        progress = Progress(most_ahead=min(MOST_AHEAD, number // 5))
        with Killer(receiver, postgres, every=every, seed=seed) as killer, ThreadPoolExecutor(1) as beside:
            sending = beside.submit(
                send,
                receiver.url,
                asked,
                clients=CLIENTS,
                deadline=began + PATIENCE,
                on_accepted=progress.accept,
            )
            shown = 0.0
            while (done := ended(url)) < number:
                progress.done = max(progress.done, done)
                if sending.done():
                    sending.result()
                if time.monotonic() > shown + SHOW_SECONDS:
                    shown = time.monotonic()
                    console.print(f"{shown - began:6.0f} s: {progress.done} of {number} done")
                time.sleep(LOOK_SECONDS)
        seconds = time.monotonic() - began
        refused = sending.result()
        receiver.wait_until(lambda: ended(url) >= number and not open_runs(url), "the rest", within=PATIENCE)
        found = aftermath(receiver, broker, noting, asked)
        took = sorted((run["finished_at"] - run["created_at"]).total_seconds() for run in receiver.runs())
    for text in (*(f"lost: {pact}" for pact in found.lost[:20]), *found.overlaps[:20]):
        console.print(text)
    return Figures(
        dispatches=number,
        providers=providers,
        kills=dict(killer.kills),
        refused_posts=refused,
        lost=len(found.lost),
        overlaps=len(found.overlaps),
        published_twice=found.twice,
        asked_twice=found.asked_twice,
        reruns=found.reruns,
        publishing_seconds=round(publishing, 1),
        seconds=round(seconds, 1),
        accepted_p50=round(statistics.median(progress.waits), 4),
        accepted_p99=round(percentile(progress.waits, 99), 4),
        result_p50=round(statistics.median(took), 2),
        result_p99=round(percentile(took, 99), 2),
    )


def ended(url: str) -> int:
    """Return how many pacts have a run that has ended; 0 while the database is away."""
    return _count(
        url,
        "SELECT count(DISTINCT pact_url) FROM runs WHERE status = 'finished' AND publishing = 'published'",
    )


def open_runs(url: str) -> int:
    """Return how many runs have not ended."""
    return _count(url, "SELECT count(*) FROM runs WHERE status <> 'finished' OR publishing = 'pending'")


def _count(url: str, query: str) -> int:
    with suppress(psycopg.OperationalError), psycopg.connect(url) as connection:
        row = connection.execute(query.encode()).fetchone()
        return int(row[0]) if row else 0
    return 0


def percentile(values: list[float], percent: int) -> float:
    """Return a percentile of some values."""
    return statistics.quantiles(values, n=100)[percent - 1]


def show(figures: Figures, console: Console) -> None:
    """Print the figures."""
    kills = ", ".join(f"{number} {name}" for name, number in figures.kills.items())
    table = Table("", "", title=f"{figures.dispatches:,} dispatches while processes are killed")
    for name, shown in (
        ("providers", str(figures.providers)),
        ("killed", kills),
        ("lost", str(figures.lost)),
        ("overlapping", str(figures.overlaps)),
        ("published twice", str(figures.published_twice)),
        ("posts answered with 503, or not at all", str(figures.refused_posts)),
        ("of these accepted all the same", str(figures.asked_twice)),
        ("runs carried out again", str(figures.reruns)),
        ("in all", f"{figures.seconds:.0f} s"),
        ("until accepted, p50 and p99", f"{figures.accepted_p50:.3f} s, {figures.accepted_p99:.1f} s"),
        ("from accepted to the result", f"{figures.result_p50:.1f} s, {figures.result_p99:.1f} s"),
    ):
        table.add_row(name, shown)
    console.print(table)


def main() -> int:
    """Measure, print and keep the figures."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.chaos", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--quick", action="store_true", help="500 dispatches")
    parser.add_argument("--number", type=int, default=10_000, help="dispatches (default: %(default)s)")
    parser.add_argument("--providers", type=int, default=40, help="providers (default: %(default)s)")
    parser.add_argument(
        "--every", type=float, default=8.0, help="seconds between kills (default: %(default)s)"
    )
    parser.add_argument("--seed", type=int, default=17, help="of what is killed (default: %(default)s)")
    options = parser.parse_args()
    console = Console()
    number = 500 if options.quick else options.number
    figures = measure(number, options.providers, every=options.every, seed=options.seed, console=console)
    show(figures, console)
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(asdict(figures), indent=2) + "\n", encoding="utf-8")
    return 1 if figures.lost or figures.overlaps else 0


if __name__ == "__main__":
    sys.exit(main())
