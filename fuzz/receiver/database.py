"""A receiver's database, with a run in it."""

from __future__ import annotations

import json
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import psycopg

from app.database.connections import database, migrate
from fuzz.receiver.requests import PACT
from tests.support.databases import reachable_folder
from tests.support.history_rows import add_history
from verifier.verification import Verification

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def receiver_database() -> Iterator[str]:
    """Start a PostgreSQL with the receiver's tables; the URL of its database."""
    with reachable_folder() as folder, database(None, folder) as url:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("ALTER SYSTEM SET fsync = off")
            connection.execute("SELECT pg_reload_conf()")
        migrate(url)
        yield url


def with_history(url: str) -> tuple[str, str]:
    """Add a finished run and its delivery, and return their ids."""
    add_history(url, runs=1)
    verification = Verification(
        id="v", pact_url=PACT, started_at=datetime.now(UTC), consumer="C", provider="P"
    )
    with psycopg.connect(url) as connection:
        connection.execute("UPDATE runs SET verification = %s", [json.dumps(verification.to_dict())])
        [run] = connection.execute("SELECT id FROM runs LIMIT 1").fetchall()
        [delivery] = connection.execute("SELECT id FROM deliveries LIMIT 1").fetchall()
    return str(run[0]), str(delivery[0])
