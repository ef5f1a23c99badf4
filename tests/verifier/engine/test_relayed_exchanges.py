"""What was sent to a provider over TLS or asked for a message, and what came."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from base64 import b64encode
from typing import TYPE_CHECKING, Any

import pytest

from broker.text.secret_names import STARS
from tests.support.certificates import Certificates, make_certificates
from tests.support.examples import http_interaction, pact_document
from tests.support.loopback import Loopback, Received, Reply
from tests.support.paths import ROOT
from tests.support.processes import TIME_LIMIT
from verifier.engine.job_run import MOST_EXCHANGES
from verifier.engine.process import Engine
from verifier.engine.recorded_exchange import INTERACTION_HEADER
from verifier.report.exchange import curl
from verifier.request import ProviderUnderTest, VerificationRequest
from verifier.run import verify
from verifier.transport import Transport
from verifier.verification import LONGEST_BODY, Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from verifier.verification import InteractionResult

ANSWER = Reply(body=b'{"price": "34.90"}', headers={"Content-Type": "application/json", "X-Token": "abc"})
WRONG = {"status": 200, "body": {"price": 34.9}}
METADATA = {"contentType": "application/json", "authorization": "Bearer of-the-message"}
IN_PROCESS = """
import json, ssl, sys
from pathlib import Path
from verifier.engine import tls_relay
from verifier.engine.job_run import JobRun
from verifier.engine.protocol import Job, Results
from verifier.pact_document import parse_pact
from verifier.pact_file import read_pact_file

class Sink:
    def send(self, event):
        if isinstance(event, Results):
            print(*(f"result {one.outcome} {one.exchange is not None}" for one in event.results), sep="\\n")

    def end_out_of_memory(self):
        raise MemoryError

tls_relay.context_of_relay = lambda tls: ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # trusts nobody
pact = parse_pact(read_pact_file(Path(sys.argv[1])))
JobRun(Job(pact, tuple(range(len(pact.interactions))), sys.argv[2]), Path(sys.argv[3]), Sink()).run()
"""


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("certificates"), "password")


@pytest.fixture(scope="module")
def engine(files: Certificates) -> Iterator[Engine]:
    """Return an engine whose process trusts the authority as it does those of the system."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SSL_CERT_FILE", str(files.ca_file))
        with Engine() as started:
            yield started


def verified(
    folder: Path, document: dict[str, Any], engine: Engine, **provider: Any
) -> tuple[InteractionResult, ...]:
    file = folder / "pact.json"
    file.write_text(json.dumps(document), encoding="utf-8")
    return verify(VerificationRequest(str(file), ProviderUnderTest(**provider)), engine=engine).interactions


def message(description: str, contents: Any) -> dict[str, Any]:
    return {"description": description, "contents": contents, "metaData": METADATA}


def test_a_provider_over_tls_is_recorded_as_one_on_plain_http(
    tmp_path: Path, engine: Engine, files: Certificates
) -> None:
    request = {"method": "POST", "path": "/orders", "query": "a=b", "headers": {"X-A": "b"}, "body": {"a": 1}}
    document = pact_document(
        http_interaction("right", response={"status": 200}),
        http_interaction("wrong", request=request, response=WRONG),
        http_interaction("no redirect", response={"status": 302}),
    )
    with Loopback(ANSWER, tls=files.server) as server:
        right, wrong, redirect = verified(tmp_path, document, engine, base_url=server.url)
        asked = [one for one in server.received if one.path == "/orders?a=b"]
    assert (right.outcome, right.exchange) == (Outcome.PASSED, None)
    assert len(asked) == 1
    assert not any(INTERACTION_HEADER in one.headers for one in server.received)
    assert wrong.exchange is not None
    sent, came = wrong.exchange.request, wrong.exchange.response
    assert (sent.start, sent.body) == ("POST /orders?a=b HTTP/1.1", '{"a":1}')
    assert ("x-a", "b") in [(name.lower(), value) for name, value in sent.headers]
    assert came is not None
    assert (came.start, came.body) == ("HTTP/1.1 200 OK", '{"price": "34.90"}')
    assert ("X-Token", STARS) in came.headers
    assert f"{server.url}/orders?a=b" in shlex.split(curl(wrong.exchange))
    assert redirect.exchange is not None
    assert redirect.exchange.response is not None
    assert redirect.exchange.response.start == "HTTP/1.1 200 OK"


