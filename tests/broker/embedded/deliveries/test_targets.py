"""Targets that mean no good, or are asked for over TLS: what comes of them is told, bounded and harmless."""

from __future__ import annotations

import json
import ssl
from typing import TYPE_CHECKING, Any

import pytest
import trustme

from broker.embedded.deliveries import http_request
from broker.embedded.deliveries.attempt import Attempt, attempt
from broker.embedded.deliveries.http_request import CA_VARIABLES, MAX_ANSWER_BYTES, MAX_HEADER_CHARACTERS
from broker.embedded.webhooks.settings import WebhookSettings
from broker.embedded.webhooks.template import Template
from broker.http.deadline import Deadline
from broker.text.secret_names import STARS
from tests.support.processes import EmbeddedBroker
from tests.support.raw_server import BROKEN_OFF, RawServer
from tests.support.webhook_documents import OPEN, all_are, create, logs, wait_for, webhook
from tests.support.webhook_target import Target

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HTML = {"Accept": "text/html"}
SCRIPT = "<script>alert(1)</script>"


def sent(url: str, *, seconds: float = 60, secrets: dict[str, str] | None = None, **request: Any) -> Attempt:
    """Send a webhook's request to a URL."""
    settings = WebhookSettings(hosts=("*",), schemes=("http", "https"), timeout_seconds=seconds)
    template = Template("POST", url, **{"headers": {}, **request})
    made = attempt(template, {"consumerName": " Foo\r\nX-Evil: 1"}, secrets or {}, {}, settings, uuid="x")
    json.dumps(made.document(), ensure_ascii=False, allow_nan=False).encode()
    return made


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"\r\n\r\n",
        b"garbage\r\n\r\n",
        b"HTTP/1.1\r\n\r\n",
        b"HTTP/1.1 abc OK\r\n\r\n",
        b"HTTP/1.1 99999 OK\r\n\r\n",
        b"HTTP/9.9 200 OK\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nx",
        b"HTTP/1.1 200 OK\r\nContent-Length: abc\r\n\r\nx",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10, 20\r\n\r\nx",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffffff\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 " + b"y" * 70_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno colon\r\n\r\nx",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\n\xff\xfe\xfd",
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n\xff\xfe\xfd",
        b"HTTP/1.1 200 \xff\xfe\r\nX: \xff\r\n\r\n\xff",
        b"HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nLocation: \xff//\r\n\r\n",
        b'HTTP/1.1 200 OK\r\n\r\n{"a": NaN, "b": 1e999}',
        b'HTTP/1.1 200 OK\r\n\r\n{"a": "\\ud800"}',
        b"HTTP/1.1 200 OK\r\n\r\n" + b"[" * 90_000,
        b"HTTP/1.1 200 OK\r\n\r\n" + b"9" * 90_000,
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
    ],
    ids=lambda answer: repr(answer[:50]),
)
def test_whatever_a_target_answers_is_told_and_can_be_shown(answer: bytes) -> None:
    with RawServer(answer) as target:
        made = sent(target.url)
    assert made.success is (made.answer is not None and 200 <= made.answer.status <= 206)
    assert (made.answer is None) is (made.error is not None)
    assert all("\n" not in line for line in made.lines)


@pytest.mark.parametrize("drip", ["headers", "body", "body of a length", "100 Continue", "size of a chunk"])
def test_a_target_that_drips_is_cut_off(drip: str, monkeypatch: pytest.MonkeyPatch) -> None:
    limits: list[float] = []

    def soon(seconds: float) -> Deadline:
        limits.append(seconds)
        return Deadline(0.5)

    # the time for a part of the answer stays long: a busy machine may have the target pause
    monkeypatch.setattr(http_request, "Deadline", soon)
    with RawServer.dripping(drip) as target:
        made = sent(target.url, seconds=60)
    assert (made.success, made.error) == (False, "No whole answer within 120 seconds")
    assert limits == [120]


def test_a_flood_is_read_no_further_than_shown() -> None:
    with RawServer(b"HTTP/1.1 200 OK\r\n\r\n", again=b"x" * 65536) as target:
        made = sent(target.url)
    assert made.answer is not None
    assert len(made.answer.text) == MAX_ANSWER_BYTES


def test_what_is_long_of_the_headers_is_left_out() -> None:
    lines = b"".join(b"X-%d: %s\r\n" % (number, b"y" * 3000) for number in range(90))
    with RawServer(b"HTTP/1.1 200 OK\r\n" + lines + b"\r\n") as target:
        made = sent(target.url)
    assert made.answer is not None
    assert len(made.answer.headers) == 3
    assert len(made.logs()) < MAX_HEADER_CHARACTERS + 5000


