"""A month of a large receiver's history, made in SQL: what its pages and lists are measured with."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg.types.json import Jsonb

from app.database import schema
from app.records import counters
from benchmarks.verify import BIN, ENVIRONMENT, pact_document
from tests.support.receiver import configuration

if TYPE_CHECKING:
    from collections.abc import Iterator

MAKE = Path(__file__).with_name("history.sql")
BROKER = "http://broker.example.org"
LINES_OF_A_CHUNK = 40
BULK = {
    "synchronous_commit": "off",
    "session_replication_role": "replica",
    "work_mem": "256MB",
    "maintenance_work_mem": "1GB",
}
"""What makes it quicker to fill a database."""


@dataclass(frozen=True)
class Size:
    """How much there is.

    Attributes:
        runs: The number of runs, about.
        providers: The number of providers.
        deliveries: The number of deliveries.
        days: The days from the oldest to the newest.
    """

    runs: int = 100_000
    providers: int = 1_000
    deliveries: int = 300_000
    days: int = 30

    @property
    def configuration(self) -> str:
        """A pact-dispatch.toml with all of the providers."""
        providers = (
            {
                "name": f"Provider {rank:04}",
                "repository": f"acme/provider-{rank:04}",
                "base_url": f"http://127.0.0.1:1/{rank}",
                "version": f"{rank:040x}",
                "branch": "main",
            }
            for rank in range(1, self.providers + 1)
        )
        return configuration(BROKER, *providers)


def make(conninfo: str, size: Size) -> None:
    """Make the tables, and fill them.

    Args:
        conninfo: An empty database.
        size: How much there is to be.
    """
    with psycopg.connect(conninfo, autocommit=True) as connection, _in_bulk(connection):
        schema.migrate(connection)
        indexes = _drop_indexes(connection)
        connection.execute("CREATE TEMP TABLE size (runs int, providers int, deliveries int, days int)")
        connection.execute(
            "INSERT INTO size VALUES (%s, %s, %s, %s)",
            [size.runs, size.providers, size.deliveries, size.days],
        )
        connection.execute("CREATE TEMP TABLE form (outcome text, interactions int, document jsonb)")
        connection.execute("CREATE TEMP TABLE form_log (interactions int, text text)")
        for outcome, interactions, document in saved_forms():
            connection.execute(
                "INSERT INTO form VALUES (%s, %s, %s)", [outcome, interactions, Jsonb(document)]
            )
        for interactions in (5, 50):
            connection.execute("INSERT INTO form_log VALUES (%s, %s)", [interactions, _log()])
        connection.execute(MAKE.read_bytes())
        for index in indexes:
            connection.execute(index.encode())
        while counters.add_up(connection):
            pass
        connection.execute("VACUUM ANALYZE")


@contextmanager
def _in_bulk(connection: psycopg.Connection[Any]) -> Iterator[None]:
    """Have the database take in much at once: no trigger runs, and nothing that is referred to is looked for."""
    connection.execute("ALTER SYSTEM SET max_wal_size = '16GB'")
    connection.execute("SELECT pg_reload_conf()")
    for name, value in BULK.items():
        connection.execute("SELECT set_config(%s, %s, false)", [name, value])
    yield
    connection.execute("ALTER SYSTEM RESET max_wal_size")
    connection.execute("SELECT pg_reload_conf()")


def _drop_indexes(connection: psycopg.Connection[Any]) -> list[str]:
    """Drop the indexes of the receiver's tables that hold no constraint, and return what makes them."""
    found = connection.execute(
        """
        SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid) FROM pg_index
        WHERE indrelid = ANY(%s::regclass[]) AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid)
        """,
        [["runs", "deliveries", "commit_statuses"]],
    ).fetchall()
    for name, _ in found:
        connection.execute(f"DROP INDEX {name}".encode())
    return [definition for _, definition in found]


def saved_forms() -> Iterator[tuple[str, int, dict[str, Any]]]:
    """Return saved forms of real verifications, each with its outcome and the number of interactions."""
    command = [sys.executable, "-m", "benchmarks.provider"]
    with (
        tempfile.TemporaryDirectory() as folder,
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as provider,
    ):
        assert provider.stdout is not None
        assert provider.stdin is not None
        url = f"http://127.0.0.1:{int(provider.stdout.readline())}"
        for interactions in (5, 50):
            yield "passed", interactions, _verify(Path(folder), url, interactions)
            yield "failed", interactions, _verify(Path(folder), url, interactions, broken=2)
            yield "error", interactions, _verify(Path(folder), "http://127.0.0.1:1", interactions)
        provider.stdin.close()


def _verify(folder: Path, url: str, interactions: int, broken: int = 0) -> dict[str, Any]:
    document = pact_document(interactions)
    for interaction in document["interactions"][:broken]:
        interaction["response"]["body"]["content"] |= {"price": 39.5, "stock": {"berlin": 4}}
    pact, saved = folder / "pact.json", folder / "verification.json"
    pact.write_text(json.dumps(document), encoding="utf-8")
    subprocess.run(
        [str(BIN / "verify"), str(pact), "--provider-base-url", url, "--wait", "0.1", "--json", str(saved)],
        cwd=folder,
        env=ENVIRONMENT,
        capture_output=True,
        check=False,
    )
    found: dict[str, Any] = json.loads(saved.read_text(encoding="utf-8"))
    return found


def _log() -> str:
    """Return as many lines as a chunk of a log has."""
    lines = (
        f"10:42:{number:02}.{number * 37 % 1000:03} GET /products/{number} answered 200 in {number * 7 % 90} ms, "
        f"request {number * 2654435761 % 2**32:08x}{number * 40503 % 2**32:08x}"
        for number in range(LINES_OF_A_CHUNK)
    )
    return "\n".join(lines)
