"""The status of an answer, asked for on a plain socket."""

from __future__ import annotations

import pytest

from broker.http.no_reply import TooSlow, Unreachable
from broker.http.quick_status import quick_status
from tests.support.loopback import Loopback, Reply, closed_port
from tests.support.raw_server import RawServer

SECONDS = 30.0


@pytest.mark.parametrize("status", [200, 204, 302, 404, 503])
def test_any_final_status_is_returned(status: int) -> None:
    with Loopback(Reply(status, headers={"Location": "/elsewhere"})) as server:
        assert quick_status(f"{server.url}/health?full=1", SECONDS) == status
    [request] = server.received
    assert (request.method, request.path) == ("GET", "/health?full=1")
    assert request.headers["host"] == f"127.0.0.1:{server.port}"
    assert request.headers["connection"] == "close"


@pytest.mark.parametrize(
    "answer", [b"", b"SSH-2.0-x\r\n\r\n", b"HTTP/1.1 200 OK", b"HTTP/1.1 100 Continue\r\n\r\n"]
)
def test_what_does_not_begin_as_usual_is_for_a_whole_client(answer: bytes) -> None:
    with RawServer(answer) as server:
        assert quick_status(server.url, SECONDS) is None


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/", "http:///", "http://ü.example/"])
def test_a_url_that_is_not_simple_is_for_a_whole_client(url: str) -> None:
    assert quick_status(url, SECONDS) is None


def test_nobody_there_is_no_reply() -> None:
    with pytest.raises(Unreachable, match="refused"):
        quick_status(f"http://127.0.0.1:{closed_port()}", SECONDS)


@pytest.mark.parametrize("drip", ["nothing", "status", "headers"])
def test_a_head_that_does_not_end_is_too_slow(drip: str) -> None:
    with RawServer.dripping(drip) as server, pytest.raises(TooSlow, match=r"no whole answer within 0\.2 s"):
        quick_status(server.url, 0.2)


@pytest.mark.parametrize("drip", ["body", "body of a length", "size of a chunk"])
def test_a_body_that_does_not_end_holds_nobody_up(drip: str) -> None:
    with RawServer.dripping(drip) as server:
        assert quick_status(server.url, 100) == 200
