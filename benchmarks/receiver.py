"""The receiver: how fast it accepts, how soon a result is in the broker, and what is lost while workers are killed.

    python -m benchmarks.receiver [--quick] [--only accept|latency|queue|kills|strangers]

All of it with real processes: `pact-dispatch`, the embedded PostgreSQL on disk, the embedded broker, providers. Beside
it the program `webhook` of Debian's package (github.com/adnanh/webhook), with a hook that checks the same
token and starts `true`: it keeps nothing. The figures go to standard output and to build/bench-receiver.json.
"""

from __future__ import annotations

import argparse
import json
import shutil
import socket
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, closing, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from app.database.connections import database
from benchmarks.accept_load import hammer
from benchmarks.strangers import STRANGERS
from benchmarks.strangers import measure as measure_strangers
from benchmarks.verify import pact_document
from tests.support.dispatch_storm import (
    VERSION,
    WorkerKiller,
    aftermath,
    noting_providers,
    publish_pacts,
    send,
)
from tests.support.processes import BrokerProcess
from tests.support.receiver import PROVIDER, REPOSITORY, TOKEN, ReceiverProcess, configuration, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

RESULT = Path(__file__).parents[1] / "build" / "bench-receiver.json"
CLIENTS = (1, 8)
SIZES = (1, 10, 100)
LIMIT_MS = 300
"""At the median, from an accepted POST to the result in the broker, for a pact of 10 interactions."""
PATIENCE = 3600.0


@contextmanager
def folder() -> Iterator[Path]:
    """Make a folder on disk that PostgreSQL has access to, even if root runs this."""
    made = Path(tempfile.mkdtemp(prefix="pact-dispatch-bench-", dir="/var/tmp"))
    made.chmod(0o755)
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


def accept(quick: bool, console: Console) -> list[dict[str, Any]]:  # noqa: FBT001
    """Measure how fast dispatches are accepted, beside a program that stores none."""
    seconds = 2.0 if quick else 10.0
    figures: list[dict[str, Any]] = []
    with folder() as place, ExitStack() as stack:
        config = configuration(
            "http://broker.example.org", {"base_url": "http://127.0.0.1:1", "version": VERSION}
        )
        web = stack.enter_context(ReceiverProcess(place, config, command="web"))
        targets = {"pact-dispatch": (int(web.url.rsplit(":", 1)[1]), f"/repos/{REPOSITORY}/dispatches")}
        if shutil.which("webhook") is None:
            console.print("webhook is not installed (apt-get install webhook): measured without it")
        else:
            targets["webhook"] = (stack.enter_context(peer(place)), "/hooks/dispatch")
        # webhook is last, since it answers at once and starts its thousands of commands later
        for name, (port, path) in targets.items():
            for clients in CLIENTS:
                hammer(port, path, TOKEN, clients, 1.0)
                figures.append({"program": name, **asdict(hammer(port, path, TOKEN, clients, seconds))})
    table = Table("program", "clients", "requests/s", "p50", "p99", title="Accepted dispatches")
    for figure in figures:
        table.add_row(
            figure["program"],
            str(figure["clients"]),
            f"{figure['per_second']:.0f}",
            f"{figure['p50_ms']:.1f} ms",
            f"{figure['p99_ms']:.1f} ms",
        )
    console.print(table)
    found = {(figure["program"], figure["clients"]): figure for figure in figures}
    for clients in CLIENTS:
        if ("webhook", clients) in found:
            ours, theirs = found["pact-dispatch", clients], found["webhook", clients]
            rate, p50, p99 = (ours[key] / theirs[key] for key in ("per_second", "p50_ms", "p99_ms"))
            console.print(
                f"Of webhook's, at {clients}: {rate:.2f} x the requests/s, {p50:.0f} x p50, {p99:.1f} x p99"
            )
    return figures


