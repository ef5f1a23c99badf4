"""Whatever is dispatched or runs while old rows are being deleted, waits for none of their locks."""

from __future__ import annotations

from datetime import UTC, datetime
from importlib.resources import files
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import psycopg
import pytest

from app.dispatch import PUSH, Dispatch, PushOrder
from app.records import counters, deliveries, retention, runs
from app.records.deliveries import Accepted, IncomingDelivery, Repeated, Source
from app.records.run import Failure
from app.records.run_changes import RunChanges
from app.records.run_log import RunLog, store_log

if TYPE_CHECKING:
    from collections.abc import Iterator

    from psycopg import Connection

    from app.records.run import Run

DAYS = 30
CHANGES = RunChanges()
VERIFIED = {
    "outcome": "passed",
    "consumer": "C",
    "pact_url": "http://broker.example.org/pacts/provider/P/consumer/C/version/1",
    "provider_version": "1",
    "interactions": [],
}
ONCE_MORE = "0b989ba4-242f-11e5-81e1-c7b6966d2516"
AGED = "UPDATE runs SET status = 'finished', outcome = 'passed', finished_at = now() - interval '31 days' WHERE id = %s"


def dispatch(number: int) -> Dispatch:
    pact = f"http://broker.example.org/pacts/provider/P/consumer/C/version/{number}"
    return Dispatch("acme/p", "pact_changed", pact, None, None)


def push(second: int) -> Dispatch:
    commit = f"{second:040x}"
    order = PushOrder(commit, None, datetime(2026, 1, 1, 0, 0, second, tzinfo=UTC))
    return Dispatch("acme/p", PUSH, None, commit, "main", push_order=order)


def accept(
    connection: Connection[Any], asked: Dispatch, source: Source = Source.API, github_id: str | None = None
) -> Accepted | Repeated:
    delivery = IncomingDelivery(source, github_id=github_id)
    return deliveries.accept(connection, delivery, asked, provider="P", lock="provider P")


def run_of(connection: Connection[Any], asked: Dispatch, *more: Any) -> UUID:
    accepted = accept(connection, asked, *more)
    assert isinstance(accepted, Accepted)
    return accepted.run_id


def begin(connection: Connection[Any], run_id: UUID) -> Run:
    waiting = runs.get(connection, run_id)
    assert waiting is not None
    assert waiting.job_id is not None
    run = CHANGES.begin(connection, run_id, waiting.job_id, "worker")
    assert run is not None
    return run


class Receiver:
    """A receiver with what is old and what isn't, whose connection waits for no lock."""

    def __init__(self, database_url: str) -> None:
        connection = psycopg.connect(database_url, autocommit=True)
        self.connection = connection
        self.old = [run_of(connection, dispatch(1), Source.GITHUB, ONCE_MORE), run_of(connection, push(9))]
        parent = begin(
            connection, run_of(connection, Dispatch("acme/p", "provider_changed", None, None, "x"))
        )
        members = [CHANGES.verified_one(connection, parent, VERIFIED, uuid4(), pending=False) for _ in "ab"]
        self.pending, published = [member for member in members if member is not None]
        connection.execute("UPDATE runs SET publishing = 'published' WHERE id = %s", [published.id])
        self.parent = parent.id
        self.old.append(published.id)
        for run_id in (*self.old, self.pending.id, self.parent):
            connection.execute(AGED, [run_id])
        connection.execute(
            "INSERT INTO deliveries (id, received_at, source, status, refusal) "
            "VALUES (gen_random_uuid(), now() - interval '31 days', 'api', 401, 'bad-token')"
        )
        connection.execute(
            "INSERT INTO actions (at, who, action, via) VALUES (now() - interval '31 days', 'ann', 'pause', 'api')"
        )
        connection.execute("UPDATE latest_results SET ended_at = now() - interval '31 days'")
        counters.add_up(connection)
        self.waiting = run_of(connection, dispatch(2))
        self.running = begin(connection, run_of(connection, dispatch(3)))
        connection.execute("SET lock_timeout = '1ms'")

    def delete_old(self, pruning: Connection[Any]) -> None:
        """Delete what is old, and commit nothing."""
        for step in (*retention.SHOWN, *retention.HISTORY):
            step(pruning, DAYS, 500)
        [left] = pruning.execute("SELECT count(*) FROM runs WHERE id = ANY(%s)", [self.old]).fetchone() or [
            None
        ]
        assert left == 0


@pytest.fixture
def receiver(database_url: str) -> Iterator[Receiver]:
    made = Receiver(database_url)
    with made.connection:
        yield made


@pytest.fixture
def pruning(database_url: str, receiver: Receiver) -> Iterator[Connection[Any]]:
    """A transaction that has deleted what is old, and is still open."""
    with psycopg.connect(database_url) as connection:
        receiver.delete_old(connection)
        yield connection


def test_a_dispatch_is_stored_while_old_runs_are_deleted(
    receiver: Receiver, pruning: Connection[Any]
) -> None:
    new = accept(receiver.connection, dispatch(4))
    assert isinstance(new, Accepted)
    assert not new.coalesced
    waiting = accept(receiver.connection, dispatch(2))
    assert isinstance(waiting, Accepted)
    assert (waiting.run_id, waiting.coalesced) == (receiver.waiting, True)
    pruning.commit()


