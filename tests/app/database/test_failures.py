"""What an error of the database means, by the errors of a real one."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from psycopg.types.json import Jsonb
from psycopg_pool import PoolClosed, PoolTimeout

from app.database.connections import open_pool
from app.database.failures import is_away, is_unstorable, may_pass
from tests.support.databases import of_database

if TYPE_CHECKING:
    from pathlib import Path


def failure(url: str, statement: str, *values: Any, options: str = "") -> Exception:
    with pytest.raises((psycopg.Error, UnicodeError)) as raised, psycopg.connect(url, options=options) as one:
        one.execute(statement.encode(), values or None)
    return raised.value


def ask_until_refused(connection: psycopg.Connection[Any]) -> None:
    while True:
        connection.execute("SELECT 1")
        time.sleep(0.01)


def idle_failure(url: str) -> Exception:
    with (
        psycopg.connect(url, options="-c idle_in_transaction_session_timeout=1") as one,
        pytest.raises(psycopg.Error) as raised,
    ):
        ask_until_refused(one)
    return raised.value


def test_only_a_database_that_cannot_serve_anybody_is_away(
    database_url: str, postgres: str, tmp_path: Path
) -> None:
    for away in (
        failure(f"postgresql:///things?host={tmp_path}", "SELECT 1"),
        failure(of_database(postgres, "nowhere"), "SELECT 1"),
        failure(database_url, "SELECT pg_terminate_backend(pg_backend_pid())"),
        failure(
            database_url, "DELETE FROM runs; DROP TABLE runs", options="-c default_transaction_read_only=on"
        ),
        idle_failure(database_url),
    ):
        assert (is_away(away), may_pass(away), is_unstorable(away)) == (True, True, False), away
    for wrong in ("SELECT nothing", "INSERT INTO runs (id) VALUES (NULL)", "SELECT FROM nowhere"):
        error = failure(database_url, wrong)
        assert (is_away(error), may_pass(error), is_unstorable(error)) == (False, False, False), wrong
    slow = failure(database_url, "SELECT pg_sleep(60)", options="-c statement_timeout=10")
    assert (is_away(slow), may_pass(slow), is_unstorable(slow)) == (False, True, False)
    assert not is_away(ValueError())
    assert not may_pass(ValueError())
    assert not is_unstorable(ValueError())


def test_a_value_that_can_not_be_stored_is_no_database_that_is_away(database_url: str) -> None:
    long = "".join(random.Random(1).choices("abcdefghijklmnopqrstuvwxyz0123456789", k=8000))
    deep: list[Any] = []
    for _ in range(900):
        deep = [deep]
    store = "INSERT INTO totals (name, labels, value) VALUES (%s, %s, 1)"
    for error in (
        failure(database_url, store, long, Jsonb({})),
        failure(database_url, store, "name", Jsonb({"label": "\0"})),
        failure(database_url, store, "name", Jsonb({"label": "\ud800"})),
        failure(database_url, store, "\ud800", Jsonb({})),
        failure(database_url, store, "\0", Jsonb({})),
        failure(database_url, store, "name", Jsonb(deep), options="-c max_stack_depth=100kB"),
        failure(database_url, "SELECT 1/0"),
    ):
        assert (is_away(error), may_pass(error), is_unstorable(error)) == (False, False, True), repr(error)


def test_a_pool_without_a_connection_means_that_the_database_is_away(database_url: str) -> None:
    with open_pool(database_url, size=1) as pool:
        with pool.connection(), pytest.raises(PoolTimeout) as raised:
            pool.getconn(timeout=0.01)
        assert is_away(raised.value)
    with pytest.raises(PoolClosed) as closed:
        pool.getconn()
    assert is_away(closed.value)


@pytest.mark.parametrize(
    ("error", "away", "passing"),
    [
        (psycopg.errors.TooManyConnections(), True, True),
        (psycopg.errors.DiskFull(), True, True),
        (psycopg.errors.AdminShutdown(), True, True),
        (psycopg.errors.CannotConnectNow(), True, True),
        (psycopg.errors.ConnectionFailure(), True, True),
        (psycopg.errors.ReadOnlySqlTransaction(), True, True),
        (psycopg.errors.IoError(), True, True),
        (psycopg.errors.QueryCanceled(), False, True),
        (psycopg.errors.LockNotAvailable(), False, True),
        (psycopg.errors.DeadlockDetected(), False, True),
        (psycopg.errors.ProgramLimitExceeded(), False, False),
        (psycopg.errors.StatementTooComplex(), False, False),
        (psycopg.errors.InsufficientPrivilege(), False, False),
    ],
)
def test_the_server_s_own_words_tell_whether_another_try_may_work(
    error: psycopg.Error, *, away: bool, passing: bool
) -> None:
    assert (is_away(error), may_pass(error)) == (away, passing)
