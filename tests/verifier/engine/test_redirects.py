"""Interactions that expect a redirect, and custom headers in another case than the pact's."""

from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.examples import http_interaction, pact_document
from tests.support.loopback import Loopback, Received, Reply
from verifier.engine.process import Engine
from verifier.request import ProviderUnderTest, VerificationRequest
from verifier.run import verify
from verifier.verification import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from verifier.verification import InteractionResult

V4 = {"metadata": {"pactSpecification": {"version": "4.0"}}}


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with Engine() as started:
        yield started


def verified(
    folder: Path, document: dict[str, Any], engine: Engine, base_url: str, **options: Any
) -> tuple[InteractionResult, ...]:
    file = folder / "pact.json"
    file.write_text(json.dumps(document), encoding="utf-8")
    provider = ProviderUnderTest(base_url=base_url, **options)
    return verify(VerificationRequest(str(file), provider), engine=engine).interactions


def redirect(status: int, to: str = "/there", **parts: Any) -> dict[str, Any]:
    response = {"status": status, "headers": {"Location": to}}
    return http_interaction(f"to {to}", response=response, **parts)


def provider(request: Received) -> Reply:
    if request.path.startswith("/shop/moved"):
        status = int(request.path.rpartition("=")[2])
        return Reply(status, {"method": request.method}, headers={"Location": "/there"})
    return Reply(body={"path": request.path})


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_a_redirect_that_is_expected_is_found(
    tmp_path: Path, engine: Engine, status: int, method: str
) -> None:
    asked = {"method": method, "path": "/moved", "query": f"status={status}"}
    moved = redirect(status, request=asked)
    other = redirect(status, to="/elsewhere", request=asked)
    followed = http_interaction(
        "followed", request={"method": "GET", "path": "/moved", "query": "status=302"}
    )
    with Loopback(provider) as server:
        results = verified(
            tmp_path, pact_document(moved, followed, other, moved), engine, f"{server.url}/shop/"
        )
    assert [result.outcome for result in results] == [
        Outcome.PASSED,
        Outcome.PASSED,
        Outcome.FAILED,
        Outcome.PASSED,
    ]
    [mismatch] = results[2].mismatches
    assert (mismatch.attribute, mismatch.expected, mismatch.actual) == ("header", "/elsewhere", "/there")


def test_another_status_than_the_redirect_that_is_expected_is_named(tmp_path: Path, engine: Engine) -> None:
    def answer(request: Received) -> Reply:
        return Reply(307, headers={"Location": "/there"}) if request.path == "/moved" else Reply()

    document = pact_document(
        redirect(302, request={"method": "GET", "path": "/moved"}),
        redirect(302, request={"method": "GET", "path": "/here"}),
    )
    with Loopback(answer) as server:
        moved, here = verified(tmp_path, document, engine, server.url)
    assert [m.description for m in moved.mismatches] == ["expected 302 but was 307"]
    assert "expected 302 but was 200" in [m.description for m in here.mismatches]


@pytest.mark.parametrize(
    ("statuses", "outcome"),
    [
        ("redirect", Outcome.PASSED),
        ("nonError", Outcome.PASSED),
        ([302, 307], Outcome.PASSED),
        ([301, 302], Outcome.FAILED),
        ("success", Outcome.FAILED),
    ],
)
def test_rules_for_the_status_are_kept(
    tmp_path: Path, engine: Engine, statuses: Any, outcome: Outcome
) -> None:
    rules = {
        "status": {"combine": "AND", "matchers": [{"match": "statusCode", "status": statuses}]},
        "header": {},
    }
    response = {"status": 302, "matchingRules": rules}
    interaction = http_interaction(type="Synchronous/HTTP", response=response)
    with Loopback(Reply(307, headers={"Location": "/there"})) as server:
        [result] = verified(tmp_path, pact_document(interaction, **V4), engine, server.url)
    assert result.outcome == outcome, result


def test_a_provider_that_gives_no_answer_in_the_place_of_a_redirect_is_an_outage(
    tmp_path: Path, engine: Engine
) -> None:
    moved = redirect(302, request={"method": "GET", "path": "/moved"})
    with Loopback(lambda request: Reply(drop=request.path == "/moved")) as server:
        [result] = verified(tmp_path, pact_document(moved), engine, server.url)
        url = server.url
    assert result.outcome == Outcome.ERROR
    assert url in str(result.reason)


def test_a_redirect_to_where_nobody_answers_is_followed_once(tmp_path: Path, engine: Engine) -> None:
    """The system's certificate authorities are tried for one whose TLS connection may have failed, not for this one."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        there = f"https://127.0.0.1:{silent.getsockname()[1]}/there"
        moved = Reply(302, headers={"Location": there})
        document = pact_document(http_interaction("a thing", request={"method": "GET", "path": "/things/1"}))
        with Loopback(moved) as server:
            [result] = verified(tmp_path, document, engine, server.url, request_timeout=6.0)
        assert result.outcome == Outcome.ERROR
        assert "timed out" in str(result.reason)
        silent.setblocking(False)
        silent.accept()[0].close()
        with pytest.raises(BlockingIOError):
            silent.accept()


@pytest.mark.parametrize("version", ["2.0.0", "3.0.0", "4.0"])
def test_a_custom_header_replaces_that_of_the_pact_in_any_case(
    tmp_path: Path, engine: Engine, version: str
) -> None:
    headers = {"authorization": "Bearer of the consumer's test", "X-Kept": "kept", "x-other": "pact"}
    interaction = http_interaction(
        type="Synchronous/HTTP", request={"method": "GET", "path": "/", "headers": headers}
    )
    document = pact_document(interaction, metadata={"pactSpecification": {"version": version}})
    with Loopback(Reply()) as server:
        verified(
            tmp_path,
            document,
            engine,
            server.url,
            headers=(("Authorization", "Bearer given"), ("X-OTHER", "given")),
        )
    [received] = [request for request in server.received if "x-kept" in request.headers]
    assert received.headers["authorization"] == "Bearer given"
    assert received.headers["x-other"] == "given"
