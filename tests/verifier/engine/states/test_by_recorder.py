"""State changes that the core asks the recorder for, on the connection of their interaction's request."""

from __future__ import annotations

import json
import socket
import threading
import time
from contextlib import closing
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
import requests

from tests.support.examples import http_interaction, pact_document
from tests.support.loopback import Loopback, Reply, closed_port
from tests.support.processes import TIME_LIMIT
from verifier.engine.process import Engine
from verifier.engine.protocol import Job
from verifier.engine.recorder import Recorder
from verifier.engine.states.change import StateChange, StateChangeFailed
from verifier.engine.states.relay import RelayedChange, StateRelay
from verifier.pact_document import parse_pact
from verifier.verification import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from verifier.verification import InteractionResult

CHANGE = json.dumps({"state": "one", "action": "setup", "params": {}}).encode()
SET_UP = RelayedChange("setup", "one", None)


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with Engine() as started:
        yield started


def verified(engine: Engine, document: dict[str, Any], url: str, **values: Any) -> list[InteractionResult]:
    pact = parse_pact(document)
    results: list[InteractionResult] = []
    engine.run(
        Job(pact, tuple(range(len(pact.interactions))), url, **values),
        deadline=time.monotonic() + TIME_LIMIT,
        on_results=results.extend,
        on_note=lambda _: None,
        watch=lambda: None,
    )
    return sorted(results, key=lambda result: result.index)


def handled(change: StateChange) -> bytes:
    if change.state == "none":
        raise StateChangeFailed("no such state", answered=True)
    return b'{"id": 7}'


def recorder_of(url: str, states: StateRelay) -> Recorder:
    parts = urlsplit(url)
    assert parts.port is not None
    return Recorder("127.0.0.1", parts.port, parts.netloc, connect_seconds=TIME_LIMIT, states=states)


def connected(recorder: Recorder) -> socket.socket:
    return socket.create_connection(("127.0.0.1", recorder.port), timeout=TIME_LIMIT)


