"""Pacts of odd shapes: what the core verifies is verified, and means the same."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.examples import http_interaction, pact_document
from tests.support.loopback import Loopback, Received, Reply
from tests.support.plain_pact_python import plain_results
from verifier.engine.process import Engine
from verifier.request import ProviderUnderTest, VerificationRequest
from verifier.run import verify
from verifier.transport import Transport
from verifier.verification import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from verifier.verification import Verification

V1, V2, V3, V4 = "1.0.0", "2.0.0", "3.0.0", "4.0"
MESSAGE = {"description": "a message", "contents": {"a": 1}, "metaData": {"contentType": "application/json"}}


def pact(version: str, *interactions: Any, **parts: Any) -> dict[str, Any]:
    document = pact_document(*interactions, metadata={"pactSpecification": {"version": version}})
    return without_nothing({**document, **parts})


def without_nothing(document: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in document.items() if value is not ...}


def http(**parts: Any) -> dict[str, Any]:
    """Make an interaction that passes; what is `...` is left out."""
    whole = http_interaction("a thing", response={"status": 200, "body": {"id": 1}})
    return without_nothing({**whole, **parts})


def v4(**parts: Any) -> dict[str, Any]:
    body = {"content": {"id": 1}, "contentType": "application/json", "encoded": False}
    return without_nothing({**http(type="Synchronous/HTTP", response={"status": 200, "body": body}), **parts})


def messages(*found: Any) -> dict[str, Any]:
    return pact(V3, interactions=..., messages=list(found))


BROKEN = {"response": {"status": 404}}
AS_THE_CORE = {
    "plain": pact(V2, http()),
    "pending in V2": pact(V2, http(pending=True, **BROKEN)),
    "pending in V3": pact(V3, http(pending=True, **BROKEN)),
    "pending without a version": pact(V3, http(pending=True, **BROKEN), metadata=...),
    "pending of V4 without a version": pact(V3, v4(pending=True, **BROKEN), metadata=...),
    "pending in V4": pact(V4, v4(pending=True, **BROKEN)),
    "pending in V4.1": pact("4.1", v4(pending=True, **BROKEN)),
    "pending in a number": pact(
        V4, v4(pending=True, **BROKEN), metadata={"pactSpecification": {"version": 4.0}}
    ),
    "pending in V5": pact("5.0", v4(pending=True, **BROKEN)),
    "pending in no version": pact("x", v4(pending=True, **BROKEN)),
    "pending in another key": pact(
        V4, v4(pending=True, **BROKEN), metadata={"pact-specification": {"version": V4}}
    ),
    "pending in the oldest key": pact(
        V4, v4(pending=True, **BROKEN), metadata={"pactSpecificationVersion": V4}
    ),
    "pending as a text": pact(V4, v4(pending="true", **BROKEN)),
    "metadata as a list": pact(V2, http(), metadata=[]),
    "no interactions in V2": pact(V2),
    "no interactions in V3": pact(V3),
    "no interactions in V4": pact(V4),
    "no messages": messages(),
    "null for interactions": pact(V2, interactions=None),
    "no messages beside interactions in V4": pact(V4, v4(), messages=[]),
    "messages beside interactions in V4": pact(V4, v4(), messages=[MESSAGE]),
    "messages": messages(MESSAGE),
    "a message without a description": messages({"contents": {"a": 1}}),
    "a message with a number for one": messages({**MESSAGE, "description": 5}),
    "null for states": pact(V3, http(providerStates=None, providerState="one")),
    "null for states in V2": pact(V2, http(providerStates=None, providerState="one")),
    "a text for states": pact(V3, http(providerStates="one")),
    "a text for states in V4": pact(V4, v4(providerStates="one")),
    "texts for states": pact(V3, http(providerStates=["one", "two"])),
    "texts for states in V4": pact(V4, v4(providerStates=["one"])),
    "an object for states": pact(V3, http(providerStates={"name": "one"})),
    "a state without a name": pact(V3, http(providerStates=[{"params": {"a": 1}}])),
    "a number for a name": pact(V3, http(providerStates=[{"name": 5}])),
    "null for a name": pact(V3, http(providerStates=[{"name": None}])),
    "an object for a name": pact(V3, http(providerStates=[{"name": {"a": True}}])),
    "all kinds of states": pact(V3, http(providerStates=[{"name": "one"}, "two", 7, None])),
    "a list for parameters": pact(V3, http(providerStates=[{"name": "one", "params": [1]}])),
    "no states beside an old one": pact(V3, http(providerStates=[], providerState="one")),
    "states in V2": pact(V2, http(providerStates=[{"name": "one"}])),
    "an old state in V3": pact(V3, http(providerState="one")),
    "an old state in V4": pact(V4, v4(providerState="one")),
    "a number for an old state": pact(V2, http(providerState=5)),
    "a list for an old state": pact(V2, http(providerState=["one"])),
    "an empty old state beside an older one": pact(V2, http(providerState="", provider_state="two")),
    "two old states": pact(V2, http(providerState="one", provider_state="two")),
    "a state of V1": pact(V1, http(provider_state="one")),
    "no description": pact(V2, http(), http(description=...)),
    "no description in V4": pact(V4, v4(), v4(description=...)),
    "null for a description": pact(V2, http(description=None)),
    "a number for a description": pact(V2, http(description=5)),
    "true for a description": pact(V4, v4(description=True)),
    "an object for a description": pact(V2, http(description={"é": [1, "b"]})),
    "an empty description": pact(V2, http(description="")),
    "no response": pact(V2, http(response=...)),
    "no response in V4": pact(V4, v4(response=...)),
    "null for a response": pact(V2, http(response=None)),
    "a list for a response": pact(V4, v4(response=[{"status": 404}])),
    "no request": pact(V2, http(request=...)),
    "a text for a request": pact(V2, http(request="GET /")),
    "no method": pact(V2, http(request={"path": "/"})),
    "no path": pact(V2, http(request={"method": "get"})),
    "no consumer": pact(V2, http(), consumer=...),
    "no consumer in V4": pact(V4, v4(), consumer=...),
    "a text for a consumer": pact(V2, http(), consumer="Storefront"),
    "no provider": pact(V2, http(), provider=...),
    "a number for a provider's name": pact(V2, http(), provider={"name": 5}),
    "an empty name": pact(V2, http(), provider={"name": ""}),
    "an unknown type in V2": pact(V2, http(type="x")),
    "an unknown type in V3": pact(V3, http(type=5)),
    "the type of a message in V2": pact(V2, http(type="Asynchronous/Messages")),
    "a type without a version": pact(V3, v4(), metadata=...),
}
"""Pacts that the core verifies."""

EMPTY_LISTS = {
    "empty messages beside interactions": pact(V3, http(), messages=[]),
    "empty messages beside interactions in V2": pact(V2, http(), messages=[]),
    "null for messages beside interactions": pact(V3, http(), messages=None),
    "empty interactions beside messages": pact(V3, messages=[MESSAGE]),
}
"""Pacts whose interactions the core leaves out, or doesn't read, for a list with nothing in it."""

