"""`verify` beside `pact verifier` and plain pact-python: whole processes, one pact, one provider, one run.

    python -m benchmarks.verify [--quick] [--json FILE]

The ways take turns, so that what else the machine does meets all of them. Each figure is the median of ten runs (of
three where a run takes long); memory is the largest sum of the resident sets of a process and its children, sampled
every 10 ms in a run of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
from rich.console import Console
from rich.table import Table

from benchmarks.provider import SLOW_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable

BIN = Path(sys.executable).parent
SIZES = (1, 9, 20, 100, 1000)
QUICK_SIZES = (1, 20, 100)
LONG_SECONDS = 4.0
RUNS, RUNS_IF_LONG = 10, 3
STATES = {
    "none": "",
    "at once": "/_states",
    "head and body apart": "/_apart/_states",
    "20 ms each": "/_slow/_states",
}
"""How the provider answers a state change, and where."""
LARGEST_SLOW = 100
"""The largest pact for the kinds of states that take long with everybody."""
SLOW_STATES = frozenset({"head and body apart", "20 ms each"})
ENVIRONMENT = {
    **{name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"},
    "PACT_DO_NOT_TRACK": "true",
}
"""Python keeps what it has compiled, as it does where a package is installed."""

FOLDER = tempfile.gettempdir()
"""Where the commands run: no project, whose pyproject.toml `verify` would look into for its options."""


@dataclass(frozen=True)
class Figure:
    """What one way of verifying an amount of interactions took."""

    way: str
    interactions: int
    states: str
    seconds: float
    runs: int
    peak_mb: float


@dataclass(frozen=True)
class Target:
    """A target, and what was measured."""

    name: str
    limit: float
    measured: float
    reached: bool


def pact_document(interactions: int) -> dict[str, Any]:
    matchers = {"$.id": {"matchers": [{"match": "integer"}]}, "$.name": {"matchers": [{"match": "type"}]}}
    return {
        "consumer": {"name": "Storefront"},
        "provider": {"name": "Products"},
        "interactions": [
            {
                "type": "Synchronous/HTTP",
                "key": f"{number:08x}",
                "description": f"a request for product {number}",
                "providerStates": [{"name": "a product exists", "params": {"id": number}}],
                "request": {"method": "GET", "path": f"/products/{number}"},
                "response": {
                    "status": 200,
                    "headers": {"Content-Type": ["application/json"]},
                    "body": {
                        "content": {
                            "id": number,
                            "name": "Lamp",
                            "price": 34.9,
                            "tags": ["kitchen", "steel"],
                        },
                        "contentType": "application/json",
                        "encoded": False,
                    },
                    "matchingRules": {"body": matchers},
                },
            }
            for number in range(interactions)
        ],
        "metadata": {"pactSpecification": {"version": "4.0"}},
    }


def ways(pact: Path, port: int, states: str) -> dict[str, list[str]]:
    base_url = f"http://127.0.0.1:{port}"
    states_url = f"{base_url}{STATES[states]}"
    verify = [str(BIN / "verify"), str(pact), "--provider-base-url", base_url]
    cli = [str(BIN / "pact"), "verifier", "--file", str(pact), "--hostname", "127.0.0.1", "--port", str(port)]
    cli += ["--provider-name", "Products"]
    plain = [sys.executable, str(Path(__file__).with_name("plain.py")), str(pact), base_url]
    if STATES[states]:
        verify += ["--provider-states-setup-url", states_url]
        cli += ["--state-change-url", states_url]
        plain += [states_url]
    return {
        "pact verifier": cli,
        "pact-python": plain,
        "verify": verify,
        "verify --jobs 4": [*verify, "--jobs", "4"],
    }


def run_once(command: list[str]) -> float:
    started = time.perf_counter()
    done = subprocess.run(command, cwd=FOLDER, env=ENVIRONMENT, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - started
    if done.returncode:
        raise SystemExit(
            f"{command} ended with {done.returncode}:\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
        )
    return seconds


def in_turn(commands: dict[str, list[str]], runs: int = RUNS) -> dict[str, list[float]]:
    """Return the seconds of each run of each command, which take turns."""
    taken: dict[str, list[float]] = {way: [] for way in commands}
    for number in range(runs):
        for way, command in commands.items():
            if number < RUNS_IF_LONG or taken[way][0] < LONG_SECONDS:
                taken[way].append(run_once(command))
    return taken


def peak_mb(command: list[str]) -> float:
    peak = 0
    with subprocess.Popen(
        command, cwd=FOLDER, env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as child:
        process = psutil.Process(child.pid)
        while child.poll() is None:
            total = 0
            try:
                for member in (process, *process.children(recursive=True)):
                    total += member.memory_info().rss
            except psutil.NoSuchProcess:
                continue
            peak = max(peak, total)
            time.sleep(0.01)
    return peak / 2**20


def measure(port: int, sizes: tuple[int, ...], note: Callable[[str], None]) -> list[Figure]:
    figures = []
    with tempfile.TemporaryDirectory() as folder:
        for size in sizes:
            pact = Path(folder) / f"{size}.json"
            pact.write_text(json.dumps(pact_document(size)), encoding="utf-8")
            for states in STATES:
                if states in SLOW_STATES and size > LARGEST_SLOW:
                    continue
                note(f"{size} interactions, states: {states}")
                commands = ways(pact, port, states)
                for way, taken in in_turn(commands).items():
                    peak = peak_mb(commands[way])
                    figures.append(Figure(way, size, states, statistics.median(taken), len(taken), peak))
    return figures


def targets(figures: list[Figure]) -> list[Target]:
    """Compare the figures with the targets of this project, without states and with them."""
    of_states = [target for states in SLOW_STATES for target in _targets_of_states(figures, states)]
    return [target for states in ("none", "at once") for target in _targets(figures, states)] + of_states


def _targets_of_states(figures: list[Figure], states: str) -> list[Target]:
    """Return the target for 100 interactions with states that take their time."""
    found = {f.states: f.seconds for f in figures if (f.way, f.interactions) == ("verify", 100)}
    limit = 100 * SLOW_SECONDS * 1.1 if states == "20 ms each" else 0.6
    name = f"100 interactions, states {states}, seconds"
    return [Target(name, limit, found[states], found[states] <= limit)]


def _targets(figures: list[Figure], states: str) -> list[Target]:
    found = {(figure.way, figure.interactions): figure for figure in figures if figure.states == states}
    suffix = "" if states == "none" else ", with states"
    rows: list[Target] = []

    def at_least(name: str, limit: float, measured: float) -> None:
        rows.append(Target(name + suffix, limit, measured, measured >= limit))

    def at_most(name: str, limit: float, measured: float) -> None:
        rows.append(Target(name + suffix, limit, measured, measured <= limit))

    def ratio(way: str, size: int) -> float:
        return found["pact verifier", size].seconds / found[way, size].seconds

    at_most("1 interaction, times as long as pact verifier", 4, 1 / ratio("verify", 1))
    at_least("20 interactions, times as fast as pact verifier", 1, ratio("verify", 20))
    at_least("100 interactions, times as fast as pact verifier", 3, ratio("verify", 100))
    if ("verify", 1000) in found:
        at_least("1000 interactions, times as fast as pact verifier", 10, ratio("verify", 1000))
        at_least("the same with --jobs 4", 15, ratio("verify --jobs 4", 1000))
        per_interaction = found["verify", 1000].seconds / 1000 / (found["verify", 100].seconds / 100)
        at_most("time per interaction at 1000, times that at 100", 1.3, per_interaction)
        at_most("peak memory at 1000, MB", 100, found["verify", 1000].peak_mb)
    return rows


def show(figures: list[Figure], reached: list[Target], console: Console) -> None:
    table = Table(
        "interactions", "states", "way", "seconds", "ratio", "peak MB", title="Whole process, median"
    )
    for figure in figures:
        peer = next(
            f
            for f in figures
            if f.way == "pact verifier" and (f.interactions, f.states) == (figure.interactions, figure.states)
        )
        ratio = f"{peer.seconds / figure.seconds:.1f} x"
        table.add_row(
            str(figure.interactions),
            figure.states,
            figure.way,
            f"{figure.seconds:.3f}",
            ratio,
            f"{figure.peak_mb:.0f}",
        )
    console.print(table)
    table = Table("target", "limit", "measured", "", title="Targets")
    for target in reached:
        table.add_row(
            target.name, f"{target.limit:g}", f"{target.measured:.2f}", "yes" if target.reached else "NO"
        )
    console.print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description="Time `verify` beside its peers.")
    parser.add_argument("--quick", action="store_true", help="only 1, 20 and 100 interactions")
    parser.add_argument(
        "--json", metavar="FILE", default="build/bench-verify.json", help="also write the figures here"
    )
    options = parser.parse_args()
    console = Console(stderr=False)
    command = [sys.executable, "-m", "benchmarks.provider"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as provider:
        assert provider.stdout is not None
        assert provider.stdin is not None
        port = int(provider.stdout.readline())
        figures = measure(
            port, QUICK_SIZES if options.quick else SIZES, lambda text: console.print(text, style="dim")
        )
        provider.stdin.close()
    reached = targets(figures)
    show(figures, reached, console)
    file = Path(options.json)
    file.parent.mkdir(parents=True, exist_ok=True)
    machine = {"cores": os.cpu_count(), "python": platform.python_version(), "system": platform.platform()}
    document = {
        "machine": machine,
        "figures": [asdict(figure) for figure in figures],
        "targets": [asdict(target) for target in reached],
    }
    file.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    console.print(f"Written to {file}")


if __name__ == "__main__":
    main()
