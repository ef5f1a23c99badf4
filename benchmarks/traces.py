"""What traces cost: `verify` with and without them, as whole processes, and a span that nobody takes.

    python -m benchmarks.traces [--quick] [--json FILE]

The ways take turns: without traces, with a collector that takes them, and with one that never answers (whose end is
waited for, 3 s at most). Each figure is the median of ten runs. The states are set up by URL, so that an interaction
has three spans.
"""

from __future__ import annotations

import argparse
import json
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import timeit
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.verify import ENVIRONMENT, FOLDER, pact_document
from broker.traces.spans import span
from tests.support.collector import Collector, collecting

BIN = Path(sys.executable).parent
SIZES, QUICK_SIZES = (1, 100, 1000), (1, 100)
RUNS, QUICK_RUNS = 10, 3
MOST_OFF_MICROSECONDS = 2.0
"""What a span may cost that nobody takes."""
MOST_ON_MILLISECONDS = 1.0
"""What an interaction may cost more with traces, where it has three spans."""
IMPORTS = {
    "a span": "import broker.traces.spans",
    "OpenTelemetry's SDK and exporter": "import broker.otlp.exporter",
    "the same, with requests loaded": "import requests, time; t = time.perf_counter(); import broker.otlp.exporter",
}


def seconds_of(command: list[str], **variables: str) -> float:
    started = time.perf_counter()
    done = subprocess.run(
        command, cwd=FOLDER, env=ENVIRONMENT | variables, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(
            f"{command} ended with {done.returncode}:\n{done.stdout[-2000:]}{done.stderr[-2000:]}"
        )
    return time.perf_counter() - started


def import_milliseconds(code: str, runs: int) -> float:
    """Return how long a new process needs for an import, less what an empty one needs."""

    def median(what: str) -> float:
        return statistics.median(seconds_of([sys.executable, "-c", what]) for _ in range(runs))

    before = "import requests" if code.startswith("import requests") else "pass"
    return (median(code) - median(before)) * 1000


def measured(
    folder: Path, port: int, size: int, runs: int, collector: Collector, silent: str
) -> dict[str, Any]:
    pact = folder / f"{size}.json"
    pact.write_text(json.dumps(pact_document(size)), encoding="utf-8")
    url = f"http://127.0.0.1:{port}"
    command = [str(BIN / "verify"), str(pact), "--provider-base-url", url, "--quiet"]
    command += ["--provider-states-setup-url", f"{url}/_states"]
    environments = {
        "off": {},
        "on": {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url},
        "collector silent": {"OTEL_EXPORTER_OTLP_ENDPOINT": silent},
    }
    taken: dict[str, list[float]] = {way: [] for way in environments}
    for _ in range(runs):
        for way, variables in environments.items():
            taken[way].append(seconds_of(command, **variables))
    medians = {way: statistics.median(found) for way, found in taken.items()}
    return {"interactions": size, **medians, "more_ms": (medians["on"] - medians["off"]) * 1000}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="fewer runs, and no 1,000 interactions")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to a file, too")
    options = parser.parse_args()
    runs = QUICK_RUNS if options.quick else RUNS
    provider = [sys.executable, "-m", "benchmarks.provider"]
    with (
        tempfile.TemporaryDirectory() as folder,
        collecting() as collector,
        socket.create_server(("127.0.0.1", 0)) as silent,
        subprocess.Popen(provider, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process,
    ):
        assert process.stdout is not None
        assert process.stdin is not None
        port = int(process.stdout.readline())
        away = f"http://127.0.0.1:{silent.getsockname()[1]}"
        rows = [
            measured(Path(folder), port, size, runs, collector, away)
            for size in (QUICK_SIZES if options.quick else SIZES)
        ]
        spans = len(collector.spans)
        process.stdin.close()
    off = min(timeit.repeat(lambda: span("a"), number=100_000, repeat=5)) / 100_000 * 1e6
    imports = {name: import_milliseconds(code, runs) for name, code in IMPORTS.items()}
    table = Table("interactions", "off", "on", "collector silent", "more with traces")
    for row in rows:
        table.add_row(
            str(row["interactions"]),
            *(f"{row[way]:.3f} s" for way in ("off", "on", "collector silent")),
            f"{row['more_ms']:.0f} ms",
        )
    console = Console()
    console.print(table)
    for name, milliseconds in imports.items():
        console.print(f"import of {name}: {milliseconds:.0f} ms")
    # beside what a command with one interaction takes more: the libraries, and the end
    first, last = rows[0], rows[-1]
    largest = (last["more_ms"] - first["more_ms"]) / (last["interactions"] - first["interactions"])
    reached = off <= MOST_OFF_MICROSECONDS and largest <= MOST_ON_MILLISECONDS
    console.print(f"a span that nobody takes: {off:.2f} µs (at most {MOST_OFF_MICROSECONDS:g})")
    console.print(
        f"an interaction more with traces: {largest:.2f} ms (at most {MOST_ON_MILLISECONDS:g}); "
        f"the collector got {spans} spans"
    )
    if options.json:
        found = {
            "rows": rows,
            "imports": imports,
            "microseconds_off": off,
            "milliseconds_an_interaction": largest,
            "reached": reached,
        }
        options.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    raise SystemExit(0 if reached else 1)


if __name__ == "__main__":
    main()
