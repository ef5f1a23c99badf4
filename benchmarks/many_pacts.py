"""`verify` of every pact that a broker asks for, beside `pact verifier`: the same broker, provider and run.

    python -m benchmarks.many_pacts [--quick] [--json FILE]

Both are whole processes that fetch all pacts of a provider, verify them against one that runs, and publish each result.
They take turns; each figure is the median. Other work on the machine meets `verify` harder, whose processes wait for
each other, so the load is told with the figures. Memory is the largest sum of the resident sets of a process and its
children, for all pacts and for a tenth of them: what many pacts take more than few is what grows with their number.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from benchmarks.verify import BIN, Figure, Target, in_turn, pact_document, peak_mb
from tests.support.processes import BrokerProcess

if TYPE_CHECKING:
    from collections.abc import Iterator

PACTS, INTERACTIONS = 50, 20
TIMES_AS_FAST = 5.0
MOST_MB_MORE = 20.0
"""What all pacts may take more than a tenth of them, in MB: their results, and not their documents."""
PROVIDER = "Products"

_versions = itertools.count(1)


def publish(broker: BrokerProcess, pacts: int) -> None:
    """Publish pacts of as many consumers; the branch of a tenth of them is `few` as well."""
    for number in range(pacts):
        document = pact_document(INTERACTIONS) | {"consumer": {"name": f"Consumer {number}"}}
        broker.publish(document, "1", branch="main")
        if number % 10 == 0:
            broker.publish(document, "2", branch="few")


def ways(broker: str, port: int, branch: str) -> dict[str, list[str]]:
    """Return the commands, with a version that the broker doesn't know yet."""
    base_url = f"http://127.0.0.1:{port}"
    selector = json.dumps({"branch": branch})
    version = f"{os.getpid()}.{next(_versions)}"
    shared = ["--consumer-version-selectors", selector, "--provider-base-url", base_url]
    verify = [str(BIN / "verify"), "--provider", PROVIDER, "--pact-broker-base-url", broker, *shared]
    verify += ["--provider-states-setup-url", f"{base_url}/_states", "--publish-verification-results"]
    verify += ["--provider-app-version", version, "--provider-version-branch", "main"]
    cli = [str(BIN / "pact"), "verifier", "--broker-url", broker, "--provider-name", PROVIDER]
    cli += ["--consumer-version-selectors", selector, "--hostname", "127.0.0.1", "--port", str(port)]
    cli += ["--state-change-url", f"{base_url}/_states", "--publish"]
    cli += ["--provider-version", f"{version}-peer", "--provider-branch", "main"]
    return {"pact verifier": cli, "verify": verify}


def measure(pacts: int, runs: int) -> Iterator[tuple[str, Figure]]:
    """Return figures, for all pacts and for the few."""
    with tempfile.TemporaryDirectory() as folder, BrokerProcess(Path(folder)) as broker:
        publish(broker, pacts)
        command = [sys.executable, "-m", "benchmarks.provider"]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as provider:
            assert provider.stdout is not None
            assert provider.stdin is not None
            port = int(provider.stdout.readline())
            for branch, number in (("main", pacts), ("few", len(range(0, pacts, 10)))):
                taken: dict[str, list[float]] = {}
                for _ in range(runs if branch == "main" else 1):
                    for way, seconds in in_turn(ways(broker.url, port, branch), runs=1).items():
                        taken.setdefault(way, []).extend(seconds)
                for way, command in ways(broker.url, port, branch).items():
                    median = statistics.median(taken[way])
                    peak = peak_mb(command)
                    yield branch, Figure(way, number * INTERACTIONS, "at once", median, len(taken[way]), peak)
            provider.stdin.close()


def targets(figures: dict[tuple[str, str], Figure]) -> list[Target]:
    """Compare the figures with the targets of this project."""
    ratio = figures["main", "pact verifier"].seconds / figures["main", "verify"].seconds
    more = figures["main", "verify"].peak_mb - figures["few", "verify"].peak_mb
    return [
        Target("times as fast as pact verifier", TIMES_AS_FAST, ratio, ratio >= TIMES_AS_FAST),
        Target("MB that all pacts take more than a tenth", MOST_MB_MORE, more, more <= MOST_MB_MORE),
    ]


def main() -> None:
    """Measure, and show it."""
    parser = argparse.ArgumentParser(description="Time `verify` of many pacts beside `pact verifier`.")
    parser.add_argument("--quick", action="store_true", help="only 10 pacts, and one run")
    parser.add_argument(
        "--json", metavar="FILE", default="build/bench-many.json", help="also write the figures here"
    )
    options = parser.parse_args()
    console = Console()
    pacts, runs = (10, 1) if options.quick else (PACTS, 3)
    load = [os.getloadavg()[0]]
    found = {(branch, figure.way): figure for branch, figure in measure(pacts, runs)}
    load.append(os.getloadavg()[0])
    table = Table(
        "interactions", "way", "seconds", "ratio", "peak MB", title=f"{pacts} pacts, and a tenth of them"
    )
    for (branch, _), figure in found.items():
        ratio = found[branch, "pact verifier"].seconds / figure.seconds
        seconds, peak = f"{figure.seconds:.2f}", f"{figure.peak_mb:.0f}"
        table.add_row(str(figure.interactions), figure.way, seconds, f"{ratio:.1f} x", peak)
    console.print(table)
    console.print(f"Load: {load[0]:.1f} before, {load[1]:.1f} after (with {os.cpu_count()} processors)")
    reached = targets(found)
    table = Table("target", "limit", "measured", "", title="Targets")
    for target in reached:
        reach = "yes" if target.reached else "NO"
        table.add_row(target.name, f"{target.limit:g}", f"{target.measured:.2f}", reach)
    console.print(table)
    file = Path(options.json)
    file.parent.mkdir(parents=True, exist_ok=True)
    machine = {"cores": os.cpu_count(), "python": platform.python_version(), "system": platform.platform()}
    document = {
        "machine": machine,
        "load": load,
        "figures": [{"branch": branch, **asdict(figure)} for (branch, _), figure in found.items()],
        "targets": [asdict(target) for target in reached],
    }
    file.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    console.print(f"Written to {file}")


if __name__ == "__main__":
    main()
