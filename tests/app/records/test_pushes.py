"""Two pushes at once, in two requests: the newer one counts, whichever is stored first."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import psycopg

from app.dispatch import PUSH, Dispatch, PushOrder
from app.records import deliveries
from app.records.deliveries import Accepted, IncomingDelivery, Source
from tests.support.receiver import wait_until

if TYPE_CHECKING:
    from app.records.deliveries import Repeated

OLDER, NEWER = "a" * 40, "b" * 40


def accept(connection: psycopg.Connection[Any], commit: str, second: int) -> Accepted | Repeated:
    order = PushOrder(commit, None, datetime(2026, 1, 1, 0, 0, second, tzinfo=UTC))
    asked = Dispatch("acme/p", PUSH, None, commit, "main", push_order=order)
    return deliveries.accept(connection, IncomingDelivery(Source.GITHUB), asked, provider="P", lock=None)


def test_a_push_that_is_stored_while_a_newer_one_is_does_not_take_its_place(database_url: str) -> None:
    def older() -> Accepted | Repeated:
        with psycopg.connect(database_url) as connection:
            return accept(connection, OLDER, 1)

    with (
        psycopg.connect(database_url) as first,
        psycopg.connect(database_url, autocommit=True) as watching,
        ThreadPoolExecutor(1) as pool,
    ):
        first.execute("SELECT 1")  # so that it is in a transaction, which is not committed yet
        newer = accept(first, NEWER, 2)
        late = pool.submit(older)
        waits = "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        wait_until(lambda: watching.execute(waits).fetchone(), "the older push waits")
        first.commit()
        answered = late.result()
        assert isinstance(newer, Accepted)
        assert isinstance(answered, Accepted)
        assert answered.run_id == newer.run_id
        assert answered.detail is not None
        assert watching.execute("SELECT sha FROM runs").fetchall() == [(NEWER,)]
