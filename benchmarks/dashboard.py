"""The pages of the receiver with a month of a large history behind them, and hundreds of pages that stay open.

    python -m benchmarks.dashboard [--quick] [--only pages|live] [--folder DIR]

The history is 100,000 runs, 1,000 providers and 300,000 deliveries in the embedded PostgreSQL, the web side is
`pact-dispatch web` with its processes. Each page is asked for one request after another on one connection: the time is
that of the server and of loopback. The figures go to standard output and to build/bench-dashboard.json.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import psycopg
import requests
from rich.console import Console
from rich.table import Table

from app.database.connections import database, migrate
from benchmarks import large_history, live_load
from benchmarks.dashboard_pages import addresses, headers_of_session, open_paths
from benchmarks.receiver import folder
from tests.support.receiver import API_TOKEN, ReceiverProcess

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

RESULT = Path(__file__).parents[1] / "build" / "bench-dashboard.json"
DEFAULT_SIZE = large_history.Size()
LIMIT_MS, LIMIT_KB = 100.0, 100.0
"""Of each page: its median, and the bytes of its answer as they are sent: `/metrics` and lists of the API with gzip."""


@dataclass(frozen=True)
class Figure:
    """What a page took.

    Attributes:
        page: What it shows.
        status: The status of the answer.
        median_ms: Of all requests.
        p95_ms: The same.
        cpu_ms: What the web processes and the database have used of a core for one request: on a busy machine, this
            tells more than the time.
        kilobytes: The size of the body as it is sent, with gzip where the receiver does that.
        plain_kilobytes: Its size without.
    """

    page: str
    status: int
    median_ms: float
    p95_ms: float
    cpu_ms: float
    kilobytes: float
    plain_kilobytes: float

    @property
    def reached(self) -> bool:
        """Whether it is as fast and as small as it is to be."""
        return self.status == 200 and self.median_ms < LIMIT_MS and self.kilobytes < LIMIT_KB


class Reader:
    """Someone who reads pages, on one connection."""

    def __init__(self, url: str, cpu_seconds: Callable[[], float]) -> None:
        self._url = url
        self._cpu_seconds = cpu_seconds
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.headers.update(headers_of_session(url) | {"Accept-Encoding": "gzip"})

    def read(self, path: str) -> tuple[int, int, int]:
        """Return the status of an answer, and the size of its body as it is sent, with gzip, and without."""
        is_page = not path.startswith(("/api/", "/metrics"))
        headers = {} if is_page else {"Authorization": f"Bearer {API_TOKEN}"}
        answer = self._session.get(self._url + path, headers=headers, timeout=60, allow_redirects=False)
        plain = len(answer.content)
        return answer.status_code, int(answer.headers.get("Content-Length", plain)), plain

    def time(self, page: str, path: str, times: int) -> Figure:
        """Time a page, after a request that doesn't count."""
        self.read(path)
        taken, used = [], self._cpu_seconds()
        for _ in range(times):
            began = time.perf_counter()
            status, size, plain = self.read(path)
            taken.append((time.perf_counter() - began) * 1000)
        used = (self._cpu_seconds() - used) * 1000 / times
        taken.sort()
        p95 = taken[int(len(taken) * 0.95)]
        return Figure(page, status, statistics.median(taken), p95, used, size / 1024, plain / 1024)


def pages(quick: bool, console: Console, place: Path) -> list[dict[str, Any]]:  # noqa: FBT001
    """Measure each page, with filters of each kind."""
    with filled(place, console) as (url, size):
        return pages_of(url, size, quick, console, place)


def pages_of(
    url: str,
    size: large_history.Size,
    quick: bool,  # noqa: FBT001
    console: Console,
    place: Path,
) -> list[dict[str, Any]]:
    """Measure each page with a history that is there."""
    figures = []
    with psycopg.connect(url, autocommit=True) as connection:
        asked = list(addresses(connection))
        with ReceiverProcess(place, size.configuration, command="web", database_url=url) as web:
            reader = Reader(web.url, lambda: cpu_seconds(web, connection))
            for page, path in asked:
                figures.append(reader.time(page, path, 5 if quick else 30))
    table = Table(
        "page",
        "",
        "median",
        "p95",
        "CPU",
        "KB, gzip",
        "plain",
        "",
        title=f"Pages, with {size.runs} runs in the history",
    )
    for figure in figures:
        table.add_row(
            figure.page,
            str(figure.status),
            f"{figure.median_ms:.0f} ms",
            f"{figure.p95_ms:.0f} ms",
            f"{figure.cpu_ms:.0f} ms",
            f"{figure.kilobytes:.0f}",
            f"{figure.plain_kilobytes:.0f}",
            "ok" if figure.reached else "NOT ok",
        )
    console.print(table)
    reached = sum(figure.reached for figure in figures)
    console.print(
        f"{reached} of {len(figures)} are under {LIMIT_MS:.0f} ms at the median and {LIMIT_KB:.0f} KB as sent"
    )
    return [asdict(figure) for figure in figures]


def live(quick: bool, console: Console, place: Path) -> list[dict[str, Any]]:  # noqa: FBT001
    """Measure dispatches and changes with no page open, and with hundreds."""
    with filled(place, console) as (url, size), psycopg.connect(url, autocommit=True) as connection:
        paths = open_paths(connection)
        with ReceiverProcess(place, size.configuration, command="web", database_url=url) as web:
            return live_load.measure(
                web, console, paths, providers=size.providers, seconds=10.0 if quick else 60.0
            )


def cpu_seconds(web: ReceiverProcess, connection: psycopg.Connection[Any]) -> float:
    """Return what the web processes and their connections to the database have used of a core."""
    backends = connection.execute(
        "SELECT pid FROM pg_stat_activity WHERE application_name = 'pact-dispatch' AND pid <> pg_backend_pid()"
    ).fetchall()
    processes = [*web.descendants(), *(psutil.Process(pid) for (pid,) in backends)]
    return float(sum(sum(process.cpu_times()[:2]) for process in processes))


@contextmanager
def filled(
    place: Path, console: Console, size: large_history.Size = DEFAULT_SIZE
) -> Iterator[tuple[str, large_history.Size]]:
    """Run a database with the history in a folder, and make the history unless it is there."""
    made = place / "data" / "made"
    with database(None, place / "data") as url:
        if made.exists():
            migrate(url)
        else:
            began = time.monotonic()
            large_history.make(url, size)
            made.write_text(json.dumps(asdict(size)), encoding="utf-8")
            console.print(f"The history was made in {time.monotonic() - began:.0f} s", style="dim")
        yield url, large_history.Size(**json.loads(made.read_text(encoding="utf-8") or "{}"))


PARTS: dict[str, Callable[[bool, Console, Path], Any]] = {"pages": pages, "live": live}


def main() -> None:
    """Measure, and print the figures."""
    parser = argparse.ArgumentParser(description="Time the receiver's pages with a large history.")
    parser.add_argument("--quick", action="store_true", help="a short look at everything")
    parser.add_argument("--only", choices=PARTS, help="measure one thing alone")
    parser.add_argument("--folder", type=Path, help="where the history is made, unless it is there, and kept")
    options = parser.parse_args()
    console = Console()
    with ExitStack() as stack:
        if options.folder is None:
            place = stack.enter_context(folder())
        else:
            place = options.folder
            place.mkdir(parents=True, exist_ok=True)
        figures = {
            name: part(options.quick, console, place)
            for name, part in PARTS.items()
            if options.only in {None, name}
        }
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    console.print(f"Written to {RESULT}")


if __name__ == "__main__":
    main()
