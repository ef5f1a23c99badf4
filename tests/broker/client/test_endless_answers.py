"""A broker whose answer never ends, or never stops growing, ends in a sentence in time."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from broker.client import BrokerClient
from broker.http.access import BrokerAccess
from broker.http.errors import BrokerError, BrokerUnreachable, UnexpectedAnswer
from broker.http.limits import Limits
from broker.http.retry_after import LONGEST_SECONDS
from tests.support.loopback import Loopback, Reply
from tests.support.raw_server import DRIPS, RawServer

if TYPE_CHECKING:
    from tests.support.loopback import Received


def client(url: str, **options: Any) -> BrokerClient:
    return BrokerClient(BrokerAccess(url), retry_time=0, **options)


@pytest.mark.parametrize("drip", DRIPS)
def test_an_answer_that_drips_ends_at_the_deadline(drip: str) -> None:
    with RawServer.dripping(drip) as server:
        broker = client(server.url, deadline=time.monotonic() + 0.3)
        with broker, pytest.raises(BrokerUnreachable, match=r"^out of time before http"):
            broker.get(server.url)


@pytest.mark.parametrize("method", ["get", "put", "query", "post_once", "delete"])
@pytest.mark.parametrize("drip", ["headers", "body"])
def test_an_answer_that_drips_ends_at_the_limit_of_a_request(drip: str, method: str) -> None:
    body: list[Any] = [] if method in {"get", "delete"} else [{}]
    with RawServer.dripping(drip) as server, client(server.url, limits=Limits(0.3, 1000)) as broker:
        with pytest.raises(BrokerUnreachable, match=r"no whole answer within 0\.3 s") as error:
            getattr(broker, method)(f"{server.url}/pact", *body)
        assert error.value.transient


def test_redirects_lead_to_no_more_time() -> None:
    def answer(request: Received) -> Reply:
        return Reply(302, headers={"Location": "/again"}) if request.path == "/" else Reply(hang=True)

    with Loopback(answer) as server:
        broker = client(server.url, limits=Limits(0.5, 1000))
        with broker, pytest.raises(BrokerUnreachable, match="no whole answer within 0"):
            broker.get(server.url + "/")


def test_a_flood_is_refused() -> None:
    head = b"HTTP/1.1 200 OK\r\n\r\n"
    with RawServer(head, again=b" " * 65536) as server:
        broker = client(server.url, limits=Limits(20, 2**20))
        with broker, pytest.raises(UnexpectedAnswer, match="more than 1 MB: too large"):
            broker.get(server.url)


@pytest.mark.parametrize("status", [100, 101, 103, 199, 300, 304, 600, 700, 999])
@pytest.mark.parametrize("method", ["get", "put", "post_once", "delete"])
def test_a_status_that_is_no_answer_is_no_success(status: int, method: str) -> None:
    body: list[Any] = [] if method in {"get", "delete"} else [{}]
    head = f"HTTP/1.1 {status} Odd\r\nContent-Length: 0\r\n\r\n".encode()
    with RawServer(head) as server, client(server.url) as broker, pytest.raises(BrokerError):
        getattr(broker, method)(f"{server.url}/pact", *body)


@pytest.mark.parametrize("digits", [14, 400, 4000])
def test_a_wait_of_ages_is_not_waited_for(digits: int) -> None:
    reply = Reply(503, headers={"Retry-After": "9" * digits})
    with Loopback(reply) as server:
        broker = BrokerClient(BrokerAccess(server.url), retry_time=30)
        with broker, pytest.raises(BrokerUnreachable, match="503") as error:
            broker.get(server.url)
    assert error.value.retry_after == LONGEST_SECONDS
    assert len(server.received) == 1
