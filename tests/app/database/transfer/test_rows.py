"""Rows that are copied from one receiver's database into another one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from app.database.transfer.rows import Differs, copy_rows, fingerprints, sequences
from app.dispatch import Dispatch
from app.records import deliveries
from app.records.deliveries import IncomingDelivery, Source
from tests.support.databases import fresh_database
from tests.support.history_rows import add_history

if TYPE_CHECKING:
    from collections.abc import Iterator

    from psycopg import Connection

PACT = "http://broker.example.org/pacts/provider/P/consumer/C/latest"
ODD = "a\tb\\N\n\"'\u2028\U0001f600\\."


@pytest.fixture
def source(database_url: str) -> Iterator[Connection[Any]]:
    add_history(database_url, runs=30, refused=3)
    with psycopg.connect(database_url, autocommit=True) as connection:
        for number in range(3):
            dispatch = Dispatch("a/b", "e", f"{PACT}?{number}")
            deliveries.accept(connection, IncomingDelivery(Source.API), dispatch, provider=ODD, lock=ODD)
        connection.execute("INSERT INTO paused_providers (provider, paused_by) VALUES (%s, %s)", (ODD, ODD))
        connection.execute(
            "UPDATE runs SET parent_id = (SELECT max(id::text)::uuid FROM runs) WHERE interactions = 10"
        )
        yield connection


@pytest.fixture
def target(postgres: str) -> Iterator[Connection[Any]]:
    with fresh_database(postgres) as url, psycopg.connect(url, autocommit=True) as connection:
        yield connection


def indexes(connection: Connection[Any]) -> list[Any]:
    return connection.execute(
        "SELECT tablename, indexname, indexdef FROM pg_indexes ORDER BY 1, 2"
    ).fetchall()


def told(_: str) -> None:
    pass


def test_everything_arrives_as_it_was_and_nothing_is_done_again(
    source: Connection[Any], target: Connection[Any]
) -> None:
    add_history(target.info.dsn, runs=5)  # which is replaced
    copied = copy_rows(source, target, told)

    assert fingerprints(target) == fingerprints(source)
    assert sequences(target) == sequences(source)
    assert copied.rows == {table: rows for table, (rows, _) in fingerprints(source).items()}
    assert copied.rows["procrastinate_jobs"] == 3
    assert copied.left_out == ()
    assert indexes(target) == indexes(source)
    disabled = target.execute("SELECT tgname FROM pg_trigger WHERE tgenabled = 'D'").fetchall()
    assert disabled == []
    keys = [
        connection.execute("SELECT value FROM signing_keys").fetchone() for connection in (source, target)
    ]
    assert keys[0] == keys[1]


def test_what_is_none_of_a_receivers_is_left_and_named(
    source: Connection[Any], target: Connection[Any]
) -> None:
    source.execute("CREATE TABLE notes (text text)")
    source.execute("ALTER TABLE runs ADD COLUMN note text")
    assert copy_rows(source, target, told).left_out == ("notes", "runs.note")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("ALTER TABLE actions DROP COLUMN who", "its table actions has no column who"),
        ("DROP TABLE actions", "it has no table actions"),
        (
            "INSERT INTO schema_versions (name) VALUES ('app/9999_x.sql')",
            "a newer version of pact-dispatch has made",
        ),
        ("DELETE FROM schema_versions WHERE name LIKE 'app/0016%'", "it lacks app/0016_refused"),
    ],
)
def test_a_database_with_other_tables_is_refused_and_nothing_changes(
    source: Connection[Any], target: Connection[Any], change: str, said: str
) -> None:
    add_history(target.info.dsn, runs=5)
    before = fingerprints(target)
    source.execute(change.encode())
    with pytest.raises(Differs, match=said):
        copy_rows(source, target, told)
    assert fingerprints(target) == before


def test_what_arrives_otherwise_is_noticed_and_undone(
    source: Connection[Any], target: Connection[Any]
) -> None:
    before = fingerprints(target)
    source.execute("UPDATE runs SET error_output = 'ab'")
    target.execute("ALTER TABLE runs ALTER COLUMN error_output TYPE varchar(1)")
    with pytest.raises(psycopg.DataError):
        copy_rows(source, target, told)
    target.execute("ALTER TABLE runs ALTER COLUMN error_output TYPE char(4)")
    with pytest.raises(
        Differs, match="the table runs differs after it was copied: 33 rows were sent, and 33 arrived"
    ):
        copy_rows(source, target, told)
    assert fingerprints(target) == before


def test_a_row_that_refers_to_nothing_is_refused(source: Connection[Any], target: Connection[Any]) -> None:
    source.execute("ALTER TABLE run_logs DROP CONSTRAINT run_logs_run_id_fkey")
    source.execute("INSERT INTO run_logs VALUES (gen_random_uuid(), '')")
    with pytest.raises(psycopg.errors.ForeignKeyViolation):
        copy_rows(source, target, told)


def test_tables_that_are_older_or_newer_are_named_with_what_to_do(
    source: Connection[Any], target: Connection[Any]
) -> None:
    newer = "INSERT INTO schema_versions (name, works_since) VALUES ('app/9999_next.sql', 'app/0001')"
    target.execute(newer)
    with pytest.raises(Differs, match=r"tables that it should go to .* a new and empty database"):
        copy_rows(source, target, told)
    target.execute("DELETE FROM schema_versions WHERE name = 'app/9999_next.sql'")
    source.execute("DELETE FROM schema_versions WHERE name LIKE 'app/0023%'")
    with pytest.raises(Differs, match=r"it lacks app/0023.*: run `pact-dispatch migrate` for it first"):
        copy_rows(source, target, told)
    source.execute(newer)
    with pytest.raises(Differs, match=r"it has app/9999_next\.sql\): do this with that version"):
        copy_rows(source, target, told)
