from __future__ import annotations

import contextlib
import re
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import psycopg
import pytest
from psycopg_pool import PoolTimeout

from app.database.connections import ANSWER_SECONDS, await_tables, database, migrate, open_pool
from app.database.database_url import DatabaseUnusable, UrlUnusable, check_url
from app.database.schema import WORKS_SINCE
from tests.support.databases import of_database
from tests.support.paths import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from psycopg_pool import ConnectionPool

SECRET = "hunter2"


@pytest.fixture
def empty_url(postgres: str) -> Iterator[str]:
    """The URL of a database without tables."""
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute("CREATE DATABASE empty TEMPLATE template0")
        yield of_database(postgres, "empty")
        connection.execute("DROP DATABASE empty WITH (FORCE)")


@pytest.fixture
def locked_out(postgres: str) -> Iterator[str]:
    """The URL of a database that asks for a password; the URL has a wrong one."""
    with psycopg.connect(postgres, autocommit=True) as connection:
        row = connection.execute("SHOW hba_file").fetchone()
        assert row is not None
        hba = Path(row[0])
        before = hba.read_text()
        connection.execute("CREATE ROLE careful LOGIN PASSWORD 'correct'")
        hba.write_text(f"local all careful scram-sha-256\n{before}")
        connection.execute("SELECT pg_reload_conf()")
        yield postgres.replace("postgres@", f"careful:{SECRET}@")
        hba.write_text(before)
        connection.execute("SELECT pg_reload_conf()")
        connection.execute("DROP ROLE careful")


def refusal(url: str, kind: type[DatabaseUnusable] = DatabaseUnusable) -> str:
    with pytest.raises(kind) as raised, database(url, Path("/nonexistent")) as conninfo:
        migrate(conninfo)
    message = str(raised.value)
    assert SECRET not in message
    assert "\n" not in message
    return message


def signal_servers(url: str, *, stop: bool) -> None:
    """Freeze all processes of a server, or let them go on."""
    folder = re.sub(r".*host=([^&]+).*", r"\1", url).replace("%2F", "/")
    for process in psutil.process_iter(["name", "cwd"]):
        if process.info["name"] == "postgres" and (process.info["cwd"] or "").startswith(folder):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.suspend() if stop else process.resume()


def tables(url: str) -> set[tuple[str, str]]:
    """Every table, index and function, with what it is made of."""
    with psycopg.connect(url) as connection:
        return set(
            connection.execute(
                """
                SELECT 'column', table_name || '.' || column_name || ' ' || data_type || coalesce(column_default, '')
                FROM information_schema.columns WHERE table_schema = 'public'
                UNION ALL SELECT 'index', indexdef FROM pg_indexes WHERE schemaname = 'public'
                UNION ALL SELECT 'function', pg_get_functiondef(oid) FROM pg_proc
                WHERE pronamespace = 'public'::regnamespace
                """
            ).fetchall()
        )


def functions(url: str) -> set[str]:
    """The heads of all functions."""
    return {made.partition("\n")[0] for kind, made in tables(url) if kind == "function"}


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg", "PostgreSQL"])
def test_each_spelling_of_the_scheme_is_understood(database_url: str, scheme: str) -> None:
    with database(database_url.replace("postgresql", scheme, 1), Path("/nonexistent")) as conninfo:
        assert psycopg.connect(conninfo).execute("SELECT count(*) FROM runs").fetchone() == (0,)