def test_what_is_not_answered_over_tls_has_its_request(
    tmp_path: Path, engine: Engine, files: Certificates
) -> None:
    def answer(request: Received) -> Reply:
        return Reply(drop=request.path == "/lost")

    document = pact_document(http_interaction("lost", request={"path": "/lost"}))
    with Loopback(answer, tls=files.server) as server:
        [lost] = verified(tmp_path, document, engine, base_url=server.url)
    assert lost.outcome == Outcome.ERROR
    assert f"{server.url}/lost" in str(lost.reason)
    assert "closed without an answer" in str(lost.reason), "the relay trusts it, so that is not the cause"
    assert lost.exchange is not None
    assert lost.exchange.response is None


def test_where_the_relay_trusts_nobody_the_core_is_asked(tmp_path: Path, files: Certificates) -> None:
    file = tmp_path / "pact.json"
    file.write_text(json.dumps(pact_document(*[http_interaction(response={"status": 200})] * 3)))
    with (
        pytest.MonkeyPatch.context() as patch,
        Loopback(ANSWER, tls=files.server) as server,
    ):
        patch.setenv("SSL_CERT_FILE", str(files.ca_file))
        done = subprocess.run(
            [sys.executable, "-c", IN_PROCESS, file, server.url, tmp_path],
            cwd=ROOT, capture_output=True, text=True, timeout=TIME_LIMIT, check=True,
        )  # fmt: skip
        assert len(server.received) == 3
    told = [line for line in done.stdout.splitlines() if line.startswith("result ")]
    assert told == ["result passed False"] * 3


def test_what_came_for_a_message_is_its_body_and_its_metadata(tmp_path: Path, engine: Engine) -> None:
    def answer(request: Received) -> Reply:
        metadata = b64encode(json.dumps({**METADATA, "topic": "orders"}).encode()).decode()
        number = {"one": 1, "two": 2}[request.json["description"]]
        return Reply(
            body=json.dumps({"n": number}),
            headers={"Content-Type": "application/json", "Pact-Message-Metadata": metadata},
        )

    document = pact_document(
        messages=[message("one", {"n": 1}), message("two", {"n": 1}), message("two", {"n": 0})]
    )
    del document["interactions"]
    with Loopback(answer) as provider:
        transports = (Transport("message", provider.port, "/_messages"),)
        one, *twos = verified(tmp_path, document, engine, transports=transports)
        asked = provider.received[1]
    assert (one.outcome, one.exchange) == (Outcome.PASSED, None)
    for two in twos:
        assert two.outcome == Outcome.FAILED
        assert two.exchange is not None
        assert two.exchange.request.start == "POST /_messages HTTP/1.1"
        assert json.loads(two.exchange.request.body)["description"] == "two"
        assert two.exchange.response is not None
        assert two.exchange.response.body == '{"n": 2}'
        [metadata] = [v for n, v in two.exchange.response.headers if n == "Pact-Message-Metadata"]
        assert json.loads(metadata) == {**METADATA, "authorization": STARS, "topic": "orders"}
    words = shlex.split(curl(twos[0].exchange)) if twos[0].exchange else []
    assert f"{provider.url}/_messages" in words
    assert words[words.index("--data-raw") + 1] == asked.body.decode()


@pytest.mark.parametrize("status", [404, 500, 503])
def test_what_is_no_message_is_shown_as_it_came(tmp_path: Path, engine: Engine, status: int) -> None:
    document = pact_document(messages=[message("one", {"n": 1})])
    del document["interactions"]
    with Loopback(Reply(status, "x" * 2 * LONGEST_BODY)) as provider:
        [one] = verified(tmp_path, document, engine, transports=(Transport("message", provider.port),))
    assert one.exchange is not None
    assert one.exchange.response is not None
    assert one.exchange.response.start.startswith(f"HTTP/1.1 {status} ")
    assert len(one.exchange.response.body) <= LONGEST_BODY


def test_requests_beside_messages_are_recorded_and_of_many_that_fail_some_are_kept(
    tmp_path: Path, engine: Engine
) -> None:
    def v4(kind: str, number: int) -> dict[str, Any]:
        body = {"content": {"n": number}, "contentType": "application/json", "encoded": False}
        if kind == "message":
            return {"type": "Asynchronous/Messages", "description": "m", "contents": body}
        return http_interaction(type="Synchronous/HTTP", response={"status": 200, "body": body})

    document = pact_document(
        *(v4(kind, number) for number in range(MOST_EXCHANGES) for kind in ("http", "message")),
        metadata={"pactSpecification": {"version": "4.0"}},
    )
    with Loopback(Reply(body={"n": -1})) as provider:
        transports = (Transport("message", provider.port),)
        results = verified(tmp_path, document, engine, base_url=provider.url, transports=transports)
    assert {result.outcome for result in results} == {Outcome.FAILED}
    shown = [result.kind for result in results if result.exchange is not None]
    assert len(shown) == MOST_EXCHANGES
    assert set(shown) == {"Synchronous/HTTP", "Asynchronous/Messages"}
