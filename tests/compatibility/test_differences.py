"""Where `verify` differs from the core on purpose: the table of `docs/how-it-verifies.md`, beside `pact verifier`.

Each case is a row of the table. If one fails because the core has changed, the row may have become superfluous.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.examples import http_interaction, pact_document
from tests.support.faulty_broker import Fault, FaultyBroker
from tests.support.loopback import Loopback, Received, Reply, closed_port
from tests.support.pact_verifier import pact_verifier
from tests.support.paths import ROOT
from tests.support.processes import EmbeddedBroker
from verifier.engine.process import Engine
from verifier.errors import PublishFailed, UsageError
from verifier.publishing import publish
from verifier.request import ProviderUnderTest, VerificationRequest
from verifier.run import verify
from verifier.transport import Transport
from verifier.verification import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

PASSED, FAILED, CRASHED = 0, 1, 101
"""The exit codes of `pact verifier`."""
V3 = {"pactSpecification": {"version": "3.0.0"}}
MESSAGE = {"description": "a message", "contents": {"id": 1}, "metaData": {"contentType": "application/json"}}
GOOD = http_interaction("a thing", response={"status": 200, "body": {"id": 1}})
WITH_STATE = {**GOOD, "providerState": "one"}
MISTAKE = "mistake"
"""What a request that is refused stands for, beside the outcomes."""


@dataclass(frozen=True)
class Case:
    """A pact, and what becomes of it on both sides.

    Attributes:
        document: The pact.
        core: The exit code of `pact verifier`.
        here: The outcome here.
        answer: What the provider answers to all but the question whether it is ready.
        transport: Whether messages are asked for.
        states: The path of the states URL, or the URL.
        theirs: Further options of `pact verifier`.
        ours: Further values of the request here.
        under_test: Further values of the provider under test.
        variables: The environment.
    """

    document: dict[str, Any]
    core: int
    here: str
    answer: Callable[[Received], Reply] = lambda _: Reply(body={"id": 1})
    transport: bool = False
    states: str = ""
    theirs: tuple[str, ...] = ()
    ours: dict[str, Any] = field(default_factory=dict)
    under_test: dict[str, Any] = field(default_factory=dict)
    variables: dict[str, str] = field(default_factory=dict)


def document(*interactions: Any, **parts: Any) -> dict[str, Any]:
    whole = {**pact_document(*interactions, metadata=V3), **parts}
    return {key: value for key, value in whole.items() if value is not ...}


def status(code: int) -> Callable[[Received], Reply]:
    return lambda _: Reply(code, {"id": 1})


def moved(request: Received) -> Reply:
    return (
        Reply(302, headers={"Location": "/there"}) if request.path == "/products" else Reply(body={"id": 1})
    )


def states_moved(request: Received) -> Reply:
    moved_to = Reply(302, headers={"Location": "/new"})
    return moved_to if request.path == "/states" else Reply(body={"id": 1})


def real_token(request: Received) -> Reply:
    return Reply(200 if request.headers.get("authorization") == "real" else 401, {"id": 1})


PROXY = dict.fromkeys(("HTTP_PROXY", "http_proxy"), "http://127.0.0.1:1") | {"NO_PROXY": "", "no_proxy": ""}
FAKE_TOKEN = {"method": "GET", "path": "/products", "headers": {"authorization": "fake"}}
MESSAGES = document(interactions=..., messages=[MESSAGE])
CASES = {
    "a redirect that the pact expects": Case(
        document(http_interaction("moved", response={"status": 302})), FAILED, Outcome.PASSED, moved
    ),
    "a custom header that the pact has in another case": Case(
        document({**GOOD, "request": FAKE_TOKEN}),
        FAILED,
        Outcome.PASSED,
        real_token,
        theirs=("--header", "Authorization=real"),
        under_test={"headers": (("Authorization", "real"),)},
    ),
    "502, 503 or 504 that the pact doesn't expect": Case(document(GOOD), FAILED, Outcome.ERROR, status(503)),
    "no answer": Case(document(GOOD), FAILED, Outcome.ERROR, lambda _: Reply(drop=True)),
    "a proxy in the environment": Case(document(GOOD), FAILED, Outcome.PASSED, variables=PROXY),
    "a message that is answered with 503": Case(
        MESSAGES, FAILED, Outcome.ERROR, lambda _: Reply(503, {"id": 2}), transport=True
    ),
    "a message that is answered with 500 and the right body": Case(
        MESSAGES, PASSED, Outcome.ERROR, status(500), transport=True
    ),
    "a states URL where nothing answers": Case(
        document(WITH_STATE), FAILED, Outcome.ERROR, states=f"http://127.0.0.1:{closed_port()}/"
    ),
    "a states URL that redirects with 301, 302 or 303": Case(
        document(WITH_STATE), PASSED, Outcome.ERROR, states_moved, states="/states"
    ),
    "empty `messages` beside `interactions` (V3)": Case(
        document(GOOD, messages=[]), PASSED, Outcome.FAILED, lambda _: Reply(404)
    ),
    "`messages` and `interactions`, both filled (V3)": Case(
        document(GOOD, messages=[MESSAGE]), PASSED, Outcome.ERROR, transport=True
    ),
    "neither `interactions` nor `messages`, or no list": Case(
        document(interactions={}), PASSED, Outcome.ERROR
    ),
    "an interaction that is no object": Case(document(GOOD, "x"), PASSED, Outcome.ERROR),
    "an interaction that the core can't load": Case(
        document(GOOD, http_interaction("odd", response={"status": "200"})), CRASHED, Outcome.ERROR
    ),
    "another provider's pact": Case(
        document(GOOD),
        PASSED,
        Outcome.ERROR,
        theirs=("--provider-name", "Another"),
        ours={"provider_name": "Another"},
    ),
    "a filter that leaves nothing": Case(
        document(GOOD),
        PASSED,
        MISTAKE,
        theirs=("--filter-description", "nothing"),
        ours={"filter_description": "nothing"},
    ),
}
ELSEWHERE = {
    "a states URL that answers 5xx",  # tests/verifier/engine/test_engine.py
    "a plugin that isn't installed",  # tests/verifier/engine/test_plugins.py
    "differences of one interaction",  # tests/verifier/engine/test_core_results.py
    "`RUST_BACKTRACE` in the environment",  # tests/verifier/engine/test_odd_pacts.py
    "is the provider ready?",  # tests/verifier/provider/test_readiness.py
    "telemetry",
}
"""Rows that other tests hold, as the core would take minutes, or a network."""
PUBLISHING = {"an outage, published", "a filtered run, published", "a result that the broker doesn't accept"}


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with Engine() as started:
        yield started


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedBroker]:
    with EmbeddedBroker(tmp_path_factory.mktemp("broker")) as started:
        yield started


def test_the_table_has_these_rows() -> None:
    text = (ROOT / "docs" / "how-it-verifies.md").read_text(encoding="utf-8")
    table = text.partition("## Where it differs")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (.+?) \| .+ \| .+ \| .+ \|$", table, re.MULTILINE)
    assert set(rows[2:]) == CASES.keys() | ELSEWHERE | PUBLISHING


@pytest.mark.parametrize("name", CASES)
def test_both_sides_are_as_the_table_says(
    name: str, tmp_path: Path, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = CASES[name]
    file = tmp_path / "pact.json"
    file.write_text(json.dumps(case.document), encoding="utf-8")
    with Loopback(lambda request: Reply() if request.path == "/_ready" else case.answer(request)) as server:
        states = server.url + case.states if case.states.startswith("/") else case.states
        theirs = [*case.theirs, *(("--state-change-url", states) if states else ())]
        theirs += ["--transports", f"message:{server.port}/messages"] if case.transport else []
        done = pact_verifier(file, server.url, *theirs, **case.variables)
        provider = ProviderUnderTest(
            base_url=server.url,
            health_path="/_ready",
            states_url=states or None,
            transports=(Transport("message", server.port, "/messages"),) if case.transport else (),
            **case.under_test,
        )
        for variable, value in case.variables.items():
            monkeypatch.setenv(variable, value)
        if case.variables:
            engine.restart()
        try:
            here = str(verify(VerificationRequest(str(file), provider, **case.ours), engine=engine).outcome)
        except UsageError:
            here = MISTAKE
    assert (done.returncode, here) == (case.core, case.here), done.stdout


def core_with(broker_url: str, provider_url: str, version: str, *options: str) -> int:
    parts = provider_url.rpartition(":")
    wanted = ("--broker-url", broker_url, "--provider-name", "Products", "--publish", "--provider-version")
    return pact_verifier(None, f"http://127.0.0.1:{parts[2]}", *wanted, version, *options).returncode


def results(broker: EmbeddedBroker, version: str) -> list[bool | None]:
    asked = "q%5B%5D%5Bpacticipant%5D=Products&q%5B%5D%5Bversion%5D=" + version
    rows = broker.get(f"/matrix?{asked}&q%5B%5D%5Bpacticipant%5D=Storefront&latestby=cvpv").json()["matrix"]
    return [row["verificationResult"]["success"] for row in rows if row["verificationResult"]]


def test_publishing_is_as_the_table_says(broker: EmbeddedBroker, engine: Engine) -> None:
    broker.publish(document(GOOD), "1")
    url = f"{broker.url}/pacts/provider/Products/consumer/Storefront/latest"
    away = f"http://127.0.0.1:{closed_port()}"

    assert core_with(broker.url, away, "outage") == FAILED
    assert results(broker, "outage") == [False]
    provider = ProviderUnderTest(base_url=away, wait=0.1)
    assert verify(VerificationRequest(url, provider), engine=engine).outcome == Outcome.ERROR  # not published

    with Loopback(Reply(body={"id": 1})) as server:
        provider = ProviderUnderTest(base_url=server.url)
        only = ("--filter-description", "thing")
        assert core_with(broker.url, server.url, "filtered", *only) == PASSED
        assert results(broker, "filtered") == [True]
        with pytest.raises(UsageError, match="a filtered run is never published"):
            VerificationRequest(url, provider, publish=True, filter_description="thing", provider_version="1")

        with FaultyBroker(broker.url, Fault("POST", "verification-results", 403)) as refusing:
            assert core_with(refusing.url, server.url, "refused") == PASSED
            assert results(broker, "refused") == []
            request = VerificationRequest(
                url.replace(broker.url, refusing.url), provider, publish=True, provider_version="refused"
            )
            with pytest.raises(PublishFailed, match="403"):
                publish(verify(request, engine=engine), request.broker_access, retry_time=0.0)
