"""A session that many requests share: it lasts, and has less patience with a broker that was away."""

from __future__ import annotations

import time

import pytest

from broker.http.access import BrokerAccess
from broker.http.errors import BrokerUnreachable
from tests.support.loopback import Loopback, Reply
from verifier.many import broker_session
from verifier.many.broker_session import BrokerSession


def session(retry_time: float = 60.0) -> BrokerSession:
    return BrokerSession(
        retry_time=retry_time, deadline=lambda: time.monotonic() + 60, on_retry=lambda _: None
    )


def test_one_session_serves_all_requests_to_one_broker() -> None:
    shared = session()
    first, other = BrokerAccess("http://127.0.0.1:1"), BrokerAccess("http://127.0.0.1:2")
    client = shared.client(first)
    shared.ended(away=False)
    assert shared.client(first) is client
    assert shared.client(other) is not client
    shared.close()


def test_a_broker_that_was_away_is_not_waited_for_as_long_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broker_session, "SECONDS_ONCE_AWAY", 0.0)
    shared = session()
    with Loopback(Reply(503)) as server:
        access = BrokerAccess(server.url)
        shared.client(access)
        shared.ended(away=True)
        with pytest.raises(BrokerUnreachable):
            shared.client(access).get(server.url)
        assert len(server.received) == 1, "with the patience of before it would be asked again"
        shared.ended(away=False)
    shared.close()
