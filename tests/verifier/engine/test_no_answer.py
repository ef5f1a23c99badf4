"""A request without an answer says what happened: it was too slow, refused, or not trusted over TLS; and what to do."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import trustme

from broker.http.no_reply import NoReply, NotTrusted, Refused, TooSlow, Unreachable
from tests.support.examples import http_interaction, pact_document
from tests.support.loopback import Loopback, Received, Reply, closed_port
from verifier.engine.no_answer import FailedRequests
from verifier.engine.process import Engine
from verifier.request import ProviderUnderTest, VerificationRequest
from verifier.run import verify
from verifier.transport import MESSAGE, Transport
from verifier.verification import InteractionResult, Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SHORT, LONG = 0.6, 30.0
"""The time limit of a request, where that is to pass, and where it isn't."""
ALLOW_MORE = (
    f"timed out: no whole answer within {SHORT} s. If it may take so long, allow more (--request-timeout)"
)
ITS_LOG = "The provider's own log may say why"
HTTP = pact_document(http_interaction("a thing"))
STATES = pact_document(http_interaction("a thing", providerState="one"))
REDIRECT = pact_document(http_interaction("a thing", response={"status": 302}))
MESSAGES = {
    **pact_document(),
    "interactions": [],
    "messages": [{"description": "a message", "contents": {"a": 1}}],
    "metadata": {"pactSpecification": {"version": "3.0.0"}},
}


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with Engine() as started:
        yield started


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate that nobody trusts."""
    file = tmp_path_factory.mktemp("tls") / "server.pem"
    trustme.CA().issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(file))
    return file


def reason(
    folder: Path, engine: Engine, document: dict[str, Any], *, seconds: float = LONG, **options: Any
) -> str:
    file = folder / "pact.json"
    file.write_text(json.dumps(document), encoding="utf-8")
    provider = ProviderUnderTest(request_timeout=seconds, **options)
    verification = verify(VerificationRequest(str(file), provider), engine=engine)
    assert verification.outcome == Outcome.ERROR
    [result] = verification.interactions
    assert result.reason is not None
    assert verification.error is not None
    assert result.reason in verification.error.message
    return result.reason


def ready(reply: Reply) -> Any:
    """Answer the request of readiness, and any other one with the reply."""
    return lambda request: Reply() if request.path == "/" else reply


@pytest.mark.parametrize("document", [HTTP, REDIRECT], ids=["http", "redirect"])
@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (Reply(hang=True), ALLOW_MORE),
        (Reply(drop=True), "the connection was closed without an answer, or what came is not HTTP"),
        (Reply(body="0123456789", cut=4), ITS_LOG),
    ],
    ids=["slow", "closed", "broken off"],
)
def test_a_request_of_the_core(
    tmp_path: Path, engine: Engine, document: dict[str, Any], reply: Reply, expected: str
) -> None:
    with Loopback(ready(reply)) as provider:
        seconds = SHORT if reply.hang else LONG
        found = reason(tmp_path, engine, document, base_url=provider.url, seconds=seconds)
        assert found.startswith(f"the request to {provider.url}/products: ")
    assert expected in found


def test_a_provider_that_has_stopped_to_listen(tmp_path: Path, engine: Engine) -> None:
    provider = Loopback(ready(Reply()))

    def states(_: Received) -> Reply:
        provider.stop()
        return Reply()

    with provider, Loopback(states) as handler:
        found = reason(tmp_path, engine, STATES, base_url=provider.url, states_url=handler.url)
    assert "the connection was refused, though the provider was ready before. " + ITS_LOG in found


def test_a_certificate_that_is_not_trusted(tmp_path: Path, engine: Engine, certificate: Path) -> None:
    with Loopback(ready(Reply()), certificate=certificate) as provider:
        found = reason(tmp_path, engine, HTTP, base_url=provider.url)
        assert found.startswith(
            f"the request to {provider.url}/products: no TLS connection that is trusted: "
        )
        assert "--provider-ca-file" in found
        states = reason(tmp_path, engine, STATES, base_url=provider.url, states_url=provider.url)
        assert states.startswith(
            f'setup of state "one" at {provider.url}: no TLS connection that is trusted: '
        )
        assert "--provider-ca-file" in states


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (Reply(hang=True), ALLOW_MORE),
        (Reply(drop=True), f"the connection was closed without an answer. Is {{option}} right? {ITS_LOG}"),
        (Reply(body="0123456789", cut=4), f"the answer broke off. {ITS_LOG}"),
        (None, "the connection was refused, so nothing listens there. Is {option} right"),
    ],
    ids=["slow", "closed", "broken off", "refused"],
)
def test_requests_for_messages_and_of_states(
    tmp_path: Path, engine: Engine, reply: Reply | None, expected: str
) -> None:
    with Loopback(ready(Reply())) as provider, Loopback(reply or Reply()) as other:
        seconds = SHORT if reply and reply.hang else LONG
        port = closed_port() if reply is None else int(other.url.rpartition(":")[2])
        states_url = f"http://127.0.0.1:{port}/states"
        found = reason(
            tmp_path, engine, STATES, seconds=seconds, base_url=provider.url, states_url=states_url
        )
        assert found.startswith(f'setup of state "one" at {states_url}: ')
        assert expected.replace("{option}", "--provider-states-setup-url") in found
        transports = (Transport(MESSAGE, port, "/messages"),)
        found = reason(tmp_path, engine, MESSAGES, seconds=seconds, transports=transports)
    assert found.startswith(f"asking for the message at http://127.0.0.1:{port}/messages: ")
    assert expected.replace("{option}", "--transport") in found


def failed(words: str, seconds: float) -> InteractionResult:
    return InteractionResult(
        index=0,
        id="",
        description="a thing",
        kind="http",
        request="GET /thing",
        states=(),
        pending=False,
        outcome=Outcome.ERROR,
        reason=words,
        duration=seconds,
    )


@pytest.mark.parametrize(
    ("error", "took", "of_states", "expected"),
    [
        (None, 4.9, 0.0, "timed out"),
        (None, 4.9, 4.8, "the connection was closed"),  # most of that time the states took
        (Refused("no"), 4.9, 0.0, "the connection was refused"),
        (TooSlow("no"), 0.1, 0.0, "timed out"),
        (NotTrusted("it speaks no TLS there"), 0.1, 0.0, "Should the URL begin with http://?"),
        (Unreachable("No route to host"), 0.1, 0.0, "No route to host. Is --provider-base-url right?"),
    ],
)
def test_each_server_is_looked_at_once(
    error: NoReply | None, took: float, of_states: float, expected: str
) -> None:
    looked_at = []

    def connect(url: str) -> None:
        looked_at.append(url)
        if error is not None:
            raise error

    requests = FailedRequests(5.0, connect)
    for path in "ab":
        words = f"error sending request for url (http://127.0.0.1:80/{path}?c=(d))"
        found = requests.explained(failed(words, took), of_states).reason or ""
        assert found.startswith(f"the request to http://127.0.0.1:80/{path}?c=(d): ")
        assert expected in found
    assert looked_at == ["http://127.0.0.1:80/a?c=(d)"]


def test_other_results_stay_as_they_are() -> None:
    def connect(url: str) -> None:
        raise AssertionError(url)

    for words in ("Invalid header value", ""):
        assert FailedRequests(5.0, connect).explained(failed(words, 0.1), 0.0) == failed(words, 0.1)


def test_a_redirect_without_end_and_one_to_tls() -> None:
    loop = failed("error following redirect for url (http://127.0.0.1/a)", 0.1)
    assert "again and again" in (FailedRequests(5.0, lambda _: None).explained(loop, 0.0).reason or "")
    tls = failed("error sending request for url (https://127.0.0.1/a)", 0.1)
    assert "CA:TRUE" in (FailedRequests(5.0, lambda _: None).explained(tls, 0.0).reason or "")
