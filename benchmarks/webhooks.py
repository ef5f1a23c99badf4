"""How fast the embedded broker's webhooks arrive, alone, many at once, and beside a target that never answers.

    python -m benchmarks.webhooks [--pacts 300] [--quick]

Everything goes through HTTP: the broker is a process of its own, the target a listener on loopback. The figures go to
standard output and to build/bench-webhooks.json.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from benchmarks.broker import THREADS, pact
from tests.support.processes import BrokerProcess
from tests.support.webhook_documents import OPEN, create, webhook
from tests.support.webhook_target import Target

if TYPE_CHECKING:
    from collections.abc import Iterator

RESULT = Path(__file__).parents[1] / "build" / "bench-webhooks.json"
INTERACTIONS = 10


def publication_ms(broker: BrokerProcess, numbers: Iterator[int], times: int) -> float:
    """Return the median time of a publication in milliseconds."""
    taken = []
    for _ in range(times):
        document = pact(next(numbers), INTERACTIONS)
        began = time.perf_counter()
        broker.publish(document, "1")
        taken.append((time.perf_counter() - began) * 1000)
    return statistics.median(taken)


def arrivals_ms(broker: BrokerProcess, target: Target, numbers: Iterator[int], times: int) -> list[float]:
    """Return the times from the beginning of a publication to the arrival of its webhook, in milliseconds."""
    taken = []
    for _ in range(times):
        document, before = pact(next(numbers), INTERACTIONS), len(target.received)
        began = time.perf_counter()
        broker.publish(document, "1")
        target.wait_for(before + 1)
        taken.append((time.perf_counter() - began) * 1000)
    return sorted(taken)


def burst(broker: BrokerProcess, target: Target, numbers: Iterator[int], pacts: int) -> float:
    """Return how many webhooks arrive in a second while several clients publish."""
    documents, before = [pact(next(numbers), INTERACTIONS) for _ in range(pacts)], len(target.received)
    began = time.perf_counter()
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(lambda document: broker.publish(document, "1"), documents))
    target.wait_for(before + pacts)
    return pacts / (time.perf_counter() - began)


def measure(pacts: int) -> dict[str, float]:
    """Return the figures by their names."""
    numbers, figures = iter(range(10**6)), {}
    with (
        tempfile.TemporaryDirectory() as directory,
        Target() as target,
        Target() as silent,
        BrokerProcess(Path(directory), *OPEN) as broker,
    ):
        figures["publication without a webhook, median ms"] = publication_ms(broker, numbers, pacts // 3)
        create(broker, webhook(f"{target.url}/hook"))
        arrivals = arrivals_ms(broker, target, numbers, pacts // 3)
        figures["publication to arrival, median ms"] = statistics.median(arrivals)
        figures["publication to arrival, 99 % within ms"] = arrivals[int(len(arrivals) * 0.99)]
        figures[f"arrivals a second, {THREADS} clients publishing"] = burst(broker, target, numbers, pacts)
        create(broker, webhook(f"{silent.url}/slow"))
        beside = arrivals_ms(broker, target, numbers, 3)
        figures["the same beside a target that never answers, median ms"] = statistics.median(beside)
    return figures


def main() -> None:
    """Measure, and print the figures."""
    parser = argparse.ArgumentParser(description="Time the embedded broker's webhooks.")
    parser.add_argument("--pacts", type=int, default=300, help="published by several clients at once")
    parser.add_argument("--quick", action="store_true", help="thirty pacts")
    options = parser.parse_args()
    figures = measure(30 if options.quick else options.pacts)
    table = Table(title=f"Webhooks, pacts of {INTERACTIONS} interactions")
    table.add_column("")
    table.add_column("", justify="right")
    for name, figure in figures.items():
        table.add_row(name, f"{figure:.1f}")
    Console().print(table)
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
