"""Whatever a provider state handler answers, the state change ends with a reason."""

from __future__ import annotations

import json

import pytest
import requests

from tests.support.loopback import Loopback, Reply
from tests.support.raw_server import BROKEN_OFF, DRIPS, RawServer
from verifier.engine.states.change import StateChange, StateChangeFailed, StateFailure
from verifier.engine.states.handlers import MAX_ANSWER, UrlHandler
from verifier.engine.states.relay import RelayedChange, StateRelay

CHANGE = StateChange.from_json(json.dumps({"state": "one", "action": "setup"}).encode())


@pytest.mark.parametrize(
    "location",
    ["http://[::1", "//[", "http://host:99999/", "http://host:port/", "mailto:a@b"],
)
def test_redirect_to_what_is_no_url_is_no_answer_and_has_a_reason(location: str) -> None:
    with Loopback(Reply(307, headers={"Location": location})) as provider:
        with pytest.raises(StateChangeFailed) as error:
            UrlHandler(provider.url, timeout=60)(CHANGE)
        assert len(provider.received) == 1
    assert not error.value.failure.answered
    assert 'setup of state "one" at ' in error.value.failure.reason


def test_answer_that_is_too_large_is_no_answer() -> None:
    large = Loopback(Reply(body=b" " * (MAX_ANSWER + 1)))
    with large as provider, pytest.raises(StateChangeFailed, match="larger than") as error:
        UrlHandler(provider.url, timeout=60)(CHANGE)
    assert not error.value.failure.answered


@pytest.mark.parametrize("drip", DRIPS)
def test_answer_that_drips_is_no_answer(drip: str) -> None:
    with RawServer.dripping(drip) as provider, pytest.raises(StateChangeFailed, match="timed out") as error:
        UrlHandler(provider.url, timeout=0.4)(CHANGE)
    assert not error.value.failure.answered


@pytest.mark.parametrize("reset", [False, True], ids=["closed", "reset"])
@pytest.mark.parametrize("name", BROKEN_OFF)
def test_answer_that_breaks_off_is_no_answer(name: str, *, reset: bool) -> None:
    with RawServer(BROKEN_OFF[name], reset=reset) as provider, pytest.raises(StateChangeFailed) as error:
        UrlHandler(provider.url, timeout=60)(CHANGE)
    assert not error.value.failure.answered


@pytest.mark.parametrize(
    "answer",
    [
        b"y" * 60_000 + b"\r\n",
        b"HTTP/1.1 307 No\r\nContent-Length: 0\r\nLocation: http://h:" + b"y" * 60_000 + b"\r\n\r\n",
        b"HTTP/1.1 302 No\r\nContent-Length: 0\r\nLocation: /" + b"y" * 60_000 + b"\r\n\r\n",
    ],
    ids=["status", "no URL", "another URL"],
)
def test_what_is_quoted_of_an_answer_is_brief(answer: bytes) -> None:
    with RawServer(answer) as provider, pytest.raises(StateChangeFailed, match="yyy") as error:
        UrlHandler(provider.url, timeout=60)(CHANGE)
    assert len(error.value.failure.reason) < 1000


def test_a_flood_is_no_answer() -> None:
    flood = RawServer(b"HTTP/1.1 200 OK\r\n\r\n", again=b" " * 65536)
    with flood as provider, pytest.raises(StateChangeFailed, match="larger than"):
        UrlHandler(provider.url, timeout=60)(CHANGE)


@pytest.mark.parametrize("status", [103, 199, 600, 999])
def test_a_status_that_is_no_answer_is_none(status: int) -> None:
    head = f"HTTP/1.1 {status} Odd\r\nContent-Length: 0\r\n\r\n".encode()
    with RawServer(head) as provider, pytest.raises(StateChangeFailed) as error:
        UrlHandler(provider.url, timeout=60)(CHANGE)
    assert not error.value.failure.answered


def test_a_connection_is_kept_and_each_request_has_its_whole_time() -> None:
    class Keeping(Loopback):
        protocol_version = "HTTP/1.1"

    with Keeping(Reply(body={"a": 1})) as provider:
        handler = UrlHandler(provider.url, timeout=60)
        assert [handler(CHANGE) for _ in range(3)] == [b'{"a": 1}'] * 3


def test_unexpected_exception_of_a_handler_is_a_failure_with_a_reason() -> None:
    def handler(change: StateChange) -> bytes:
        raise ZeroDivisionError(change.state)

    relay = StateRelay(handler)
    try:
        with requests.Session() as session:
            session.trust_env = False
            response = session.post(relay.url, json={"state": "one", "action": "setup"}, timeout=60)
    finally:
        relay.close()
    assert response.status_code == 400
    reason = "setup of state \"one\": ZeroDivisionError('one')"
    assert relay.take() == [RelayedChange("setup", "one", StateFailure(answered=False, reason=reason))]


@pytest.mark.parametrize("body", [b"", b"no JSON", b"[]", b"5"])
def test_what_is_no_state_change_is_not_read_as_one(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        StateChange.from_json(body)


def test_missing_parts_of_a_state_change_have_their_defaults() -> None:
    assert StateChange.from_json(b"{}") == StateChange("", "setup", {}, b"{}")
    assert StateChange.from_json(b'{"params": null}').params == {}
