"""Everything said to a broker, against a server that misbehaves as brokers, proxies and sign-in pages do."""

from __future__ import annotations

import base64
import gzip
import shutil
import subprocess
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from broker.client import ACCEPT, BrokerClient
from broker.http.access import BrokerAccess
from broker.http.errors import (
    BrokerError,
    BrokerRefused,
    BrokerUnreachable,
    NotFound,
    OffOrigin,
    UnexpectedAnswer,
)
from broker.http.limits import Limits
from broker.http.origin import Origin
from broker.http.strict_json import parse_json
from broker.http.waits import JITTER_SECONDS
from tests.support.loopback import Loopback, Received, Reply, closed_port

if TYPE_CHECKING:
    from pathlib import Path

JSON = {"Content-Type": "application/hal+json"}
OK = Reply(body={"ok": True})
TOKEN = "s3cret-token"


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def client(server: Loopback | str, path: str = "", **options: Any) -> BrokerClient:
    """Make a client with a token, and little patience."""
    url = server if isinstance(server, str) else server.url
    options = {"retry_time": 1.0, **options}
    access = BrokerAccess(url + path, token=options.pop("token", TOKEN))
    return BrokerClient(access, **options)


def fetched(reply: Reply | list[Reply], **options: Any) -> Any:
    """Fetch what the server gives at once, without another try."""
    with Loopback(reply) as server, client(server, **{"retry_time": 0, **options}) as broker:
        return broker.get(server.url + "/pact").document


def failing(reply: Reply | list[Reply], **options: Any) -> BrokerError:
    with pytest.raises(BrokerError) as error:
        fetched(reply, **options)
    assert TOKEN not in str(error.value)
    return error.value


# --- what is sent


def test_document_is_fetched_as_hal() -> None:
    with Loopback(Reply(body={"a": 1}, headers=JSON)) as server, client(server) as broker:
        answer = broker.get(server.url + "/pact?x=1")
    assert (answer.status, answer.document, answer.url) == (200, {"a": 1}, server.url + "/pact?x=1")
    [request] = server.received
    assert (request.method, request.path) == ("GET", "/pact?x=1")
    assert request.headers["accept"] == ACCEPT
    assert request.headers["user-agent"] == "pact-dispatch"


@pytest.mark.parametrize(
    ("access", "authorization"),
    [
        ({"token": TOKEN}, f"Bearer {TOKEN}"),
        ({"username": "ada", "password": "pw"}, "Basic " + base64.b64encode(b"ada:pw").decode()),
        (
            {"username": "ada", "password": "pä☃:x"},
            "Basic " + base64.b64encode("ada:pä☃:x".encode()).decode(),
        ),
        ({"username": "ada"}, "Basic " + base64.b64encode(b"ada:").decode()),
        ({}, None),
    ],
    ids=["bearer", "basic", "not latin-1", "no password", "none"],
)
def test_credentials_are_sent_to_the_broker(access: dict[str, Any], authorization: str | None) -> None:
    with Loopback(OK) as server, BrokerClient(BrokerAccess(server.url, **access)) as broker:
        broker.get(server.url)
        broker.put(server.url, {"a": 1})
        broker.post_once(server.url, {"a": 1})
    assert [request.headers.get("authorization") for request in server.received] == [authorization] * 3
    assert [request.method for request in server.received] == ["GET", "PUT", "POST"]
    assert [request.json for request in server.received[1:]] == [{"a": 1}] * 2


