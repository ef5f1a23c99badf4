"""What was sent to a provider and what came: recorded, without changing either."""

from __future__ import annotations

import errno
import shlex
import socket
import subprocess
import threading
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from tests.support.examples import http_interaction, pact_document
from tests.support.loopback import Loopback, Reply
from tests.support.processes import TIME_LIMIT
from tests.support.raw_server import RawServer
from verifier.engine.job_run import MOST_EXCHANGES
from verifier.engine.process import Engine
from verifier.engine.protocol import Job
from verifier.engine.recorded_exchange import INTERACTION_HEADER, marked
from verifier.engine.recorder import Recorder
from verifier.pact_document import parse_pact
from verifier.report.exchange import answer_in_a_line, curl
from verifier.verification import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator

    from verifier.verification import InteractionResult

ANSWER = Reply(body=b'{"price": "34.90"}', headers={"Content-Type": "application/json"})
WRONG = {"status": 200, "body": {"price": 34.9}}


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with Engine() as started:
        yield started


def verified(
    engine: Engine, url: str, *interactions: dict[str, Any], jobs: int = 1
) -> list[InteractionResult]:
    pact = parse_pact(pact_document(*interactions))
    results: list[InteractionResult] = []
    engine.run(
        Job(pact, tuple(range(len(interactions))), url, jobs=jobs),
        deadline=time.monotonic() + TIME_LIMIT,
        on_results=results.extend,
        on_note=lambda _: None,
        watch=lambda: None,
    )
    return sorted(results, key=lambda result: result.index)


def test_what_failed_says_what_was_sent_and_what_came(engine: Engine) -> None:
    request = {"method": "POST", "path": "/orders", "headers": {"X-A": "b"}, "body": {"a": 1}}
    with Loopback(ANSWER) as server:
        [result] = verified(engine, server.url, http_interaction(request=request, response=WRONG))
        [asked] = server.received
    assert result.exchange is not None
    sent, came = result.exchange.request, result.exchange.response
    assert sent.start == "POST /orders HTTP/1.1"
    assert sent.body == '{"a":1}'
    headers = {name.lower(): value for name, value in sent.headers}
    assert headers["x-a"] == "b"
    assert headers["host"] == server.url.removeprefix("http://")
    assert INTERACTION_HEADER not in headers
    assert came is not None
    assert (came.start, came.body) == ("HTTP/1.0 200 OK", '{"price": "34.90"}')
    assert asked.body == b'{"a":1}'
    assert asked.headers["host"] == headers["host"]
    assert INTERACTION_HEADER not in asked.headers


def test_what_passed_says_nothing(engine: Engine) -> None:
    with Loopback(ANSWER) as server:
        good, bad = verified(engine, server.url, http_interaction(), http_interaction(response=WRONG))
    assert (good.outcome, good.exchange) == (Outcome.PASSED, None)
    assert bad.exchange is not None


def test_each_interaction_has_its_own_exchange(engine: Engine) -> None:
    interactions = [
        http_interaction(f"number {n}", request={"path": f"/things/{n}"}, response={"status": 418})
        for n in range(MOST_EXCHANGES)
    ]
    with Loopback(ANSWER) as server:
        results = verified(engine, server.url, *interactions, jobs=3)
    assert [result.exchange and result.exchange.request.start for result in results] == [
        f"GET /things/{n} HTTP/1.1" for n in range(MOST_EXCHANGES)
    ]


def test_of_many_that_fail_some_are_kept(engine: Engine) -> None:
    interactions = [http_interaction(response=WRONG)] * (MOST_EXCHANGES + 5)
    with Loopback(ANSWER) as server:
        results = verified(engine, server.url, *interactions)
    assert sum(result.exchange is not None for result in results) == MOST_EXCHANGES


def test_a_header_of_the_pact_that_names_another_host_is_kept(engine: Engine) -> None:
    request = {"path": "/", "headers": {"Host": "shop.example.org"}}
    with Loopback(ANSWER) as server:
        verified(engine, server.url, http_interaction(request=request))
        assert [asked.headers["host"] for asked in server.received] == ["shop.example.org"]


@pytest.mark.parametrize(
    "document",
    [{}, {"request": None}, {"request": {"path": "/", "headers": ["X-A: b"]}}],
    ids=["no request", "null", "headers that are a list"],
)
def test_an_odd_request_is_left_as_it_is(document: dict[str, Any]) -> None:
    assert marked(document, 1) is document


def test_the_command_sends_the_same_request_again(engine: Engine) -> None:
    request = {
        "method": "PUT",
        "path": "/a b",
        "query": "q='x'&r=$(id)",
        "headers": {"X-Quote": "it's"},
        "body": "two\nlines '",
    }
    with Loopback(ANSWER) as server:
        [result] = verified(engine, server.url, http_interaction(request=request, response=WRONG))
        assert result.exchange is not None
        subprocess.run(
            shlex.split(curl(result.exchange)), check=True, timeout=TIME_LIMIT, capture_output=True
        )
        first, again = server.received
    assert (again.method, again.path, again.body) == (first.method, first.path, first.body)
    assert again.headers["x-quote"] == "it's"
    assert answer_in_a_line(result.exchange) == '200 OK  {"price": "34.90"}'


def test_an_answer_that_is_no_http_is_shown_as_it_is(engine: Engine) -> None:
    with RawServer(b"SSH-2.0-OpenSSH_9.2\r\n") as server:
        [result] = verified(engine, server.url, http_interaction())
    assert result.outcome == Outcome.ERROR
    assert server.url.removeprefix("http://") in (result.reason or "")
    assert result.exchange is not None
    assert result.exchange.response is not None
    assert "SSH-2.0" in result.exchange.response.body


def test_connection_that_takes_no_option_is_served_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """On macOS a connection that was reset before it was accepted takes none: others must be served then."""

    def refuse(*_: Any) -> None:
        raise OSError(errno.EINVAL, "Invalid argument")

    with Loopback(ANSWER) as server:
        port = urlsplit(server.url).port
        assert port is not None
        recorder = Recorder("127.0.0.1", port, "provider", connect_seconds=TIME_LIMIT)
        with closing(recorder), monkeypatch.context() as patched, socket.socket() as client:
            patched.setattr(socket.socket, "setsockopt", refuse)
            client.settimeout(TIME_LIMIT)
            client.connect(("127.0.0.1", recorder.port))
            client.sendall(b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n")
            assert client.recv(100).startswith(b"HTTP/1.0 200 ")


def test_both_sides_may_write_at_once() -> None:
    much = b"x" * 8_000_000
    listener = socket.create_server(("127.0.0.1", 0))

    def answer_before_reading() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.sendall(much)
            left = len(much)
            while left > 0:
                left -= len(connection.recv(65536))

    provider = threading.Thread(target=answer_before_reading)
    provider.start()
    recorder = Recorder("127.0.0.1", listener.getsockname()[1], "provider", connect_seconds=30)
    with socket.create_connection(("127.0.0.1", recorder.port), timeout=TIME_LIMIT) as client:
        sender = threading.Thread(
            target=client.sendall, args=(b"PUT / HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % len(much) + much,)
        )
        sender.start()
        left = len(much)
        while left > 0:
            left -= len(client.recv(65536))
        sender.join(TIME_LIMIT)
        assert not sender.is_alive()
    provider.join(TIME_LIMIT)
    assert not provider.is_alive()
    listener.close()
    recorder.close()