STRICTER = {
    "interactions and messages": (pact(V3, http(), messages=[MESSAGE]), "both 'interactions' and 'messages'"),
    "messages in V2": (pact(V2, http(), messages=[MESSAGE]), "they need version 3"),
    "an object for interactions": (pact(V2, interactions={}), "its interactions is a JSON object"),
    "neither list": (pact(V2, interactions=...), "neither 'interactions' nor 'messages'"),
    "an interaction that is a text": (pact(V2, http(), "x"), "interactions[1] is a JSON string"),
    "an unknown type in V4": (pact(V4, v4(), v4(type="x")), "interactions[1] ('a thing') is of type 'x'"),
    "no type in V4": (pact(V4, v4(), v4(type=...)), "interactions[1] ('a thing') has no type"),
}
"""Pacts that are refused with what is wrong; the core leaves something out, or refuses them as well."""


class Provider:
    """Answers everything with what the pacts expect, and keeps the states that it was asked for, by case."""

    def __init__(self) -> None:
        self.states: dict[str, list[tuple[str, Any]]] = {}

    def __call__(self, request: Received) -> Reply:
        if request.path.startswith("/_states"):
            change = request.json
            self.states.setdefault(request.path, []).append((change["state"], change.get("params")))
            return Reply(body={})
        return Reply(body={"a": 1} if request.method == "POST" else {"id": 1})


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with Engine() as started:
        yield started


@pytest.fixture(scope="module")
def provider() -> Provider:
    return Provider()


@pytest.fixture(scope="module")
def server(provider: Provider) -> Iterator[Loopback]:
    with Loopback(provider) as listening:
        yield listening


