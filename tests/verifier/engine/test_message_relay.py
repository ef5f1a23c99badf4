"""Messages: what the provider answers with anything but a success is none, and an outage is no broken contract."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.examples import http_interaction, pact_document
from tests.support.loopback import Loopback, Received, Reply
from verifier.engine.process import Engine
from verifier.request import ProviderUnderTest, VerificationRequest
from verifier.run import verify
from verifier.transport import Transport
from verifier.verification import LONGEST_REASON, Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from verifier.verification import Verification

GIVEN = {"a": 1}
SOUND = Reply(body=GIVEN)


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with Engine() as started:
        yield started


def message(description: str) -> dict[str, Any]:
    return {"description": description, "contents": GIVEN, "metaData": {"contentType": "application/json"}}


def v4_message(description: str) -> dict[str, Any]:
    body = {"content": GIVEN, "contentType": "application/json", "encoded": False}
    return {"type": "Asynchronous/Messages", "description": description, "contents": body}


def messages(*descriptions: str) -> dict[str, Any]:
    return pact_document(messages=[message(description) for description in descriptions])


def verified(
    folder: Path, document: dict[str, Any], engine: Engine, port: int, **options: Any
) -> Verification:
    file = folder / "pact.json"
    file.write_text(json.dumps(document), encoding="utf-8")
    provider = ProviderUnderTest(transports=(Transport("message", port, "/_messages"),), **options)
    return verify(VerificationRequest(str(file), provider), engine=engine)


def by_description(**replies: Reply) -> Callable[[Received], Reply]:
    return lambda request: replies[request.json["description"]]


@pytest.mark.parametrize("status", [502, 503, 504])
def test_a_gateways_answer_is_an_outage(tmp_path: Path, engine: Engine, status: int) -> None:
    answers = by_description(one=SOUND, two=Reply(status, GIVEN))
    with Loopback(answers) as provider:
        found = verified(tmp_path, messages("one", "two"), engine, provider.port)
    assert [result.outcome for result in found.interactions] == [Outcome.PASSED, Outcome.ERROR]
    assert f"was answered with {status}" in str(found.interactions[1].reason)
    assert found.error is not None
    assert found.error.retryable


@pytest.mark.parametrize("status", [400, 401, 404, 500])
def test_what_nothing_answers_is_an_outage(tmp_path: Path, engine: Engine, status: int) -> None:
    with Loopback(Reply(status, GIVEN)) as provider:
        found = verified(tmp_path, messages("one", "two"), engine, provider.port)
    assert [result.outcome for result in found.interactions] == [Outcome.ERROR, Outcome.ERROR]
    assert "/_messages was answered with" in str(found.interactions[0].reason)
    assert "is --transport right?" in str(found.interactions[0].reason)


def test_a_secret_in_an_answer_that_is_no_message_is_hidden_wherever_it_stands(
    tmp_path: Path, engine: Engine
) -> None:
    secret = "abcdefgh-ijklmnop-qrstuvwx"
    for place in (480, 490, 1990):
        with Loopback(Reply(500, "z" * place + secret * 10_000)) as provider:
            headers = (("Authorization", f"Bearer {secret}"),)
            found = verified(tmp_path, messages("one"), engine, provider.port, headers=headers)
        reason = str(found.interactions[0].reason)
        assert len(reason) <= LONGEST_REASON
        assert secret[:3] not in reason
        assert "is --transport right?" in reason


@pytest.mark.parametrize("status", [302, 400, 404, 500])
@pytest.mark.parametrize("order", [("one", "two"), ("two", "one")])
def test_only_a_success_is_a_message(
    tmp_path: Path, engine: Engine, status: int, order: tuple[str, str]
) -> None:
    answers = by_description(one=SOUND, two=Reply(status, GIVEN, headers={"Location": "/elsewhere"}))
    with Loopback(answers) as provider:
        found = verified(tmp_path, messages(*order), engine, provider.port)
    outcomes = {result.description: result for result in found.interactions}
    assert outcomes["one"].outcome == Outcome.PASSED
    assert outcomes["two"].outcome == Outcome.FAILED
    assert f"was answered with {status}" in str(outcomes["two"].reason)
    assert found.outcome == Outcome.FAILED


@pytest.mark.parametrize("reply", [Reply(drop=True), Reply(body=GIVEN, cut=3)])
def test_a_connection_that_ends_is_an_outage(tmp_path: Path, engine: Engine, reply: Reply) -> None:
    with Loopback(by_description(one=SOUND, two=reply)) as provider:
        found = verified(tmp_path, messages("one", "two"), engine, provider.port)
    assert [result.outcome for result in found.interactions] == [Outcome.PASSED, Outcome.ERROR]
    assert f"127.0.0.1:{provider.port}/_messages" in str(found.interactions[1].reason)


def test_a_provider_that_is_away_is_an_outage(tmp_path: Path, engine: Engine) -> None:
    with Loopback(SOUND) as provider:
        port = provider.port
    found = verified(tmp_path, messages("one"), engine, port)
    assert [result.outcome for result in found.interactions] == [Outcome.ERROR]
    assert "refused" in str(found.interactions[0].reason)


def test_a_message_that_differs_is_a_broken_contract(tmp_path: Path, engine: Engine) -> None:
    with Loopback(by_description(one=SOUND, two=Reply(body={"a": "b"}))) as provider:
        found = verified(tmp_path, messages("one", "two", "one"), engine, provider.port)
    assert [result.outcome for result in found.interactions] == [
        Outcome.PASSED,
        Outcome.FAILED,
        Outcome.PASSED,
    ]
    assert found.interactions[1].mismatches


def test_messages_and_requests_of_one_pact_each_reach_their_place(tmp_path: Path, engine: Engine) -> None:
    def answer(request: Received) -> Reply:
        return Reply(body=GIVEN if request.path == "/_messages" else {"b": 2})

    body = {"content": {"b": 2}, "contentType": "application/json", "encoded": False}
    http = http_interaction("over HTTP", type="Synchronous/HTTP", response={"status": 200, "body": body})
    interactions = [http, v4_message("one"), http, v4_message("two"), v4_message("three"), http] * 4
    document = pact_document(*interactions, metadata={"pactSpecification": {"version": "4.0"}})
    with Loopback(answer) as provider:
        found = verified(
            tmp_path,
            document,
            engine,
            provider.port,
            base_url=provider.url,
            headers=(("X-Key", "k"),),
            jobs=3,
        )
    assert [result.outcome for result in found.interactions] == [Outcome.PASSED] * len(interactions)
    asked = [request for request in provider.received if request.method == "POST"]
    assert sorted(request.json["description"] for request in asked) == sorted(["one", "two", "three"] * 4)
    assert {request.headers["x-key"] for request in asked} == {"k"}


def test_metadata_of_a_message_is_compared(tmp_path: Path, engine: Engine) -> None:
    document = pact_document(messages=[{**message("one"), "metaData": {"queue": "sold"}}])
    metadata = "eyJxdWV1ZSI6ICJzb2xkIn0="  # {"queue": "sold"}
    with Loopback(Reply(body=GIVEN, headers={"Pact-Message-Metadata": metadata})) as provider:
        [result] = verified(tmp_path, document, engine, provider.port).interactions
    assert result.outcome == Outcome.PASSED
