"""What is kept of requests that are not carried out, whoever sends them and however many."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from structlog.testing import capture_logs

from app.database.connections import open_pool
from app.intake import refusal_log
from app.intake.refusal import Refusal
from app.intake.refusal_log import BODY_BYTES, BURST, NOT_KEPT, RefusalLog
from app.records import counters
from app.records.counters import Series
from app.records.deliveries import IncomingDelivery, Repeated, Source

if TYPE_CHECKING:
    from collections.abc import Iterator

    import psycopg
    from psycopg_pool import ConnectionPool

REFUSAL = Refusal.invalid("other-broker", "client_payload.pact_url", "is not on the configured Pact Broker")
LARGE = {"client_payload": {str(number): "x" * 8000 for number in range(7)}}
"""The body that takes most room: about 56 KB."""


@pytest.fixture
def pool(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[ConnectionPool[Any]]:
    monkeypatch.setattr(refusal_log, "PER_MINUTE", 0.0)  # however long the test takes
    monkeypatch.setattr(refusal_log, "BODY_BYTES_PER_MINUTE", 0.0)
    with open_pool(database_url, size=2) as opened:
        yield opened


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


def test_a_sender_with_a_token_fills_no_disk_and_every_refusal_is_counted(pool: ConnectionPool[Any]) -> None:
    log = RefusalLog(pool)
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


def test_no_sender_uses_up_what_another_one_or_a_stranger_may(pool: ConnectionPool[Any]) -> None:
    log = RefusalLog(pool)
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


def test_repetitions_are_bounded_as_refusals_are(pool: ConnectionPool[Any]) -> None:
    log = RefusalLog(pool)
    for _ in range(2 * BURST):
        delivery = IncomingDelivery(Source.GITHUB, sender="github", github_id="one", payload=LARGE)
        log.add_repetition(delivery, Repeated(uuid4(), None))
    log.store_counts()

    assert stored(pool) == [("github", BURST, 0)]
    with pool.connection() as connection:
        assert counters.read(connection)[Series.of(counters.REPEATED)] == 2 * BURST


def test_what_can_not_be_stored_now_is_logged_and_uses_nothing_up(pool: ConnectionPool[Any]) -> None:
    log = RefusalLog(pool)
    for _ in range(BURST + 1):
        log.add(
            refused("broker"), Refusal(503, "not-stored", "Service Unavailable", "it could not be stored")
        )
    log.add(refused("broker"), REFUSAL)

    assert [(sender, number) for sender, number, _ in stored(pool)] == [("broker", 1)]