def answer_to(client: socket.socket, method: str, path: str, body: bytes = b"") -> tuple[int, bytes]:
    """Send a request on a connection, and return the status and the body of what is answered."""
    client.sendall(f"{method} {path} HTTP/1.1\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
    with client.makefile("rb") as answer:
        status, length = int(answer.readline().split()[1]), 0
        while (line := answer.readline().strip()) != b"":
            name, _, value = line.partition(b":")
            length = int(value) if name.lower() == b"content-length" else length
        return status, answer.read(length)


def test_one_connection_takes_state_changes_and_the_request_which_alone_is_passed_on() -> None:
    states = StateRelay(handled)
    with Loopback(Reply(body={"a": 1})) as provider, closing(recorder_of(provider.url, states)) as recorder:
        path = urlsplit(recorder.states_url).path
        with connected(recorder) as client:
            assert answer_to(client, "POST", path, CHANGE) == (200, b'{"id": 7}')
            assert answer_to(client, "POST", path, CHANGE.replace(b"one", b"none")) == (400, b"")
            assert answer_to(client, "POST", path, CHANGE) == (200, b'{"id": 7}')
            assert answer_to(client, "GET", "/products") == (200, b'{"a": 1}')
        assert [asked.path for asked in provider.received] == ["/products"]
    assert [change.state for change in states.take()] == ["one", "none", "one"]


def test_state_change_that_comes_in_parts_is_carried_out_once_it_is_whole() -> None:
    states = StateRelay(handled)
    with closing(recorder_of(f"http://127.0.0.1:{closed_port()}", states)) as recorder:
        head = f"POST {urlsplit(recorder.states_url).path} HTTP/1.1\r\ncontent-length: {len(CHANGE)}\r\n\r\n"
        with connected(recorder) as client:
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for part in (head[:20].encode(), head[20:].encode(), CHANGE[:5], CHANGE[5:]):
                client.sendall(part)
            assert client.recv(100).startswith(b"HTTP/1.1 200 ")
            # and only then the provider is asked, which isn't there
            client.sendall(b"GET / HTTP/1.1\r\n\r\n")
            with pytest.raises(ConnectionResetError):
                client.recv(100)
    assert states.take() == [SET_UP]


def test_path_that_only_begins_as_that_of_the_states_is_the_providers() -> None:
    states = StateRelay(handled)
    with Loopback(Reply()) as provider, closing(recorder_of(provider.url, states)) as recorder:
        with connected(recorder) as client:
            assert answer_to(client, "POST", urlsplit(recorder.states_url).path + "/more", CHANGE)[0] == 200
        assert len(provider.received) == 1
    assert states.take() == []


def test_each_interaction_has_its_states_before_its_request(engine: Engine) -> None:
    def answer(request: Any) -> Reply:
        if request.path == "/_states":
            return Reply(400, "no") if request.json["state"] == "none" else Reply(body={"n": 5})
        return Reply()

    generators = {"path": {"type": "ProviderState", "expression": "/made/${n}", "dataType": "STRING"}}
    document = pact_document(
        http_interaction("two", providerStates=[{"name": "a"}, {"name": "b"}], request={"path": "/two"}),
        http_interaction("refused", providerStates=[{"name": "none"}, {"name": "c"}]),
        http_interaction("none at all", request={"path": "/0"}),
        http_interaction(
            "a value", providerStates=[{"name": "d"}], request={"path": "/x", "generators": generators}
        ),
    )
    with Loopback(answer) as provider:
        results = verified(engine, document, provider.url, states_url=f"{provider.url}/_states")
        asked = [
            request.json["state"] if request.path == "/_states" else request.path
            for request in provider.received
        ]
    assert asked == ["a", "b", "/two", "none", "c", "", "/0", "d", "/made/5"]
    assert [result.outcome for result in results] == [
        Outcome.PASSED,
        Outcome.FAILED,
        Outcome.PASSED,
        Outcome.PASSED,
    ]
    assert 'setup of state "none"' in (results[1].reason or "")


def test_server_of_one_connection_at_a_time_is_free_when_states_are_set_up() -> None:
    """What sets states up asks the provider, which serves one connection until that is closed."""

    class OneByOne(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Print nothing."""

    def set_up(change: StateChange) -> bytes:
        assert change.state == "one"
        requests.get(f"{url}/reset", timeout=TIME_LIMIT, headers={"Connection": "close"})
        return b""

    with HTTPServer(("127.0.0.1", 0), OneByOne) as server:
        url = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
        states = StateRelay(set_up)
        with closing(recorder_of(url, states)) as recorder, connected(recorder) as before:
            assert answer_to(before, "GET", "/products") == (200, b"")
            # the core closes the connections of an interaction when it gets to it
            with connected(recorder) as client:
                assert answer_to(client, "POST", urlsplit(recorder.states_url).path, CHANGE) == (200, b"")
        server.shutdown()
    assert states.take() == [SET_UP]


def test_server_of_one_connection_at_a_time_may_set_its_own_states_up(engine: Engine) -> None:
    """It takes no request as long as the connection of the state change is kept."""

    class OneByOne(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = TIME_LIMIT  # of a connection that nothing is sent on

        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def do_POST(self) -> None:
            self.do_GET()

        def log_message(self, *_: Any) -> None:
            """Print nothing."""

    document = pact_document(*(http_interaction(name, providerStates=[{"name": "one"}]) for name in "ab"))
    with HTTPServer(("127.0.0.1", 0), OneByOne) as server:
        url = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
        results = verified(engine, document, url, states_url=f"{url}/_states", request_timeout=TIME_LIMIT / 3)
        server.shutdown()
    assert {result.outcome for result in results} == {Outcome.PASSED}, [result.reason for result in results]


def test_python_handlers_are_called_in_one_thread_whatever_the_interaction(
    engine: Engine, tmp_path: Path
) -> None:
    """What they keep may belong to it, as a connection of `sqlite3` does."""
    file = tmp_path / "states.py"
    file.write_text(
        "import sqlite3\nopened = []\n\n\ndef set_up(state):\n"
        "    opened or opened.append(sqlite3.connect(':memory:'))\n    opened[0].execute('select 1')\n"
    )
    moved = {"request": {"path": "/moved"}, "response": {"status": 302}}
    document = pact_document(
        *(
            http_interaction(f"{n}", providerStates=[{"name": "one"}], **(moved if n % 2 else {}))
            for n in range(4)
        )
    )
    redirect = Reply(302, headers={"Location": "/products"})
    with Loopback(lambda asked: redirect if asked.path == "/moved" else Reply()) as provider:
        results = verified(engine, document, provider.url, states_file=(str(file), "set_up"))
    assert {result.outcome for result in results} == {Outcome.PASSED}, [result.reason for result in results]