@pytest.mark.parametrize(
    "url",
    [
        "",
        SECRET,
        f"mysql://user:{SECRET}@host/database",
        f"host=somewhere password={SECRET}",
        f"postgresql://user:p@{SECRET}@host/database",
        f"postgresql://user:p/{SECRET}@host/database",
        f"postgresql://user:p#{SECRET}@host/database",
        f"postgresql://user:p?{SECRET}@host/database",
        f"postgresql://user:%{SECRET}@host/database",
        f"postgresql://user:{SECRET}@host:port/database",
        f"postgresql://user:{SECRET}@host/database?nonsense=1",
        f"postgresql://user:{SECRET}@[::1/database",
        "postgresql://user:\x00@host/database",
    ],
)
def test_what_is_no_url_is_refused_without_repeating_it(url: str) -> None:
    assert refusal(url, UrlUnusable).startswith("DATABASE_URL ")
    with pytest.raises(UrlUnusable, match=r"^--to "):
        check_url(url, "--to")


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ("127.0.0.1:99999/things", "DATABASE_URL: the port is to be a number from 1 to 65535"),
        ("127.0.0.1:0/things", "DATABASE_URL: the port is to be a number from 1 to 65535"),
        ("a:5432,b:65536/things", "DATABASE_URL: the port is to be a number from 1 to 65535"),
        ("127.0.0.1/things?port=70000", "DATABASE_URL: the port is to be a number from 1 to 65535"),
        (
            "127.0.0.1/things?sslmode=full",
            "DATABASE_URL: sslmode is one of disable, allow, prefer, require, ",
        ),
        ("127.0.0.1/things?connect_timeout=soon", "DATABASE_URL: connect_timeout is a number of seconds"),
        ("127.0.0.1/things?keepalives=x", 'DATABASE_URL: invalid integer value "x" for connection option'),
        ("127.0.0.1/things?channel_binding=x", 'DATABASE_URL: invalid channel_binding value: "x"'),
        (
            "127.0.0.1/things?ssl_min_protocol_version=7",
            'DATABASE_URL: invalid "ssl_min_protocol_version" value',
        ),
        ("a,b/things?port=1,2,3", "DATABASE_URL: could not match 3 port numbers to 2 hosts"),
    ],
)
def test_a_part_of_a_url_that_can_not_be_is_named(parts: str, said: str) -> None:
    assert refusal(f"postgresql://user:{SECRET}@{parts}", UrlUnusable).startswith(said)


def test_database_that_is_away_is_named(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        message = refusal(f"postgresql://user:{SECRET}@127.0.0.1:{port}/things")
    assert (
        f"the database (host 127.0.0.1, port {port}, database things, user user) can't be connected to"
        in message
    )
    assert "check that it runs" in message

    assert "can't be connected to" in refusal(f"postgresql://user:{SECRET}@/things?host={tmp_path}")


def test_server_that_accepts_and_says_nothing_is_away_within_seconds() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert "timeout" in refusal(f"postgresql://user:{SECRET}@127.0.0.1:{silent.getsockname()[1]}/things")


def test_wrong_password_is_named(locked_out: str) -> None:
    message = refusal(locked_out)
    assert 'password authentication failed for user "careful"' in message
    assert "check the user and the password in DATABASE_URL" in message


def test_database_that_does_not_exist_is_named(postgres: str) -> None:
    assert "make it (CREATE ROLE, CREATE DATABASE)" in refusal(of_database(postgres, "missing"))


def test_user_who_may_not_make_tables_is_named(empty_url: str) -> None:
    with psycopg.connect(empty_url, autocommit=True) as connection:
        connection.execute("CREATE ROLE reader LOGIN")
    try:
        assert "permission denied for schema public" in refusal(empty_url.replace("postgres@", "reader@"))
    finally:
        with psycopg.connect(empty_url, autocommit=True) as connection:
            connection.execute("DROP ROLE reader")


def test_migrating_waits_for_a_database_that_comes_up(data_dir: Path) -> None:
    with database(None, data_dir) as url:
        pass
    waiting = threading.Thread(target=migrate, args=[url], kwargs={"wait": 60})
    waiting.start()
    with database(None, data_dir):
        waiting.join(60)
        with psycopg.connect(url) as connection:
            assert connection.execute("SELECT count(*) FROM runs").fetchone() == (0,)


def test_processes_that_migrate_at_once_make_each_table_once(empty_url: str, database_url: str) -> None:
    script = "import sys\nfrom app.database.connections import migrate\nmigrate(sys.argv[1])"
    processes = [subprocess.Popen([sys.executable, "-c", script, empty_url], cwd=ROOT) for _ in range(3)]
    assert [process.wait(60) for process in processes] == [0, 0, 0]
    assert tables(empty_url) == tables(database_url)


def test_migrating_again_changes_nothing(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute("INSERT INTO totals VALUES ('kept', '{}', 1)")
    before = tables(database_url)
    migrate(database_url)
    assert tables(database_url) == before
    with psycopg.connect(database_url) as connection:
        assert connection.execute("SELECT count(*) FROM totals").fetchone() == (1,)


def test_older_tables_of_the_queue_are_brought_up_to_date(empty_url: str, database_url: str) -> None:
    files = sorted((Path(sys.modules["procrastinate"].__path__[0]) / "sql" / "migrations").glob("*.sql"))
    old = [file for file in files if file.name < "03.02"]
    assert len(old) < len(files) - 3
    with psycopg.connect(empty_url, autocommit=True) as connection:
        connection.execute(
            "CREATE TABLE schema_versions (name text PRIMARY KEY, applied_at timestamptz DEFAULT now())"
        )
        for file in old:
            connection.execute(file.read_bytes())
            connection.execute("INSERT INTO schema_versions VALUES (%s)", [f"procrastinate/{file.name}"])
    migrate(empty_url)
    assert functions(database_url) <= functions(empty_url)
    with psycopg.connect(empty_url) as connection:
        assert connection.execute("SELECT count(*) FROM runs").fetchone() == (0,)


@pytest.mark.parametrize("newer", ["app/9999_later.sql", "procrastinate/99.00.00_01_later.sql"])
def test_tables_of_a_newer_version_are_refused(database_url: str, newer: str) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute("INSERT INTO schema_versions (name) VALUES (%s)", [newer])
    message = refusal(database_url)
    assert "was brought up to date by a newer version of pact-dispatch" in message
    assert newer in message
    assert "restore a backup from before (`pact-dispatch database restore`" in message


def test_tables_of_the_next_release_are_worked_with(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "INSERT INTO schema_versions (name, works_since) VALUES ('app/9998_next.sql', %s)", [WORKS_SINCE]
        )
    assert migrate(database_url) == []
    await_tables(database_url, wait=0)
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "INSERT INTO schema_versions (name, works_since) VALUES ('app/9999_later.sql', 'app/9998_next.sql')"
        )
    assert "it has app/9999_later.sql" in refusal(database_url)


def test_another_programs_queue_is_refused_untouched(empty_url: str) -> None:
    schema = Path(sys.modules["procrastinate"].__path__[0]) / "sql" / "schema.sql"
    with psycopg.connect(empty_url) as connection:
        connection.execute(schema.read_bytes())
    assert "give pact-dispatch a database of its own" in refusal(empty_url)


def test_statement_that_takes_too_long_is_ended(database_url: str) -> None:
    with open_pool(database_url, size=1) as pool:
        with pytest.raises(psycopg.errors.QueryCanceled), pool.connection() as connection:
            connection.execute("SELECT pg_sleep(60)")
        with pool.connection() as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)


