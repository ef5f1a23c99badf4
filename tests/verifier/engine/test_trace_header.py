"""The provider is told which span a request belongs to, and nothing that is recorded of the request says so."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from broker.traces.context import parse_traceparent
from tests.support.certificates import Certificates, make_certificates
from tests.support.examples import http_interaction, pact_document
from tests.support.loopback import Loopback, Received, Reply
from tests.support.processes import TIME_LIMIT
from tests.support.traces import ABOVE, Kept, kept_spans
from verifier.engine.process import Engine
from verifier.engine.protocol import Job
from verifier.pact_document import parse_pact
from verifier.report.exchange import curl
from verifier.transport import Transport

if TYPE_CHECKING:
    from collections.abc import Iterator

    from verifier.verification import InteractionResult

ANSWER = Reply(body=b'{"a": 2}', headers={"Content-Type": "application/json"})
WRONG = {"status": 200, "body": {"a": 1}}
STATES = [{"name": "s"}]


@pytest.fixture
def kept() -> Iterator[Kept]:
    with kept_spans() as found:
        yield found


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("certificates"), "password")


@pytest.fixture(scope="module")
def engine(files: Certificates) -> Iterator[Engine]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SSL_CERT_FILE", str(files.ca_file))
        with Engine() as started:
            yield started


def verified(
    engine: Engine, document: dict[str, Any], url: str | None, **job: Any
) -> list[InteractionResult]:
    pact = parse_pact(document)
    results: list[InteractionResult] = []
    engine.run(
        Job(pact, tuple(range(len(pact.interactions))), url, **job),
        deadline=time.monotonic() + TIME_LIMIT,
        on_results=results.extend,
        on_note=lambda _: None,
        watch=lambda: None,
    )
    return sorted(results, key=lambda result: result.index)


@pytest.mark.parametrize("way", ["plain", "tls", "redirect", "message"])
def test_a_request_says_which_span_it_belongs_to_and_its_record_does_not(
    engine: Engine, files: Certificates, kept: Kept, way: str
) -> None:
    job: dict[str, Any] = {"trace": ABOVE.traceparent, "tells_trace": True}
    document = pact_document(http_interaction("a", response=WRONG))
    if way == "redirect":
        document = pact_document(http_interaction("a", response={"status": 302}))
    with Loopback(ANSWER, tls=files.server if way == "tls" else None) as server:
        url: str | None = server.url
        if way == "message":
            document = {
                **pact_document(),
                "messages": [{"description": "a", "contents": {"a": 1}, "metaData": {}}],
                "metadata": {"pactSpecification": {"version": "3.0.0"}},
            }
            del document["interactions"]
            port = int(server.url.rpartition(":")[2])
            url, job["transports"] = None, (Transport("message", port, "/_messages"),)
        [result] = verified(engine, document, url, **job)
        [asked] = server.received
    assert result.exchange is not None
    told = parse_traceparent(asked.headers["traceparent"])
    assert told is not None
    assert told.trace_id == ABOVE.trace_id
    recorded = repr(result) + curl(result.exchange)
    assert "traceparent" not in recorded.lower()
    [interaction] = [span for span in kept if span.parent_id == ABOVE.span_id]
    [request] = [span for span in kept if span.parent_id == interaction.span_id]
    assert request.span_id == told.span_id
    assert interaction.start <= request.start <= request.end <= interaction.end
    assert interaction.error is not None
    assert request.attributes["url.full"] == server.url + asked.path
    assert request.attributes["http.response.status_code"] == 200


def test_a_pact_that_has_a_request_say_it_itself_is_replayed_as_it_is(engine: Engine, kept: Kept) -> None:
    own = "00-1af7651916cd43dd8448eb211c80319c-c7ad6b7169203331-00"
    request = {"method": "GET", "path": "/", "headers": {"Traceparent": own}}
    with Loopback(ANSWER) as server:
        verified(
            engine,
            pact_document(http_interaction(request=request)),
            server.url,
            trace=ABOVE.traceparent,
            tells_trace=True,
        )
        [asked] = server.received
    assert asked.headers["traceparent"] == own
    assert kept


@pytest.mark.parametrize("trace", [None, ABOVE.traceparent])
def test_nothing_is_added_unless_it_is_wanted(engine: Engine, kept: Kept, trace: str | None) -> None:
    with Loopback(ANSWER) as server:
        document = pact_document(http_interaction(providerStates=STATES))
        verified(engine, document, server.url, trace=trace, states_url=f"{server.url}/states")
        asked = [dict(one.headers) for one in server.received]
    assert len(asked) == 2
    assert not any("traceparent" in headers for headers in asked)
    assert bool(kept) is (trace is not None)


def test_a_state_change_is_a_span_of_its_interaction(engine: Engine, kept: Kept) -> None:
    def answer(received: Received) -> Reply:
        return Reply(500 if received.path.startswith("/states") else 200)

    with Loopback(answer) as server:
        document = pact_document(http_interaction(providerStates=STATES))
        verified(
            engine,
            document,
            server.url,
            trace=ABOVE.traceparent,
            tells_trace=True,
            states_url=f"{server.url}/states?token=s3cr3t",
        )
        change = server.received[0]
    [interaction] = [span for span in kept if span.parent_id == ABOVE.span_id]
    [setup] = [span for span in kept if span.name == "setup of state"]
    assert setup.parent_id == interaction.span_id
    assert setup.attributes["url.full"] == f"{server.url}/states"
    assert setup.attributes["pact.state"] == "s"
    assert setup.error is not None
    told = parse_traceparent(change.headers["traceparent"])
    assert told is not None
    assert told.span_id == setup.span_id
