"""A receiver with a large history: how large its database is, how fast its pages, and what deleting the history costs.

    python -m benchmarks.history [--runs 1000000] [--seconds 120] [--quick] [--only sizes|pages|pruning] [--folder DIR]

The history is in the embedded PostgreSQL, with three deliveries for each run and a thousand providers. Making a million
runs takes ten minutes, and 25 GB of the disk for a while. The figures go to standard output and to
build/bench-history.json.
"""

from __future__ import annotations

import argparse
import json
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
from rich.console import Console
from rich.table import Table

from benchmarks import dashboard, pruning
from benchmarks.large_history import Size
from benchmarks.receiver import folder
from tests.support.receiver import ReceiverProcess

if TYPE_CHECKING:
    from collections.abc import Callable

RESULT = Path(__file__).parents[1] / "build" / "bench-history.json"
DELIVERIES_OF_A_RUN = 3
QUICK_RUNS = 50_000
MOST_TABLES = 8


def sizes(url: str, console: Console) -> dict[str, Any]:
    """Print how large the tables are, and what a run takes."""
    with psycopg.connect(url, autocommit=True) as connection:
        row = connection.execute(
            "SELECT (SELECT count(*) FROM runs), (SELECT count(*) FROM deliveries), "
            "pg_database_size(current_database())"
        ).fetchone()
        found = connection.execute(
            """
            SELECT relname, greatest(reltuples, 0)::bigint, pg_table_size(oid), pg_indexes_size(oid) FROM pg_class
            WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
            ORDER BY pg_total_relation_size(oid) DESC LIMIT %s
            """,
            [MOST_TABLES],
        ).fetchall()
    assert row is not None
    runs, deliveries, size = row
    table = Table(
        "table",
        "rows",
        "MB",
        "of indexes",
        "bytes a run",
        title=f"{runs:,} runs, {deliveries:,} deliveries: {size / 2**30:.1f} GB, {size / runs / 1024:.1f} KB a run",
    )
    for name, rows, data, indexes in found:
        table.add_row(
            name,
            f"{rows:,}",
            f"{data / 2**20:.0f}",
            f"{indexes / 2**20:.0f}",
            f"{(data + indexes) / runs:.0f}",
        )
    console.print(table)
    return {"runs": runs, "deliveries": deliveries, "bytes": size, "tables": found}


def main() -> None:
    """Measure, and print the figures."""
    parser = argparse.ArgumentParser(description="Measure a receiver with a large history.")
    parser.add_argument("--runs", type=int, default=1_000_000)
    parser.add_argument("--seconds", type=float, default=120.0, help="for how long dispatches come, twice")
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_RUNS} runs, and a short look")
    parser.add_argument("--only", choices=("sizes", "pages", "pruning"), help="measure one thing alone")
    parser.add_argument("--folder", type=Path, help="where the history is made, unless it is there, and kept")
    options = parser.parse_args()
    console = Console()
    runs = QUICK_RUNS if options.quick else options.runs
    size = Size(runs=runs, deliveries=runs * DELIVERIES_OF_A_RUN)
    with ExitStack() as stack:
        place = options.folder or stack.enter_context(folder())
        place.mkdir(parents=True, exist_ok=True)
        url, size = stack.enter_context(dashboard.filled(place, console, size))

        def delete() -> dict[str, Any]:
            with ReceiverProcess(place, size.configuration, command="web", database_url=url) as web:
                seconds = 15.0 if options.quick else options.seconds
                return pruning.measure(web, console, url, providers=size.providers, seconds=seconds)

        parts: dict[str, Callable[[], Any]] = {
            "sizes": lambda: sizes(url, console),
            "pages": lambda: dashboard.pages_of(url, size, options.quick, console, place),
            "pruning": delete,
        }
        figures = {name: part() for name, part in parts.items() if options.only in {None, name}}
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(figures, indent=2, default=str) + "\n", encoding="utf-8")
    console.print(f"Written to {RESULT}")


if __name__ == "__main__":
    main()
