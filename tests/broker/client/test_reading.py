"""Looking at a broker: nothing is asked twice, nothing is changed, and a real broker's answers are read right."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import unquote

import pytest

from app.commands.doctor.chain import Case
from app.commands.doctor.pact_state import latest_pacts
from broker.client.pact_results import Result, results_of
from broker.client.reading import ReadingClient
from broker.http.access import BrokerAccess
from broker.http.errors import NotFound
from broker.webhooks.delivery_log import execution_of, hides_answers
from broker.webhooks.triggered import Attempt
from tests.support.loopback import Loopback, Received, Reply
from tests.support.paths import EXCHANGES

RECORDED_AT = "http://127.0.0.1:9292"


def recorded(folder: str, name: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((EXCHANGES / folder / f"{name}.json").read_text(encoding="utf-8"))
    return document


class RealBroker:
    """Answers as a real Pact Broker was recorded to."""

    def __init__(self, *names: str) -> None:
        self._recorded = [recorded("pacts", name) for name in names]
        self._server = Loopback(self._answer)

    def __enter__(self) -> ReadingClient:
        self._server.__enter__()
        return ReadingClient(BrokerAccess(self._server.url))

    def __exit__(self, *_: object) -> None:
        self._server.__exit__(None, None, None)

    @property
    def asked(self) -> list[str]:
        return [f"{one.method} {one.path}" for one in self._server.received]

    def _answer(self, received: Received) -> Reply:
        for one in self._recorded:
            request = one["request"]
            if request["method"] == received.method and unquote(request["path"]) == unquote(received.path):
                body = json.dumps(one["response"]["body"]).replace(RECORDED_AT, self._server.url)
                headers = {"Content-Type": "application/hal+json"}
                return Reply(one["response"]["status"], body, headers)
        return Reply(404)


def test_nothing_is_asked_twice_not_even_what_is_not_there() -> None:
    broker = RealBroker("01-index")
    with broker as client:
        for _ in range(3):
            assert client.get(f"{client.origin}/").document["_links"]["self"]["title"] == "Index"
            with pytest.raises(NotFound):
                client.get(f"{client.origin}/nothing")
    assert broker.asked == ["GET /", "GET /nothing"]


def test_nothing_but_a_get_is_sent() -> None:
    broker = RealBroker("01-index")
    with broker as client:
        url = f"{client.origin}/webhooks/x"
        with pytest.raises(TypeError, match="only reads"):
            client.put(url, {})
        with pytest.raises(TypeError, match="only reads"):
            client.query(url, {})
        with pytest.raises(TypeError, match="only reads"):
            client.delete(url)
        with pytest.raises(TypeError, match="only reads"):
            client.post_once(url)
    assert broker.asked == []


def test_results_of_a_real_broker_are_read() -> None:
    name = "63-matrix-query-latestby-cvpv"
    rows = recorded("pacts", name)["response"]["body"]["matrix"]
    wanted = [
        Result(row["provider"]["version"]["number"], row["verificationResult"]["success"], at)
        for row in rows
        if row["verificationResult"] and (at := row["verificationResult"]["verifiedAt"])
    ]
    with Loopback(lambda _: Reply(200, {"matrix": rows})) as server:
        found = results_of(ReadingClient(BrokerAccess(server.url)), "Foo", "1.0.5", "Bar")
    assert found == wanted
    assert found


def test_the_latest_pacts_of_a_real_broker_are_found() -> None:
    pact = recorded("pacts", "06-pact-by-consumer-version")
    names = ("01-index", "259-provider-pacts-latest")
    broker = RealBroker(*names)
    path = recorded("pacts", names[1])["response"]["body"]["_links"]["pb:pacts"][0]["href"]
    pact["request"]["path"] = path.removeprefix(RECORDED_AT)
    broker._recorded.append(pact)
    with broker as client:
        assert latest_pacts(client, "Bar", 5) == ([Case("Foo", "1.0.0", "Bar")], 0)
        assert latest_pacts(client, "Bar", 0) == ([], 1)
        assert latest_pacts(client, "Nobody", 5) is None


def test_a_real_brokers_log_of_a_delivery_is_read_back() -> None:
    body = recorded("webhooks", "114-retry-default-logs-while-retrying")["response"]["body"]
    read = execution_of(attempt(body["executions"][0]["logs"], 500))
    assert read.line == "POST http://127.0.0.1:9480/status/500"
    assert read.headers["content-type"] == "application/json"
    assert read.body["event_type"] == "pact_changed"
    assert (read.status, read.answer_headers["x-target"]) == (500, "listener")
    assert read.answer_body == {"answered": 500}


def test_a_log_of_any_kind_can_be_read() -> None:
    for logs in (
        "",
        "nonsense",
        "INFO: HTTP/1.1 ",
        "INFO: {",
        "INFO: " + "[" * 100_000,
        "INFO: HTTP/1.1 200\n" * 9,
    ):
        assert execution_of(attempt(logs, None)).answer_body is None


def test_a_broker_that_keeps_answers_to_itself_is_known() -> None:
    hidden = (
        "For security purposes, the response details are not logged. To enable response logging, configure"
    )
    assert hides_answers(attempt(f"[2026-11-21T22:37:28Z] INFO: {hidden}\n", None))
    assert not hides_answers(attempt("[2026-11-21T22:37:28Z] INFO: HTTP/1.1 404 Not Found\n", 404))


def attempt(logs: str, status: int | None) -> Attempt:
    return Attempt(success=False, at=None, status=status, error=None, logs=logs)