@contextmanager
def peer(place: Path) -> Iterator[int]:
    """Run `webhook`, and return its port."""
    hook = {
        "id": "dispatch",
        "execute-command": shutil.which("true"),
        "success-http-response-code": 204,
        "http-methods": ["POST"],
        "pass-arguments-to-command": [{"source": "payload", "name": "client_payload.pact_url"}],
        "trigger-rule": {
            "match": {
                "type": "value",
                "value": f"Bearer {TOKEN}",
                "parameter": {"source": "header", "name": "Authorization"},
            }
        },
    }
    hooks = place / "hooks.json"
    hooks.write_text(json.dumps([hook]), encoding="utf-8")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    command = ["webhook", "-hooks", str(hooks), "-ip", "127.0.0.1", "-port", str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:

        def listens() -> bool:
            with socket.socket() as client:
                return client.connect_ex(("127.0.0.1", port)) == 0

        try:
            wait_until(listens, "webhook listens")
            yield port
        finally:
            process.kill()


@contextmanager
def plain_provider() -> Iterator[str]:
    """Run the provider that takes hardly any time, and return its URL."""
    command = [sys.executable, "-m", "benchmarks.provider"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        process.stdin.close()


def latency(quick: bool, console: Console) -> list[dict[str, Any]]:  # noqa: FBT001
    """Measure from an accepted POST to the result in the broker, with the worker idle."""
    times = 5 if quick else 30
    figures = []
    with folder() as place, ExitStack() as stack:
        broker = stack.enter_context(BrokerProcess(place))
        settings = {"base_url": stack.enter_context(plain_provider()), "version": VERSION, "branch": "main"}
        url = stack.enter_context(database(None, place))
        receiver = stack.enter_context(
            ReceiverProcess(place, configuration(broker.url, settings), database_url=url)
        )
        results = stack.enter_context(
            closing(sqlite3.connect(f"file:{broker.database}?mode=ro", uri=True, isolation_level=None))
        )

        def recorded() -> int:
            return int(results.execute("SELECT count(*) FROM verification_results").fetchone()[0])

        for size in SIZES:
            taken = []
            for number in range(times + 2):
                document = pact_document(size)
                document["interactions"][0]["description"] += f" ({number})"
                broker.publish(document, f"{size}.{number}")
                before = recorded()
                pact = f"{broker.url}/pacts/provider/{PROVIDER}/consumer/Storefront/version/{size}.{number}"
                began = time.perf_counter()
                assert receiver.dispatch(pact).status_code == 204
                answered = time.perf_counter()
                while recorded() == before:
                    time.sleep(0.001)
                taken.append(((time.perf_counter() - began) * 1000, (answered - began) * 1000))
                receiver.wait_for_runs()
            taken = taken[2:]
            whole = sorted(whole for whole, _ in taken)
            figures.append(
                {
                    "interactions": size,
                    "runs": times,
                    "median_ms": statistics.median(whole),
                    "p95_ms": whole[int(len(whole) * 0.95)],
                    "until_answered_ms": statistics.median(answered for _, answered in taken),
                }
            )
    table = Table(
        "interactions", "median", "p95", "until the 204", "", title=f"From POST to result, {times} runs each"
    )
    for figure in figures:
        reached = figure["interactions"] != 10 or figure["median_ms"] < LIMIT_MS
        verdict = (
            "" if figure["interactions"] != 10 else f"limit {LIMIT_MS} ms: {'ok' if reached else 'NOT ok'}"
        )
        table.add_row(
            str(figure["interactions"]),
            f"{figure['median_ms']:.0f} ms",
            f"{figure['p95_ms']:.0f} ms",
            f"{figure['until_answered_ms']:.0f} ms",
            verdict,
        )
    console.print(table)
    return figures


def wait_for_all(receiver: ReceiverProcess, number: int) -> None:
    """Wait until so many runs are finished, without loading the database."""
    query = "SELECT count(*) AS ended FROM runs WHERE status = 'finished' AND publishing <> 'pending'"
    end = time.monotonic() + PATIENCE
    while receiver.rows(query)[0]["ended"] < number:
        assert time.monotonic() < end, "not all runs have finished"
        time.sleep(0.1)


def queue(quick: bool, console: Console) -> dict[str, Any]:  # noqa: FBT001
    """Measure how fast the runs of one provider are executed."""
    number = 40 if quick else 200
    with folder() as place, ExitStack() as stack:
        broker = stack.enter_context(BrokerProcess(place))
        providers = stack.enter_context(noting_providers(place, 1))
        url = stack.enter_context(database(None, place))
        asked = publish_pacts(broker, providers, number)
        config = configuration(broker.url, *(provider.settings for provider in providers))
        receiver = stack.enter_context(ReceiverProcess(place, config, database_url=url))
        began = time.perf_counter()
        send(receiver.url, asked, clients=4, deadline=time.monotonic() + PATIENCE)
        wait_for_all(receiver, number)
        seconds = time.perf_counter() - began
    console.print(f"{number} runs of one provider, one after another: {number / seconds:.1f} runs/s")
    return {"runs": number, "seconds": seconds, "per_second": number / seconds}


def kills(quick: bool, console: Console) -> dict[str, Any]:  # noqa: FBT001
    """Count what is lost, and what overlaps, while workers are killed at random."""
    number = 200 if quick else 2000
    with folder() as place, ExitStack() as stack:
        broker = stack.enter_context(BrokerProcess(place))
        providers = stack.enter_context(noting_providers(place, 4))
        url = stack.enter_context(database(None, place))
        console.print(f"Publishing {number} pacts ...", style="dim")
        asked = publish_pacts(broker, providers, number)
        config = configuration(
            broker.url, *(provider.settings for provider in providers), worker={"stalled_seconds": 2.0}
        )
        receiver = stack.enter_context(ReceiverProcess(place, config, "--workers", "2", database_url=url))
        killer = stack.enter_context(WorkerKiller(receiver, every=3.0))
        began = time.perf_counter()
        refused = send(receiver.url, asked, clients=8, deadline=time.monotonic() + PATIENCE)
        accepted = time.perf_counter() - began

        wait_for_all(receiver, number)
        seconds = time.perf_counter() - began
        found = aftermath(receiver, broker, providers, asked)
    figures = {
        "dispatches": number,
        "answered 503": refused,
        "kills": killer.kills,
        "lost": len(found.lost),
        "overlaps": len(found.overlaps),
        "reruns": found.reruns,
        "results recorded twice": found.twice,
        "seconds until all were accepted": round(accepted, 1),
        "seconds until all were finished": round(seconds, 1),
    }
    table = Table("", "", title=f"{number} dispatches, 8 clients, 4 providers, 2 workers killed at random")
    for name, figure in figures.items():
        table.add_row(name, str(figure))
    console.print(table)
    return figures


def strangers(quick: bool, console: Console) -> list[dict[str, Any]]:  # noqa: FBT001
    """Measure how soon a valid dispatch is answered among slow clients that nobody knows."""
    with folder() as place:
        return measure_strangers(
            place, console, number=STRANGERS // 4 if quick else STRANGERS, dispatches=5 if quick else 20
        )


PARTS: dict[str, Callable[[bool, Console], Any]] = {
    "accept": accept,
    "latency": latency,
    "queue": queue,
    "kills": kills,
    "strangers": strangers,
}


def main() -> None:
    """Measure, and print the figures."""
    parser = argparse.ArgumentParser(description="Time the receiver, and try to have it lose something.")
    parser.add_argument("--quick", action="store_true", help="a short look at everything")
    parser.add_argument("--only", choices=PARTS, help="measure one thing alone")
    options = parser.parse_args()
    console = Console()
    figures = {
        name: part(options.quick, console) for name, part in PARTS.items() if options.only in {None, name}
    }
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    console.print(f"Written to {RESULT}")


if __name__ == "__main__":
    main()