@pytest.fixture(scope="module")
def of_the_core(server: Loopback, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """Have the core alone verify every pact."""
    orders = [
        {
            "document": document,
            "base_url": server.url,
            "transports": [vars(transport(server))] if document.get("messages") else [],
            "states_url": f"{server.url}/_states/core/{number}",
            "teardown": False,
        }
        for number, document in enumerate(AS_THE_CORE.values())
    ]
    results = plain_results(tmp_path_factory.mktemp("core"), orders)
    return dict(zip(AS_THE_CORE, results, strict=True))


def transport(server: Loopback) -> Transport:
    return Transport("message", server.port, "/")


def verified(
    tmp_path: Path, document: dict[str, Any], server: Loopback, engine: Engine, states: str = ""
) -> Verification:
    file = tmp_path / "pact.json"
    file.write_text(json.dumps(document), encoding="utf-8")
    under_test = ProviderUnderTest(
        base_url=server.url,
        transports=(transport(server),) if document.get("messages") else (),
        states_url=f"{server.url}/_states/{states}",
    )
    return verify(VerificationRequest(str(file), under_test), engine=engine)


@pytest.mark.parametrize("name", AS_THE_CORE)
def test_what_the_core_verifies_is_verified_with_the_same_outcome_and_states(
    name: str,
    tmp_path: Path,
    server: Loopback,
    provider: Provider,
    engine: Engine,
    of_the_core: dict[str, dict[str, Any]],
) -> None:
    number = list(AS_THE_CORE).index(name)
    found = verified(tmp_path, AS_THE_CORE[name], server, engine, f"ours/{number}")
    core = of_the_core[name]
    assert found.error is None
    assert found.outcome == (Outcome.PASSED if core["result"] else Outcome.FAILED)
    assert [result.description for result in found.interactions] == [
        result["description"] for result in core["interactionResults"]
    ]
    assert len(core["pendingErrors"]) == sum(result.is_pending_failure for result in found.interactions)
    asked_of = {side: provider.states.get(f"/_states/{side}/{number}") for side in ("ours", "core")}
    assert asked_of["ours"] == asked_of["core"]
    named = [state for state, _ in asked_of["ours"] or [] if state]
    assert named == [state.partition(" (")[0] for result in found.interactions for state in result.states]


NOT_LOADED = {
    "a text for a status": (V2, http(response={"status": "200"})),
    "a status below zero in V4": (V4, v4(response={"status": -1})),
    "a header that is none": (V2, http(request={"method": "GET", "path": "/", "headers": {"X-A": "a\nb"}})),
}


@pytest.mark.parametrize("name", NOT_LOADED)
def test_one_interaction_that_can_not_be_loaded_is_named_and_spoils_no_other(
    name: str, tmp_path: Path, server: Loopback, engine: Engine
) -> None:
    version, broken = NOT_LOADED[name]
    sound = v4() if version == V4 else http()
    found = verified(tmp_path, pact(version, *[sound] * 17, broken, *[sound] * 22), server, engine)
    assert [r.index for r in found.interactions if r.outcome == Outcome.PASSED] == [
        *range(17),
        *range(18, 40),
    ]
    culprit = found.interactions[17]
    assert culprit.outcome == Outcome.ERROR
    assert "interactions[17]" in str(culprit.reason) or "header" in str(culprit.reason)
    assert "/" not in str(culprit.reason), "no file of ours is named"
    assert found.error is not None
    assert not found.error.retryable


def test_no_trace_of_the_core_gets_into_a_result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    xml = {"Content-Type": "application/xml"}
    document = pact(V2, http(response={"status": 200, "headers": xml, "body": "<a/>"}))
    monkeypatch.setenv("RUST_BACKTRACE", "1")
    monkeypatch.setenv("RUST_LIB_BACKTRACE", "1")
    with Loopback(Reply(body="<a", headers=xml)) as provider, Engine() as tracing:
        [result] = verified(tmp_path, document, provider, tracing).interactions
    assert result.outcome == Outcome.FAILED
    [mismatch] = result.mismatches
    assert "Failed to parse" in mismatch.description
    assert "backtrace" not in mismatch.description


@pytest.mark.parametrize("name", EMPTY_LISTS)
def test_a_list_with_nothing_in_it_does_not_hide_the_other(
    name: str, tmp_path: Path, server: Loopback, engine: Engine
) -> None:
    found = verified(tmp_path, EMPTY_LISTS[name], server, engine)
    assert [result.outcome for result in found.interactions] == [Outcome.PASSED]


@pytest.mark.parametrize("name", STRICTER)
def test_what_is_no_pact_is_refused_with_what_is_wrong(
    name: str, tmp_path: Path, server: Loopback, engine: Engine
) -> None:
    document, message = STRICTER[name]
    found = verified(tmp_path, document, server, engine)
    assert found.error is not None
    assert message in found.error.message
    assert found.error.kind == "not-a-pact"
    assert not found.error.retryable


@pytest.mark.parametrize("status", [None, "200", [], {"a": 1}, -1, 1.5])
def test_what_the_engine_can_not_run_is_not_tried_again(
    status: Any, tmp_path: Path, server: Loopback, engine: Engine
) -> None:
    found = verified(tmp_path, pact(V2, http(response={"status": status})), server, engine)
    assert found.error is None or not found.error.retryable