@pytest.mark.parametrize("token", [TOKEN, None])
def test_netrc_is_not_used(token: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login netrc password netrc\n")
    (tmp_path / ".netrc").chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    with Loopback(OK) as server, client(server, token=token) as broker:
        broker.get(server.url)
    expected = f"Bearer {token}" if token else None
    assert server.received[0].headers.get("authorization") == expected


@pytest.mark.parametrize("method", ["get", "put", "post_once"])
def test_nothing_is_sent_off_the_origin(method: str) -> None:
    with Loopback(OK) as elsewhere, Loopback(OK) as server, client(server) as broker:
        send = getattr(broker, method)
        with pytest.raises(OffOrigin, match="nothing was sent") as error:
            send(elsewhere.url + "/x", *([] if method == "get" else [{}]))
    assert elsewhere.received == []
    assert not error.value.transient
    assert "PACT_BROKER_BASE_URL" in str(error.value)


@pytest.mark.parametrize("path", ["/pacts", "/brokerage/pacts", "/broker/%2e%2e/pacts", "/broker/../pacts"])
def test_nothing_is_sent_off_the_base_path(path: str) -> None:
    with Loopback(OK) as server, client(server, "/broker/") as broker:
        with pytest.raises(OffOrigin):
            broker.get(server.url + path)
        assert broker.get(server.url + "/broker/pacts").status == 200
    assert [request.path for request in server.received] == ["/broker/pacts"]


def test_location_of_what_was_made_is_told() -> None:
    reply = Reply(201, {"a": 1}, headers={"Location": "http://b/results/1"})
    with Loopback(reply) as server, client(server) as broker:
        answer = broker.post_once(server.url, {})
    assert (answer.status, answer.location) == (201, "http://b/results/1")


@pytest.mark.parametrize("status", [200, 201, 204])
def test_empty_answer_has_no_document(status: int) -> None:
    assert fetched(Reply(status)) is None


# --- redirects


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirect_on_the_origin_is_followed(status: int) -> None:
    replies = [Reply(status, headers={"Location": "/broker/there"}), OK]
    with Loopback(replies) as server, client(server, "/broker") as broker:
        answer = broker.get(server.url + "/broker/here")
    assert answer.document == {"ok": True}
    assert answer.url == server.url + "/broker/there"
    assert [request.path for request in server.received] == ["/broker/here", "/broker/there"]
    assert [request.headers.get("authorization") for request in server.received] == [f"Bearer {TOKEN}"] * 2


@pytest.mark.parametrize("method", ["get", "put", "post_once"])
@pytest.mark.parametrize("status", [302, 307])
def test_redirect_to_another_origin_is_not_followed(method: str, status: int) -> None:
    with Loopback(OK) as elsewhere:
        target = f"{elsewhere.url}/login?next=pact"
        with Loopback(Reply(status, headers={"Location": target})) as server, client(server) as broker:
            send = getattr(broker, method)
            with pytest.raises(UnexpectedAnswer, match="not on the broker's origin") as error:
                send(server.url + "/x", *([] if method == "get" else [{}]))
            assert len(server.received) == 1
    assert elsewhere.received == [], "no request, so no credentials"
    assert "next=pact" not in str(error.value)


@pytest.mark.parametrize(
    "location",
    [
        "/elsewhere",
        "../elsewhere",
        "//127.0.0.1:1/broker/x",
        "/broker/../elsewhere",
        "/broker/%2e%2e/elsewhere",
    ],
)
def test_redirect_off_the_base_path_is_not_followed(location: str) -> None:
    reply = Reply(302, headers={"Location": location})
    with Loopback(reply) as server, client(server, "/broker") as broker:
        with pytest.raises(UnexpectedAnswer, match="not on the broker's origin"):
            broker.get(server.url + "/broker/x")
        assert len(server.received) == 1


@pytest.mark.parametrize("status", [301, 302, 303])
def test_redirect_that_would_lose_the_body_is_not_followed(status: int) -> None:
    reply = Reply(status, headers={"Location": "/there"})
    with Loopback(reply) as server, client(server) as broker:
        with pytest.raises(UnexpectedAnswer, match="address that the broker really has"):
            broker.put(server.url + "/here", {})
        assert len(server.received) == 1


@pytest.mark.parametrize("status", [307, 308])
def test_redirect_that_keeps_the_body_is_followed(status: int) -> None:
    with Loopback([Reply(status, headers={"Location": "/there"}), OK]) as server, client(server) as broker:
        broker.put(server.url + "/here", {"a": 1})
    assert [(request.method, request.path, request.json) for request in server.received] == [
        ("PUT", "/here", {"a": 1}),
        ("PUT", "/there", {"a": 1}),
    ]


def test_endless_redirects_end() -> None:
    with Loopback(Reply(302, headers={"Location": "/again"})) as server, client(server) as broker:
        with pytest.raises(UnexpectedAnswer, match="more than 5 redirects"):
            broker.get(server.url)
        assert len(server.received) == 6


# --- trying again


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_transient_status_is_tried_again(status: int) -> None:
    with Loopback([Reply(status), OK]) as server, client(server, retry_time=20) as broker:
        assert broker.get(server.url).document == {"ok": True}
        assert len(server.received) == 2


def test_broker_that_fails_twice_is_asked_three_times() -> None:
    heard: list[str] = []
    with Loopback([Reply(503), Reply(503), OK]) as server:
        with client(server, retry_time=20, on_retry=heard.append) as broker:
            assert broker.get(server.url).document == {"ok": True}
        assert len(server.received) == 3
    assert len(heard) == 2
    assert "answered with 503" in heard[0]
    assert "trying again in" in heard[0]


def test_put_is_tried_again_with_its_body() -> None:
    with Loopback([Reply(503), OK]) as server, client(server, retry_time=10) as broker:
        broker.put(server.url, {"a": 1})
    assert [request.json for request in server.received] == [{"a": 1}] * 2


@pytest.mark.parametrize("first", [Reply(drop=True), Reply(body="0123456789", cut=4)], ids=["dropped", "cut"])
def test_connection_that_is_dropped_is_tried_again(first: Reply) -> None:
    with Loopback([first, OK]) as server, client(server, retry_time=10) as broker:
        assert broker.get(server.url).document == {"ok": True}
        assert len(server.received) == 2


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The waits between tries: time passes by them alone."""
    waits: list[float] = []
    monkeypatch.setattr(
        "broker.http.waits.time", SimpleNamespace(monotonic=lambda: sum(waits), sleep=waits.append)
    )
    return waits


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_honoured(status: int, slept: list[float]) -> None:
    with Loopback([Reply(status, headers={"Retry-After": "3"}), OK]) as server:
        with client(server, retry_time=10) as broker:
            broker.get(server.url)
        assert len(server.received) == 2
    [waited] = slept
    assert 3 <= waited <= 3 + JITTER_SECONDS


@pytest.mark.parametrize("as_date", [False, True])
def test_retry_after_that_is_too_long_is_not_waited_for(
    as_date: bool,  # noqa: FBT001
    slept: list[float],
) -> None:
    began = datetime.now(UTC)
    later = format_datetime(began + timedelta(hours=1), usegmt=True) if as_date else "3600"
    error = failing(Reply(503, headers={"Retry-After": later}), retry_time=5)
    assert slept == []
    assert isinstance(error, BrokerUnreachable)
    assert error.retry_after is not None
    took = (datetime.now(UTC) - began).total_seconds()
    assert 3599 - took <= error.retry_after <= 3600


@pytest.mark.parametrize("value", ["soon", "-1", "", "1e400", "Wed, 99 Foo 2026"])
def test_retry_after_that_can_not_be_read_is_passed_over(value: str) -> None:
    error = failing(Reply(503, headers={"Retry-After": value}))
    assert isinstance(error, BrokerUnreachable)
    assert not error.retry_after


def test_5xx_to_the_end_is_unreachable(slept: list[float]) -> None:
    with Loopback(Reply(503, {"error": "maintenance"})) as server, client(server, retry_time=10) as broker:
        with pytest.raises(BrokerUnreachable, match="503") as error:
            broker.get(server.url)
        assert len(server.received) == len(slept) + 1 > 2
    assert sum(slept) < 10
    assert error.value.transient


def test_refused_connection_is_unreachable() -> None:
    url = f"http://127.0.0.1:{closed_port()}"
    with (
        client(url, retry_time=0.5) as broker,
        pytest.raises(BrokerUnreachable, match="can't be reached") as error,
    ):
        broker.get(url)
    assert "refused" in str(error.value)
    assert "0x" not in str(error.value), "addresses of objects help nobody"


def test_deadline_ends_the_tries() -> None:
    with Loopback(Reply(503)) as server:
        with (
            client(server, retry_time=60, deadline=time.monotonic() + 0.6) as broker,
            pytest.raises(BrokerUnreachable),
        ):
            broker.get(server.url)
        assert len(server.received) <= 1


def test_deadline_ends_a_request_that_hangs() -> None:
    with Loopback(Reply(hang=True)) as server:
        broker = client(server, deadline=time.monotonic() + 0.4)
        with broker, pytest.raises(BrokerUnreachable, match="out of time before http://127"):
            broker.get(server.url)


def test_nothing_is_sent_past_the_deadline() -> None:
    with Loopback(OK) as server:
        broker = client(server, deadline=time.monotonic() - 1)
        with broker, pytest.raises(BrokerUnreachable, match="out of time"):
            broker.get(server.url)
        assert server.received == []


@pytest.mark.parametrize(
    "reply",
    [Reply(503), Reply(429, headers={"Retry-After": "0"}), Reply(drop=True), Reply(body="0123", cut=2)],
    ids=["503", "429", "dropped", "cut"],
)
def test_post_is_never_repeated(reply: Reply) -> None:
    with Loopback(reply) as server, client(server, retry_time=20) as broker:
        with pytest.raises(BrokerUnreachable):
            broker.post_once(server.url, {"a": 1})
        assert len(server.received) == 1


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 422, 501])
def test_refusal_is_not_tried_again(status: int) -> None:
    with Loopback(Reply(status)) as server, client(server, retry_time=20) as broker:
        with pytest.raises(BrokerRefused) as error:
            broker.get(server.url)
        assert len(server.received) == 1
    assert error.value.status == status
    assert not error.value.transient


# --- answers


@pytest.mark.parametrize(
    "reply",
    [
        Reply(body="<!doctype html><title>Sign in</title>", headers={"Content-Type": "text/html"}),
        Reply(body="  \n<html>", headers=JSON),
        Reply(body="{}", headers={"Content-Type": "text/html; charset=utf-8"}),
    ],
    ids=["page", "page said to be JSON", "JSON said to be a page"],
)
def test_web_page_is_not_a_document(reply: Reply) -> None:
    error = failing(reply)
    assert isinstance(error, UnexpectedAnswer)
    assert "sign-in page" in str(error)
    assert "--broker-token" in str(error)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"not json", "is not JSON"),
        (b'{"a": 1', "is not JSON"),
        (b'{"a": NaN}', "NaN is not a JSON value"),
        (b"[-Infinity]", "-Infinity is not a JSON value"),
        (b'{"a": 1e999}', "out of range"),
        (b"[" * 200_000, "nested too deeply"),
        (b'{"a":' * 100_000, "nested too deeply"),
        (b'{"a": "\xff"}', "is not UTF-8"),
        (b"{} {}", "is not JSON"),
        (b"9" * 10_000, "is not JSON"),
    ],
    ids=[
        "text",
        "cut",
        "NaN",
        "Infinity",
        "1e999",
        "deep arrays",
        "deep objects",
        "latin-1",
        "two",
        "long number",
    ],
)
def test_answer_that_is_no_json_is_refused(body: bytes, said: str) -> None:
    error = failing(Reply(body=body, headers=JSON))
    assert isinstance(error, UnexpectedAnswer)
    assert said in str(error)
    assert len(str(error)) < 1000


@pytest.mark.parametrize(
    ("content", "document"),
    [
        (b'\xef\xbb\xbf{"a": 1}', {"a": 1}),
        (b' [1.5, "\\ud83d\\ude00", null] ', [1.5, "😀", None]),
        (b"1e308", 1e308),
        (b'"x"', "x"),
    ],
)
def test_json_is_read(content: bytes, document: Any) -> None:
    assert parse_json(content) == document
    assert fetched(Reply(body=content, headers=JSON)) == document


def test_answer_that_is_too_large_is_refused() -> None:
    limits = Limits(10, 2**20)
    assert "more than 1 MB" in str(failing(Reply(body=b" " * (2**20 + 1), headers=JSON), limits=limits))
    assert fetched(Reply(body=b"1" + b" " * (2**20 - 1), headers=JSON)) == 1


def test_answer_that_unpacks_to_too_much_is_refused() -> None:
    bomb = gzip.compress(b" " * (64 * 2**20))
    assert len(bomb) < 2**18
    reply = Reply(body=bomb, headers={**JSON, "Content-Encoding": "gzip"})
    error = failing(reply, limits=Limits(10, 2**20))
    assert isinstance(error, UnexpectedAnswer)
    assert "too large" in str(error)


def test_gzip_is_unpacked() -> None:
    reply = Reply(body=gzip.compress(b'{"a": 1}'), headers={**JSON, "Content-Encoding": "gzip"})
    with Loopback(reply) as server, client(server) as broker:
        assert broker.get(server.url).document == {"a": 1}
    assert "gzip" in server.received[0].headers["accept-encoding"]


def test_broken_gzip_is_refused() -> None:
    error = failing(Reply(body=b"not gzip at all", headers={**JSON, "Content-Encoding": "gzip"}))
    assert isinstance(error, UnexpectedAnswer)
    assert "compression is broken" in str(error)


def test_answer_that_breaks_off_is_unreachable() -> None:
    error = failing(Reply(body='{"a": 1}      ', cut=9, headers=JSON))
    assert isinstance(error, BrokerUnreachable)
    assert "broke off" in str(error)


def test_error_with_a_broken_body_is_still_that_error() -> None:
    error = failing(Reply(404, b"\xff\xfe\x00", headers=JSON))
    assert isinstance(error, BrokerRefused)
    assert error.status == 404


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (Reply(401), "The credentials are wrong or expired"),
        (Reply(403, {"error": "read only"}), "403 Forbidden: read only. These credentials may not do this"),
        (Reply(404, {"error": "No pact found"}), "404 Not Found: No pact found"),
        (Reply(400, {"errors": {"success": ["can't be blank"]}}), '{"success": ["can\'t be blank"]}'),
        (Reply(409, {"message": "conflict"}), "409 Conflict: conflict"),
        (Reply(400, "plain words"), "400 Bad Request: plain words"),
        (Reply(400, {"error": "x" * 900}), "x" * 499 + "\N{HORIZONTAL ELLIPSIS}"),
    ],
)
def test_refusal_says_what_the_broker_said(reply: Reply, said: str) -> None:
    error = failing(reply)
    assert isinstance(error, BrokerRefused)
    assert said in str(error)
    assert "GET http://127.0.0.1" in str(error)


@pytest.mark.parametrize("body", ["<html>" + "x" * 50, "x" * 1000, "[1, 2]", "{}", "5"])
def test_refusal_leaves_out_what_says_nothing(body: str) -> None:
    assert str(failing(Reply(404, body))).endswith("404 Not Found")


@pytest.mark.parametrize(
    "reply",
    [
        Reply(400),  # of a Pact Broker
        Reply(400, headers={"WWW-Authenticate": 'Basic realm="broker"'}, body="no"),
        Reply(401, headers={"WWW-Authenticate": "basic"}),
    ],
)
def test_a_token_for_a_broker_with_basic_auth_is_explained(reply: Reply) -> None:
    assert "give --broker-username and --broker-password" in str(failing(reply, token="abc-def-ghi"))
    assert "--broker-username" not in str(failing(Reply(400, {"error": "no"}), token="abc-def-ghi"))


def test_a_password_for_a_broker_that_wants_a_token_is_explained() -> None:
    with Loopback(Reply(401, headers={"WWW-Authenticate": "Bearer"})) as broker:
        access = BrokerAccess(broker.url, "ci", "s3cret-word")
        with BrokerClient(access) as client, pytest.raises(BrokerRefused, match="The broker wants a token"):
            client.get(f"{broker.url}/pacts")


def test_401_without_credentials_says_how_to_give_them() -> None:
    message = str(failing(Reply(401), token=None))
    for part in ("--broker-token", "PACT_BROKER_TOKEN", "PACT_BROKER_USERNAME"):
        assert part in message


def test_query_of_a_url_is_not_shown() -> None:
    with Loopback(Reply(404)) as server, client(server) as broker, pytest.raises(BrokerRefused) as error:
        broker.get(server.url + "/pact?token=hidden")
    assert "hidden" not in str(error.value)


# --- TLS


def test_ca_bundle_that_is_not_there_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    missing = tmp_path / "missing.pem"
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(missing))
    url = f"https://127.0.0.1:{closed_port()}"
    with client(url) as broker, pytest.raises(BrokerError, match="REQUESTS_CA_BUNDLE") as error:
        broker.get(url)
    assert str(missing) in str(error.value)
    assert not error.value.transient


def test_server_without_tls_is_no_outage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
    with Loopback(OK) as server:
        url = server.url.replace("http:", "https:")
        with client(url) as broker, pytest.raises(BrokerError, match="no trusted TLS connection") as error:
            broker.get(url)
        assert server.received == []
    assert not error.value.transient


@pytest.mark.skipif(shutil.which("openssl") is None, reason="makes the certificate")
def test_authority_of_ones_own_is_trusted_through_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, certificate, both = (tmp_path / name for name in ("key.pem", "certificate.pem", "both.pem"))
    options = ["-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"]
    options += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(["openssl", "req", "-x509", *options], check=True, capture_output=True)
    both.write_bytes(key.read_bytes() + certificate.read_bytes())
    with Loopback(OK, certificate=both) as server:
        for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
            monkeypatch.delenv(name, raising=False)
        with client(server) as broker, pytest.raises(BrokerError, match="no trusted TLS connection") as error:
            broker.get(server.url)
        assert "REQUESTS_CA_BUNDLE" in str(error.value)
        assert server.received == []
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
        with client(server) as broker:
            assert broker.get(server.url).document == {"ok": True}


# --- links


@pytest.mark.parametrize(
    ("links", "found"),
    [
        ({"rel": {"href": "http://b/x"}}, "http://b/x"),
        ({"rel": {"href": "/x"}}, "http://b/x"),
        ({"rel": {"href": "x/y"}}, "http://b/broker/x/y"),
        ({"rel": [{"href": "http://b/1"}, {"href": "http://b/2"}]}, "http://b/1"),
        ({"rel": {"href": "http://elsewhere/x"}}, "http://elsewhere/x"),
        ({"rel": []}, None),
        ({"rel": {"href": None}}, None),
        ({"rel": {"href": ["http://b"]}}, None),
        ({"rel": "http://b/x"}, None),
        ({"rel": None}, None),
        ({}, None),
        ([], None),
        (None, None),
    ],
)
def test_link_is_found(links: Any, found: str | None) -> None:
    with client("http://b/broker/") as broker:
        assert broker.link({"_links": links}, "rel") == found


@pytest.mark.parametrize("document", [None, [], "text", 5, {}])
def test_document_without_links_has_none(document: Any) -> None:
    with client("http://b") as broker:
        assert broker.link(document, "rel") is None


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("main", "main"),
        ("feat/new thing", "feat%2Fnew%20thing"),
        ("a?b#c&d=e", "a%3Fb%23c%26d%3De"),
        ("ünï", "%C3%BCn%C3%AF"),
        ("100%", "100%25"),
        ("{branch}", "%7Bbranch%7D"),
    ],
)
def test_template_parameters_are_percent_encoded(value: str, written: str) -> None:
    document = {
        "_links": {"rel": {"href": "http://b/branches/{branch}/versions/{version}", "templated": True}}
    }
    with client("http://b") as broker:
        found = broker.link(document, "rel", branch=value, version="1")
    assert found == f"http://b/branches/{written}/versions/1"
    assert found is not None
    assert Origin.of("http://b").contains(found)


@pytest.mark.parametrize("value", [".", ".."])
def test_parameter_that_is_a_dot_segment_goes_nowhere_else(value: str) -> None:
    """Encoding does nothing for it; so it is refused instead of sent to another address."""
    with Loopback(OK) as server, client(server) as broker:
        href = f"{server.url}/pacticipants/P/branches/{{branch}}/versions/1"
        with pytest.raises(OffOrigin, match="branch"):
            broker.link({"_links": {"rel": {"href": href}}}, "rel", branch=value)
        assert server.received == []


def test_link_off_the_origin_is_refused_when_it_is_followed() -> None:
    with Loopback(OK) as elsewhere, Loopback(OK) as server, client(server) as broker:
        link = broker.link({"_links": {"rel": {"href": f"{elsewhere.url}/results"}}}, "rel")
        assert link is not None
        with pytest.raises(OffOrigin):
            broker.post_once(link, {})
    assert elsewhere.received == []


@pytest.mark.parametrize("base", ["", "/", "/broker", "/broker/"])
def test_broker_may_stand_under_a_base_path(base: str) -> None:
    def answer(request: Received) -> Reply:
        href = f"http://{request.headers['host']}{base.rstrip('/')}/results"
        return Reply(body={"_links": {"next": {"href": href}}})

    with Loopback(answer) as server, client(server, base) as broker:
        document = broker.get(server.url + base.rstrip("/") + "/pact").document
        link = broker.link(document, "next")
        assert link is not None
        broker.post_once(link, {})
    assert [request.path for request in server.received] == [
        f"{base.rstrip('/')}/{end}" for end in ("pact", "results")
    ]


# --- what webhooks need of it


def test_deleting_sends_the_credentials_and_no_body() -> None:
    with Loopback(Reply(204)) as server, client(server) as broker:
        assert broker.delete(server.url + "/webhooks/x").status == 204
    [request] = server.received
    assert (request.method, request.body) == ("DELETE", b"")
    assert request.headers["authorization"] == f"Bearer {TOKEN}"


def test_deleting_what_is_not_there_is_said_to_be_so() -> None:
    with Loopback(Reply(404)) as server, client(server) as broker, pytest.raises(NotFound) as error:
        broker.delete(server.url + "/webhooks/x")
    assert error.value.status == 404


def test_a_deletion_whose_answer_was_lost_is_done_when_it_is_gone() -> None:
    with Loopback([Reply(drop=True), Reply(404)]) as server, client(server) as broker:
        assert broker.delete(server.url + "/webhooks/x").status == 204
    assert len(server.received) == 2


def test_a_post_may_have_no_body() -> None:
    with Loopback(OK) as server, client(server) as broker:
        broker.post_once(server.url + "/execute")
    [request] = server.received
    assert (request.body, request.headers.get("content-type")) == (b"", None)


def test_urls_keep_each_name_in_its_segment() -> None:
    with client("http://broker.test", "/base") as broker:
        assert broker.url("pacts", "A/B c") == "http://broker.test/base/pacts/A%2FB%20c"
        for segment in ("..", ".", ""):
            with pytest.raises(OffOrigin):
                broker.url("pacts", segment)


def test_all_links_of_a_relation_are_found() -> None:
    with client("http://broker.test") as broker:
        document = {"_links": {"pb:webhooks": [{"href": "/a"}, {"href": 1}, "x", {"href": "http://other/b"}]}}
        assert broker.links(document, "pb:webhooks") == ["http://broker.test/a", "http://other/b"]
        assert broker.links({"_links": {"one": {"href": "/c"}}}, "one") == ["http://broker.test/c"]
        nothing: tuple[Any, ...] = (None, [], {}, {"_links": 1}, {"_links": {"pb:webhooks": None}})
        for empty in nothing:
            assert broker.links(empty, "pb:webhooks") == []


def test_the_version_of_the_broker_is_told() -> None:
    reply = Reply(body={}, headers={"X-Pact-Broker-Version": "2.120.0"})
    with Loopback(reply) as server, client(server) as broker:
        assert broker.get(server.url + "/").broker_version == "2.120.0"


@pytest.mark.parametrize("status", [201, 302, 307])
def test_a_location_that_is_no_url_is_an_answer_that_can_not_be_used(status: int) -> None:
    error = failing(Reply(status, headers={"Location": "http://[::1"}))
    assert isinstance(error, UnexpectedAnswer)


def test_refusal_shows_no_credentials_that_the_broker_repeats_and_keeps_our_own_words() -> None:
    said = "no such user: " + "x" * 490 + base64.b64encode(b"ada:wrong-pass-word-1").decode()
    with Loopback(Reply(401, {"error": said})) as broker:
        access = BrokerAccess(broker.url, "ada", "wrong-pass-word-1")
        with BrokerClient(access) as client, pytest.raises(BrokerRefused) as refused:
            client.get(f"{broker.url}/")
    assert "YWRhOn" not in str(refused.value)
    assert "The credentials are wrong" in str(refused.value)
