"""What a dump of the receiver's database, a restore, a move to another PostgreSQL and an upgrade of PostgreSQL cost.

    python -m benchmarks.backup [--runs 100000] [--quick]

Each is the command in a process of its own. The move is to a PostgreSQL of a distribution with TLS, if there is one on
this machine; the upgrade is from PostgreSQL 16, whose programs come with the embedded one. The figures go to standard
output and to build/bench-backup.json.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from rich.table import Table

from app.database.connections import database, migrate
from benchmarks.receiver import folder
from tests.support.foreign_postgres import foreign_postgres, older_embedded
from tests.support.history_rows import add_history
from tests.support.processes import BIN

RESULT = Path(__file__).parents[1] / "build" / "bench-backup.json"
QUICK_RUNS = 5_000


def timed(*words: str | Path, **variables: str) -> float:
    """Return the seconds that a command takes."""
    kept = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
    began = time.monotonic()
    subprocess.run([BIN / "pact-dispatch", "database", *words], check=True, env={**kept, **variables})
    return time.monotonic() - began


def measure(place: Path, runs: int) -> dict[str, Any]:
    """Make the history, and return what each command took, in seconds."""
    data, dump = place / "data", place / "a.dump"
    with database(None, data) as url:
        migrate(url)
        add_history(url, runs=runs)
    found: dict[str, Any] = {"runs": runs}
    found["dump"] = timed("dump", "--data-dir", data, dump)
    found["dump_bytes"] = dump.stat().st_size
    info = subprocess.run(
        [BIN / "pact-dispatch", "database", "info", "--json", "--data-dir", data],
        check=True,
        capture_output=True,
    )
    found["database_bytes"] = json.loads(info.stdout)["database_bytes"]
    found["restore"] = timed("restore", "--data-dir", place / "restored", dump)
    shutil.rmtree(place / "restored")
    try:
        with foreign_postgres(place) as foreign:
            found["move"] = timed("move", "--data-dir", data, DATABASE_URL=foreign.url)
            found["move_to"] = f"PostgreSQL {foreign.major}"
    except pytest.skip.Exception as skipped:
        found["move_to"] = str(skipped)
    (place / "old").mkdir(mode=0o755)
    with older_embedded(place / "old") as url:
        migrate(url)
        add_history(url, runs=runs)
    found["upgrade"] = timed("upgrade", "--data-dir", place / "old")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=100_000)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    with folder() as place:
        found = measure(place, QUICK_RUNS if options.quick else options.runs)
    table = Table("", "s", title=f"{found['runs']:,} runs, {found['database_bytes'] / 1e6:.0f} MB")
    for command in ("dump", "restore", "move", "upgrade"):
        if command in found:
            table.add_row(command, f"{found[command]:.1f}")
    console = Console()
    console.print(table)
    console.print(f"the dump has {found['dump_bytes'] / 1e6:.0f} MB; moved to: {found['move_to']}")
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
