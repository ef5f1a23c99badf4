"""What is kept of requests that are not carried out, whoever sends them and however many."""

from __future__ import annotations

import threading
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextlib import closing
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import psycopg
import pytest
from structlog.testing import capture_logs

from app.database.connections import open_pool
from app.intake import refusal_log
from app.intake.refusal import Refusal
from app.intake.refusal_log import BODY_BYTES, BURST, NOT_KEPT, RefusalLog
from app.records import counters, deliveries
from app.records.counters import Series
from app.records.deliveries import IncomingDelivery, Repeated, Source
from tests.support.receiver import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from psycopg_pool import ConnectionPool

REFUSAL = Refusal.invalid("other-broker", "client_payload.pact_url", "is not on the configured Pact Broker")
COUNTED = Series.of(counters.REFUSED, reason=REFUSAL.reason)
LARGE = {"client_payload": {str(number): "x" * 8000 for number in range(7)}}
"""The body that takes most room: about 56 KB."""


@pytest.fixture
def pool(patient_database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[ConnectionPool[Any]]:
    monkeypatch.setattr(refusal_log, "PER_MINUTE", 0.0)  # however long the test takes
    monkeypatch.setattr(refusal_log, "BODY_BYTES_PER_MINUTE", 0.0)
    monkeypatch.setattr(refusal_log, "COUNT_SECONDS", 3600.0)  # the test itself has what is counted stored
    with open_pool(patient_database_url, size=2) as opened:
        yield opened


@pytest.fixture
def log(pool: ConnectionPool[Any]) -> Iterator[RefusalLog]:
    with closing(RefusalLog(pool)) as made:
        yield made


def refused(sender: str | None, payload: Any = None) -> IncomingDelivery:
    return IncomingDelivery(Source.API, sender=sender, repository="a/b", payload=payload)


def stored(pool: ConnectionPool[psycopg.Connection]) -> list[tuple[Any, ...]]:
    with pool.connection() as connection:
        return (
            connection.cursor()
            .execute(
                "SELECT sender, count(*), sum(coalesce(length(payload::text), 0)) FROM deliveries GROUP BY 1 ORDER BY 1"
            )
            .fetchall()
        )


def test_a_sender_with_a_token_fills_no_disk_and_every_refusal_is_counted(
    log: RefusalLog, pool: ConnectionPool[Any]
) -> None:
    with capture_logs() as logged:
        for _ in range(300):
            log.add(refused("broker", LARGE), REFUSAL)
        log.store_counts()

    [(sender, number, size)] = stored(pool)
    assert (sender, number) == ("broker", BURST)
    assert size < BODY_BYTES * 1.1
    with pool.connection() as connection:
        assert counters.read(connection)[Series.of(counters.REFUSED, reason="other-broker")] == 300
        without = connection.execute("SELECT detail FROM deliveries WHERE payload IS NULL").fetchall()
    assert len(without) > BURST / 2
    assert {detail for (detail,) in without} == {REFUSAL.detail + NOT_KEPT}
    [said] = [entry for entry in logged if entry["event"] != "refused"]
    assert said["event"] == "not kept one by one: too many that were refused or repeated"
    assert (said["reasons"], said["senders"]) == ({"other-broker": 200}, {"broker": 200})


def test_no_sender_uses_up_what_another_one_or_a_stranger_may(
    log: RefusalLog, pool: ConnectionPool[Any]
) -> None:
    for _ in range(BURST + 1):
        log.add(refused("broker"), REFUSAL)
    log.add(refused("team"), REFUSAL)
    log.add(refused(None), REFUSAL)
    log.store_counts()

    assert [(sender, number) for sender, number, _ in stored(pool)] == [
        ("broker", BURST),
        ("team", 1),
        (None, 1),
    ]


def test_what_is_counted_while_no_thread_is_left_is_stored_with_the_next(
    log: RefusalLog, pool: ConnectionPool[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: threading.Timer) -> None:
        raise RuntimeError("can't start new thread")

    for _ in range(BURST):
        log.add(refused("broker"), REFUSAL)
    with monkeypatch.context() as patch, capture_logs() as logged:
        patch.setattr(threading.Timer, "start", refuse)
        log.add(refused("broker"), REFUSAL)
    assert [entry["error"] for entry in logged] == ["can't start new thread"]
    monkeypatch.setattr(refusal_log, "COUNT_SECONDS", 0.0)
    log.add(refused("broker"), REFUSAL)

    def all_counted() -> bool:
        with pool.connection() as connection:
            return counters.read(connection)[COUNTED] == BURST + 2

    wait_until(all_counted, "the count is stored by itself")


def test_repetitions_are_bounded_as_refusals_are(log: RefusalLog, pool: ConnectionPool[Any]) -> None:
    for _ in range(2 * BURST):
        delivery = IncomingDelivery(Source.GITHUB, sender="github", github_id="one", payload=LARGE)
        log.add_repetition(delivery, Repeated(uuid4(), None))
    log.store_counts()

    assert stored(pool) == [("github", BURST, 0)]
    with pool.connection() as connection:
        assert counters.read(connection)[Series.of(counters.REPEATED)] == 2 * BURST


def test_what_can_not_be_stored_now_is_logged_and_uses_nothing_up(
    log: RefusalLog, pool: ConnectionPool[Any]
) -> None:
    for _ in range(BURST + 1):
        log.add(
            refused("broker"), Refusal(503, "not-stored", "Service Unavailable", "it could not be stored")
        )
    log.add(refused("broker"), REFUSAL)

    assert [(sender, number) for sender, number, _ in stored(pool)] == [("broker", 1)]


def test_refusals_leave_connections_to_dispatches_where_the_database_is_slow(
    log: RefusalLog, pool: ConnectionPool[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refusal_log, "WAIT_SECONDS", 0.1)
    storing, may_go_on = threading.Event(), threading.Event()

    def slowly(*_: Any, **__: Any) -> None:
        storing.set()
        may_go_on.wait(60)

    with monkeypatch.context() as slow, ThreadPoolExecutor(5) as strangers:
        slow.setattr(deliveries, "refuse", slowly)
        refusals = [strangers.submit(log.add, refused(None), REFUSAL) for _ in range(5)]
        try:
            assert storing.wait(60)
            wait(refusals[1:], timeout=60, return_when=FIRST_COMPLETED)
            with pool.connection() as connection:  # of two, one is left
                connection.execute("SELECT")
            log.store_counts()
            with (
                pool.connection() as connection
            ):  # what is counted doesn't wait for those that are stored one by one
                assert counters.read(connection)[COUNTED] >= 1
        finally:
            may_go_on.set()
        wait(refusals)

    log.store_counts()
    with pool.connection() as connection:
        assert counters.read(connection)[COUNTED] in range(1, 5)


def test_refusals_that_can_not_be_stored_are_counted_for_later(
    log: RefusalLog, pool: ConnectionPool[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: Any, **__: Any) -> None:
        raise psycopg.OperationalError("the server closed the connection")

    with monkeypatch.context() as broken:
        for name in ("refuse", "repeat"):
            broken.setattr(deliveries, name, away)
        log.add(refused("broker"), REFUSAL)
        log.add_repetition(refused("broker"), Repeated(uuid4(), None))
    log.store_counts()

    with pool.connection() as connection:
        kept = counters.read(connection)
    assert kept[Series.of(counters.REFUSED, reason="other-broker")] == 1
    assert kept[Series.of(counters.REPEATED)] == 1


def test_counts_that_can_not_be_stored_are_tried_again_by_themselves(
    log: RefusalLog, pool: ConnectionPool[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refusal_log, "AGAIN_SECONDS", 0.01)
    for _ in range(BURST + 3):
        log.add(refused("broker"), REFUSAL)
    tries: list[None] = []
    add = counters.add

    def away_at_first(connection: psycopg.Connection[Any], counts: counters.Counts) -> None:
        tries.append(None)
        if len(tries) < 3:
            raise psycopg.OperationalError("the server closed the connection")
        add(connection, counts)

    monkeypatch.setattr(counters, "add", away_at_first)
    log.store_counts()

    def kept() -> int:
        with pool.connection() as connection:
            return counters.read(connection)[COUNTED]

    wait_until(lambda: kept() == BURST + 3, "they are stored")


def test_what_was_counted_is_stored_at_the_end_and_nothing_goes_on_after_it(
    pool: ConnectionPool[Any],
) -> None:
    before = set(threading.enumerate())
    with closing(RefusalLog(pool)) as log:
        for _ in range(BURST + 2):
            log.add(refused("broker"), REFUSAL)
    log.add(refused("broker"), REFUSAL)

    assert set(threading.enumerate()) <= before
    with pool.connection() as connection:
        assert counters.read(connection)[COUNTED] == BURST + 2