def test_a_delivery_that_repeats_one_of_a_run_that_is_being_deleted_is_stored(
    receiver: Receiver, pruning: Connection[Any]
) -> None:
    repeated = accept(receiver.connection, dispatch(1), Source.GITHUB, ONCE_MORE)
    assert isinstance(repeated, Repeated)
    deliveries.repeat(receiver.connection, IncomingDelivery(Source.GITHUB, github_id=ONCE_MORE), repeated)
    pruning.commit()
    deliveries.repeat(receiver.connection, IncomingDelivery(Source.GITHUB, github_id=ONCE_MORE), repeated)
    stored = receiver.connection.execute("SELECT run_id FROM deliveries WHERE repeats IS NOT NULL").fetchall()
    assert stored == [(None,), (None,)]


def test_an_older_push_than_one_that_is_being_deleted_is_carried_out(
    receiver: Receiver, pruning: Connection[Any]
) -> None:
    accepted = accept(receiver.connection, push(8), Source.GITHUB)
    assert isinstance(accepted, Accepted)
    assert accepted.detail is None
    pruning.commit()


def test_a_delivery_refers_to_an_old_run_that_nobody_deletes(receiver: Receiver) -> None:
    """One that is locked by somebody who changes it among them."""
    repeated = accept(receiver.connection, dispatch(1), Source.GITHUB, ONCE_MORE)
    assert isinstance(repeated, Repeated)
    deliveries.repeat(receiver.connection, IncomingDelivery(Source.GITHUB, github_id=ONCE_MORE), repeated)
    stored = receiver.connection.execute("SELECT run_id FROM deliveries WHERE repeats IS NOT NULL").fetchall()
    assert stored == [(receiver.old[0],)]
    older = accept(receiver.connection, push(8), Source.GITHUB)
    assert isinstance(older, Accepted)
    assert older.run_id == receiver.old[1]


def test_a_run_goes_on_while_old_runs_are_deleted(receiver: Receiver, pruning: Connection[Any]) -> None:
    connection, running = receiver.connection, receiver.running
    lines = RunLog(10_000)
    lines.add("a line")
    with connection.transaction():
        store_log(connection, running, lines.update())
    assert CHANGES.verified(connection, running, VERIFIED, publish=True)
    connection.execute("SELECT 1")
    CHANGES.not_published(connection, running, Failure("broker-away", "503"), wait=10.0)
    waiting = begin(connection, receiver.waiting)
    assert CHANGES.try_again(connection, waiting, Failure("x", "y"), wait=60.0, lock=None)
    assert CHANGES.start_now(connection, receiver.waiting)
    pruning.commit()
    [outcome] = connection.execute(
        "SELECT run_id FROM latest_results WHERE provider = 'P' AND consumer = 'C'"
    ).fetchone() or [None]
    assert outcome == running.id


def test_what_is_still_to_be_published_of_an_old_run_for_every_pact_is_noted_meanwhile(
    receiver: Receiver, pruning: Connection[Any]
) -> None:
    pending = runs.get(receiver.connection, receiver.pending.id)
    assert pending is not None
    assert pending.parent_id == receiver.parent
    CHANGES.not_published(receiver.connection, pending, Failure("broker-away", "503"), wait=None)
    pruning.commit()


def test_what_is_counted_is_added_up_meanwhile(receiver: Receiver, pruning: Connection[Any]) -> None:
    accept(receiver.connection, dispatch(5))
    counters.add_up(receiver.connection)
    pruning.commit()


def test_no_table_is_locked_for_what_others_do(receiver: Receiver, pruning: Connection[Any]) -> None:
    modes = receiver.connection.execute(
        "SELECT DISTINCT mode FROM pg_locks WHERE locktype = 'relation' AND pid = %s",
        [pruning.info.backend_pid],
    ).fetchall()
    assert {mode for (mode,) in modes} <= {"AccessShareLock", "RowShareLock", "RowExclusiveLock"}


def test_what_others_have_locked_is_passed_over(receiver: Receiver, database_url: str) -> None:
    first = receiver.old[0]
    with psycopg.connect(database_url) as other, psycopg.connect(database_url) as pruning:
        other.execute("SELECT FROM runs WHERE id = %s FOR UPDATE", [first])
        pruning.execute("SET LOCAL lock_timeout = '1ms'")
        assert retention.delete_runs(pruning, DAYS, 500) == 2
    assert runs.get(receiver.connection, first) is not None


def test_how_tables_are_vacuumed_is_set_beside_dispatches(receiver: Receiver, database_url: str) -> None:
    sql = files("app").joinpath("database/migrations/0021_vacuum.sql").read_bytes()
    connection = receiver.connection
    with psycopg.connect(database_url) as migrating:
        migrating.execute("SET LOCAL lock_timeout = '1ms'")
        with connection.transaction():
            accept(connection, dispatch(6))
            migrating.execute(sql)  # in a transaction, as each migration is
        accept(connection, dispatch(2))
        assert CHANGES.verified(connection, receiver.running, VERIFIED, publish=False)
