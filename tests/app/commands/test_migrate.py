"""What `migrate` does with the tables of a database, and what is left to a role that may make none."""

from __future__ import annotations

import re
from contextlib import contextmanager
from itertools import count
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg import sql

from app.database.connections import await_tables
from app.database.database_url import DatabaseUnusable
from tests.support.commands import pact_dispatch
from tests.support.databases import of_database
from tests.support.paths import ROOT
from tests.support.receiver import API_TOKEN, ReceiverProcess, configuration

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from subprocess import CompletedProcess

numbers = count(1)


@pytest.fixture
def empty_url(postgres: str) -> Iterator[str]:
    """The URL of a database without tables."""
    name = f"to_migrate_{next(numbers)}"
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        yield of_database(postgres, name)
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@contextmanager
def roles(postgres: str, url: str) -> Iterator[tuple[str, str]]:
    """The two roles that the documentation makes; gives the URLs for the one that migrates, and for the others."""
    rights = "NOSUPERUSER NOCREATEDB NOCREATEROLE"
    page = (ROOT / "docs" / "database.md").read_text(encoding="utf-8")
    [grants] = re.findall(r"```sql\n(GRANT .*?)```", page, re.DOTALL)
    with psycopg.connect(postgres, autocommit=True) as connection, psycopg.connect(url) as inside:
        for name in ("pact_dispatch_owner", "pact_dispatch"):
            connection.execute(f"CREATE ROLE {name} LOGIN {rights}".encode())
        connection.execute(f"ALTER DATABASE {inside.info.dbname} OWNER TO pact_dispatch_owner".encode())
    owner, other = (url.replace("postgres@", f"{name}@") for name in ("pact_dispatch_owner", "pact_dispatch"))
    try:
        with psycopg.connect(owner) as connection:
            connection.execute(grants.encode())
        yield owner, other
    finally:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("DROP OWNED BY pact_dispatch")
            connection.execute("DROP OWNED BY pact_dispatch_owner CASCADE")
            connection.execute(f"ALTER DATABASE {connection.info.dbname} OWNER TO postgres".encode())
            connection.execute("DROP ROLE pact_dispatch_owner")
            connection.execute("DROP ROLE pact_dispatch")


def migrate(url: str, *options: str) -> CompletedProcess[str]:
    return pact_dispatch("migrate", *options, environment={"DATABASE_URL": url})


def test_it_makes_the_tables_without_a_configuration_and_then_finds_nothing_to_do(empty_url: str) -> None:
    first, second = migrate(empty_url), migrate(empty_url)

    assert (first.returncode, second.returncode) == (0, 0)
    assert "applied app/0001_deliveries_and_runs.sql" in first.stderr
    assert first.stderr.splitlines()[-1].endswith("migrations applied")
    assert second.stderr.splitlines()[-1].endswith("is up to date: nothing was missing")
    with psycopg.connect(empty_url) as connection:
        assert connection.execute("SELECT count(*) FROM runs").fetchone() == (0,)


def test_a_database_that_cannot_be_used_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.commands.migrate.command.MIGRATE_SECONDS", 0)
    away = migrate("postgresql://postgres@127.0.0.1:9/none")
    wrong = migrate("mysql://postgres@127.0.0.1:9/none")

    assert (away.returncode, wrong.returncode) == (3, 2)
    assert "can't be connected to" in away.stderr
    assert "DATABASE_URL is not of the form" in wrong.stderr


def test_the_receiver_works_with_a_role_that_may_make_nothing(
    postgres: str, empty_url: str, tmp_path: Path
) -> None:
    config = configuration(
        "http://127.0.0.1:9", {"base_url": "http://127.0.0.1:9", "version": "1", "wait": 600}
    )
    with roles(postgres, empty_url) as (owner, other):
        refused = migrate(other)
        assert migrate(owner).returncode == 0
        with (
            ReceiverProcess(tmp_path, config, "--no-migrate", command="web", database_url=other) as web,
            ReceiverProcess(tmp_path, config, "--no-migrate", command="worker", database_url=other) as worker,
        ):
            answer = web.dispatch("http://127.0.0.1:9/pacts/provider/Products/consumer/C/version/1")
            assert answer.status_code == 204
            [run] = worker.wait_until(
                lambda: worker.rows("SELECT id FROM runs WHERE status = 'running'"), "it runs"
            )
            cancelled = web.session.post(
                f"{web.url}/api/runs/{run['id']}/cancel", headers={"Authorization": f"Bearer {API_TOKEN}"}
            )
            [ended] = worker.wait_for_runs()
            denied = [line for line in (web.output() + worker.output()).splitlines() if "denied" in line]

    assert refused.returncode == 3
    assert "have `pact-dispatch migrate` do it, as a role that may make tables" in refused.stderr
    assert (cancelled.status_code, ended["status"], denied) == (202, "cancelled", [])


def test_a_process_that_may_not_migrate_waits_for_the_tables(
    empty_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(DatabaseUnusable, match="Run `pact-dispatch migrate` of this version"):
        await_tables(empty_url, wait=0)
    monkeypatch.setattr("app.database.connections.time.sleep", lambda _: migrate(empty_url))

    await_tables(empty_url, wait=60)
