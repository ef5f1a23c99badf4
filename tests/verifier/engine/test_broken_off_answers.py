"""An answer of the provider that breaks off says nothing about the contract, whichever way it takes to the core."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from tests.support.examples import http_interaction, pact_document
from tests.support.raw_server import BROKEN_OFF, CLOSED_AT_THE_END, RawServer
from verifier.engine.process import Engine
from verifier.engine.protocol import Job
from verifier.pact_document import parse_pact
from verifier.transport import Transport
from verifier.verification import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator

    from verifier.verification import InteractionResult

BODY = {"a": "thing"}
DOCUMENTS = {
    "directly": pact_document(http_interaction(response={"status": 200, "body": BODY})),
    "by the recorder": pact_document(http_interaction(response={"status": 200, "body": BODY})),
    "by the relay for redirects": pact_document(http_interaction(response={"status": 302, "body": BODY})),
    "by the relay for messages": pact_document(messages=[{"description": "a message", "contents": BODY}]),
}


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with Engine() as started:
        yield started


def verified(way: str, engine: Engine, server: RawServer) -> InteractionResult:
    """Verify the one interaction of a pact, whose answer takes a way to the core."""
    transports = () if way == "by the recorder" else (Transport("message", server.port, "/"),)
    job = Job(parse_pact(DOCUMENTS[way]), (0,), server.url, transports=transports)
    results: list[InteractionResult] = []
    engine.run(
        job,
        deadline=time.monotonic() + 60,
        on_results=results.extend,
        on_note=lambda _: None,
        watch=lambda: None,
    )
    [result] = results
    return result


@pytest.mark.parametrize("reset", [False, True], ids=["closed", "reset"])
@pytest.mark.parametrize("way", DOCUMENTS)
def test_an_answer_that_breaks_off_is_no_broken_contract(engine: Engine, way: str, *, reset: bool) -> None:
    wrong = {}
    for name, answer in {**BROKEN_OFF, **(CLOSED_AT_THE_END if reset else {})}.items():
        with RawServer(answer, reset=reset) as server:
            result = verified(way, engine, server)
        if result.outcome != Outcome.ERROR or not result.retryable or not result.reason:
            wrong[name] = result
    assert wrong == {}


@pytest.mark.parametrize("way", DOCUMENTS)
def test_an_answer_that_is_whole_is_the_providers_word(engine: Engine, way: str) -> None:
    for answer in CLOSED_AT_THE_END.values():
        with RawServer(answer) as server:
            assert verified(way, engine, server).outcome == Outcome.FAILED