def test_a_compressed_answer_is_not_unpacked() -> None:
    with RawServer(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip, gzip\r\n\r\nxyz") as target:
        made = sent(target.url)
    assert made.answer is not None
    assert made.answer.text == "(not shown: its Content-Encoding is gzip, gzip)"


@pytest.mark.parametrize("name", BROKEN_OFF)
def test_an_answer_that_breaks_off_is_none(name: str) -> None:
    with RawServer(BROKEN_OFF[name]) as target:
        made = sent(target.url)
    assert not made.success
    assert made.answer is None
    assert "ended before the answer did" in made.logs()


def test_an_answer_in_chunks_is_read() -> None:
    with RawServer(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n3\r\ncde\r\n0\r\n\r\n"
    ) as target:
        made = sent(target.url)
    assert made.answer is not None
    assert made.answer.text == "abcde"


def test_a_folded_header_makes_no_line_of_its_own_in_the_log() -> None:
    with RawServer(
        b"HTTP/1.1 500 No\r\nX: a\r\n [now] INFO: Successfully executed webhook\r\n\r\n"
    ) as target:
        lines = sent(target.url).logs().splitlines()
    assert all(line.startswith("[20") for line in lines)


def test_the_beginning_of_a_secret_at_the_end_of_what_was_read_is_not_shown() -> None:
    padding = b"x" * (MAX_ANSWER_BYTES - 8)
    with RawServer(b"HTTP/1.1 200 OK\r\n\r\n" + padding + b"s3cr3t-of-mine") as target:
        made = sent(target.url, secrets={"token": "s3cr3t-of-mine"}, headers={"x": "${user.token}"})
    assert made.answer is not None
    assert made.answer.text.endswith("x" + STARS)
    assert "s3cr" not in made.logs()


def test_a_variable_at_the_beginning_of_a_header_is_sent_on_one_line() -> None:
    with Target() as target:
        assert sent(f"{target.url}/x", headers={"X-Name": "${pactbroker.consumerName}"}).success
    assert target.received[0].headers["x-name"] == "Foo X-Evil: 1"
    assert "x-evil" not in target.received[0].headers


def test_what_a_target_answers_stays_text_on_pages(tmp_path: Path, pact: dict[str, Any]) -> None:
    answer = f"HTTP/1.1 500 {SCRIPT}\r\nX: {SCRIPT}\r\n{SCRIPT}: 1\r\n\r\n{SCRIPT}".encode()
    with (
        RawServer(answer) as target,
        EmbeddedBroker(tmp_path, *OPEN, "--webhook-retry-seconds", "none") as broker,
    ):
        hook = create(broker, {**webhook(f"{target.url}/{SCRIPT[:7].strip('<')}"), "description": SCRIPT})
        broker.publish(pact, "1")
        wait_for(broker, all_are("failure"))
        for path in ("/pacts/provider/Bar/consumer/Foo/latest", "/webhooks", f"/webhooks/{hook['uuid']}"):
            page = broker.get(path, headers=HTML).text
            assert "&lt;script&gt;" in page
            assert "<script" not in page


def test_a_test_of_a_webhook_with_a_hostile_target_is_answered(tmp_path: Path) -> None:
    with (
        RawServer(b"HTTP/1.1 200 OK\r\n\r\n" + b"[" * 90_000) as target,
        EmbeddedBroker(tmp_path, *OPEN) as broker,
    ):
        document = webhook(target.url, body="[" * 100_000)
        answer = broker.request("POST", "/webhooks/execute", json=document)
        assert (answer.status_code, answer.json()["success"]) == (200, True)
        assert answer.json()["response"]["body"] == "[" * 90_000


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def tls_target(authority: trustme.CA) -> Iterator[Target]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    with Target(tls=context) as listening:
        yield listening


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"])
def test_a_webhook_goes_over_tls_to_who_is_trusted(
    tmp_path: Path,
    pact: dict[str, Any],
    tls_target: Target,
    authority: trustme.CA,
    monkeypatch: pytest.MonkeyPatch,
    variable: str,
) -> None:
    authority.cert_pem.write_to_path(tmp_path / "authority.pem")
    for name in CA_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(variable, str(tmp_path / "authority.pem"))
    # https and POST are the defaults
    with EmbeddedBroker(tmp_path, "--webhook-hosts", "127.0.0.1") as broker:
        create(broker, webhook(f"{tls_target.url}/hook"))
        broker.publish(pact, "1")
        wait_for(broker, all_are("success"))
    assert [one.path for one in tls_target.received] == ["/hook"]


def test_a_target_whose_certificate_nobody_vouches_for_gets_nothing(
    tmp_path: Path, pact: dict[str, Any], tls_target: Target
) -> None:
    with EmbeddedBroker(
        tmp_path, "--webhook-hosts", "127.0.0.1", "--webhook-retry-seconds", "none"
    ) as broker:
        create(broker, webhook(f"{tls_target.url}/hook", headers={"authorization": "Bearer t0psecret"}))
        broker.publish(pact, "1")
        (delivery,) = wait_for(broker, all_are("failure"))
        (only,) = logs(broker, delivery)
    assert f"No trusted TLS connection to 127.0.0.1:{tls_target.port} (" in only["logs"]
    assert "certificate" in only["logs"]
    assert "start the broker with REQUESTS_CA_BUNDLE" in only["logs"]
    assert "t0psecret" not in only["logs"]
    assert tls_target.received == []


def test_a_certificate_of_another_host_is_not_trusted(
    authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("elsewhere.example.org").configure_cert(context)
    authority.cert_pem.write_to_path(tmp_path / "authority.pem")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "authority.pem"))
    with Target(tls=context) as target:
        made = sent(f"{target.url}/hook")
    assert made.error is not None
    assert "127.0.0.1" in made.error
    assert target.received == []


def test_a_file_of_certificates_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere.pem")
    made = sent("https://127.0.0.1:9/")
    assert made.error is not None
    assert "/nowhere.pem" in made.error