def test_frozen_database_fails_within_seconds_and_comes_back(data_dir: Path) -> None:
    with database(None, data_dir) as url, open_pool(url, size=2) as pool:
        with pool.connection() as connection:
            connection.execute("SELECT 1")
            signal_servers(url, stop=True)
            began = time.monotonic()
            with pytest.raises(psycopg.OperationalError, match="no answer"):
                connection.execute("SELECT 2")
            assert time.monotonic() - began > ANSWER_SECONDS - 1
        with pytest.raises(PoolTimeout), pool.connection():
            pass

        signal_servers(url, stop=False)
        wait_until_it_answers(pool)


def test_database_that_was_away_comes_back(data_dir: Path) -> None:
    with database(None, data_dir) as url:
        pass
    with open_pool(url, size=2) as pool:
        for _ in range(3):
            with pytest.raises(PoolTimeout), pool.connection():
                pass
        for _ in range(2):
            with database(None, data_dir):
                wait_until_it_answers(pool)


def wait_until_it_answers(pool: ConnectionPool[Any]) -> None:
    began = time.monotonic()
    while True:
        try:
            with pool.connection() as connection:
                connection.execute("SELECT 1")
            return
        except (psycopg.OperationalError, PoolTimeout):
            assert time.monotonic() - began < 60


def test_a_process_that_is_frozen_in_a_transaction_keeps_its_locks_from_nobody(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_pool(database_url, size=1) as others:
        others.wait()  # theirs is the usual time: who waits for a processor is not frozen
        monkeypatch.setattr("app.database.connections.IDLE_SECONDS", 0.5)
        with open_pool(database_url, size=1) as pool, pool.connection() as frozen:
            frozen.execute("SELECT pg_advisory_xact_lock(1)")
            with others.connection() as other:
                other.execute("SELECT pg_advisory_xact_lock(1)")
            with pytest.raises(psycopg.errors.IdleInTransactionSessionTimeout):
                frozen.execute("SELECT 1")


def test_statements_are_planned_for_their_values_however_often_they_are_executed(database_url: str) -> None:
    query = "SELECT id FROM runs WHERE sha LIKE %s ORDER BY created_at DESC LIMIT 10"
    with open_pool(database_url, size=1) as pool, pool.connection() as connection:
        for number in range(20):
            connection.execute(query, [f"{number}%"])
        plans = connection.execute(
            "SELECT custom_plans, generic_plans FROM pg_prepared_statements WHERE statement LIKE '%sha LIKE%'"
        ).fetchone()
    assert plans is not None
    custom, generic = plans
    assert (custom > 10, generic) == (True, 0)
