from __future__ import annotations

import gzip
import threading
from typing import TYPE_CHECKING

import pytest

from app.provider.version import VersionUnknown, ask
from broker.http.limited_request import LimitedSession, send_request
from broker.http.limits import Limits, Reply
from broker.http.no_reply import NoReply, Unreachable
from tests.support import loopback
from tests.support.loopback import Loopback, closed_port
from tests.support.raw_server import BROKEN_OFF, DRIPS, RawServer

if TYPE_CHECKING:
    from pathlib import Path

LIMITS = Limits(seconds=60, max_bytes=1000)
BAD_URL = "http://[::1"


class Keeping(Loopback):
    """A server that keeps connections open."""

    protocol_version = "HTTP/1.1"


def send(reply: loopback.Reply) -> Reply:
    with Loopback(reply) as server:
        return send_request("GET", server.url, limits=LIMITS)


def test_an_answer_is_its_status_and_content() -> None:
    assert send(loopback.Reply(404, b"no")) == Reply(404, b"no", is_whole=True)


@pytest.mark.parametrize("headers", [{}, {"Content-Encoding": "gzip"}])
def test_a_large_answer_is_cut_off(headers: dict[str, str]) -> None:
    body = b"x" * 100_000
    reply = send(loopback.Reply(200, gzip.compress(body) if headers else body, headers))
    assert reply == Reply(200, body[: LIMITS.max_bytes], is_whole=False)


@pytest.mark.parametrize("drip", DRIPS)
def test_an_answer_without_end_ends_at_the_limit_of_the_whole_exchange(drip: str) -> None:
    with RawServer.dripping(drip) as server, pytest.raises(NoReply, match=r"^no whole answer within 0\.3 s$"):
        send_request("GET", server.url, limits=Limits(seconds=0.3, max_bytes=10_000))


def test_a_flood_is_read_no_further_than_the_limit() -> None:
    with RawServer(b"HTTP/1.1 200 OK\r\n\r\n", again=b"x" * 65536) as server:
        reply = send_request("GET", server.url, limits=LIMITS)
    assert reply == Reply(200, b"x" * LIMITS.max_bytes, is_whole=False)


def test_endless_headers_are_no_answer() -> None:
    with RawServer(b"HTTP/1.1 200 OK\r\n", again=b"X: y\r\n" * 1000) as server, pytest.raises(NoReply):
        send_request("GET", server.url, limits=LIMITS)


@pytest.mark.parametrize("handshake", [b"", b"\x16"])
def test_a_slow_tls_handshake_ends_at_the_limit(handshake: bytes) -> None:
    url = "https://127.0.0.1"
    server = RawServer(handshake, again=handshake, pause=0.02, hang=True)
    with server, pytest.raises(NoReply, match="within"):
        send_request("GET", f"{url}:{server.port}", limits=Limits(seconds=0.3, max_bytes=10))


def test_a_slow_look_up_of_a_name_ends_at_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    over = threading.Event()
    monkeypatch.setattr("socket.getaddrinfo", lambda *_, **__: over.wait(60) and [])
    with pytest.raises(NoReply, match="no whole answer within"):
        send_request("GET", "http://slow.example.org/", limits=Limits(seconds=0.3, max_bytes=10))
    over.set()


@pytest.mark.parametrize("layers", [1, 2, 5])
def test_what_unpacks_without_end_is_unpacked_to_the_limit(layers: int) -> None:
    body = b"x" * 50_000_000
    for _ in range(layers):
        body = gzip.compress(body, 1)
    reply = send(loopback.Reply(200, body, {"Content-Encoding": ", ".join(["gzip"] * layers)}))
    assert reply == Reply(200, b"x" * LIMITS.max_bytes, is_whole=False)


def test_redirects_without_end_are_no_answer() -> None:
    with Loopback(lambda _: loopback.Reply(302, headers={"Location": f"{server.url}/again"})) as server:
        with pytest.raises(NoReply, match="more than 5 redirects"):
            send_request("GET", server.url, limits=LIMITS, follow_redirects=True)
        assert len(server.received) == 6


@pytest.mark.parametrize("drip", ["body", "headers"])
def test_a_redirect_leads_to_no_more_time(drip: str) -> None:
    with RawServer.dripping(drip) as slow:
        reply = loopback.Reply(302, headers={"Location": slow.url})
        with Loopback(reply) as server, pytest.raises(NoReply, match="no whole answer within"):
            send_request(
                "GET", server.url, limits=Limits(seconds=0.5, max_bytes=10_000), follow_redirects=True
            )


def test_the_body_of_a_redirect_is_not_read() -> None:
    head = b"HTTP/1.1 302 Found\r\nLocation: /\r\n\r\n"
    with RawServer(head, again=b"x" * 65536) as server:
        assert send_request("GET", server.url, limits=LIMITS).content == b""


def test_a_kept_connection_has_its_whole_time_for_each_request() -> None:
    limits = Limits(seconds=60, max_bytes=1000)
    with Keeping(loopback.Reply(body=b"1")) as server, LimitedSession() as session:
        for _ in range(3):
            assert session.send("GET", server.url, limits=limits).content == b"1"
    assert len({request.headers["host"] for request in server.received}) == 1


@pytest.mark.parametrize(
    "location", [BAD_URL, "http://\udcff/".encode(errors="surrogateescape").decode("latin-1")]
)
def test_a_redirect_is_an_answer_wherever_it_leads(location: str) -> None:
    assert send(loopback.Reply(302, headers={"Location": location})).status == 302


@pytest.mark.parametrize(
    "reply",
    [
        loopback.Reply(drop=True),
        loopback.Reply(body=b"abc", cut=1),
        loopback.Reply(body=b"abc", headers={"Content-Encoding": "gzip"}),
    ],
)
def test_a_broken_answer_is_none(reply: loopback.Reply) -> None:
    with pytest.raises(NoReply):
        send(reply)


@pytest.mark.parametrize("reset", [False, True], ids=["closed", "reset"])
@pytest.mark.parametrize("name", BROKEN_OFF)
def test_an_answer_that_breaks_off_is_none(name: str, *, reset: bool) -> None:
    with RawServer(BROKEN_OFF[name], reset=reset) as server, pytest.raises(Unreachable):
        send_request("GET", server.url, limits=LIMITS)


def test_why_there_is_no_answer_is_said_in_brief() -> None:
    with RawServer(b"y" * 60_000 + b"\r\n") as server, pytest.raises(NoReply, match="yyy") as error:
        send_request("GET", server.url, limits=LIMITS)
    assert len(str(error.value)) < 400


@pytest.mark.parametrize("url", ["http://127.0.0.1:{closed}", BAD_URL, "http://"])
def test_no_answer_is_told(url: str) -> None:
    with pytest.raises(NoReply):
        send_request("GET", url.replace("{closed}", str(closed_port())), limits=LIMITS)


@pytest.mark.parametrize("token", [None, "s3cret"])
def test_no_credentials_but_the_token_are_sent(
    token: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login ada password pw\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    with Loopback(loopback.Reply()) as server:
        send_request("POST", server.url, limits=LIMITS, token=token, json={})
    [received] = server.received
    assert received.headers.get("authorization") == (f"Bearer {token}" if token else None)


def test_a_version_is_unknown_where_its_url_leads_nowhere() -> None:
    reply = loopback.Reply(302, headers={"Location": BAD_URL})
    with Loopback(reply) as server, pytest.raises(VersionUnknown) as unknown:
        ask(server.url, None)
    assert unknown.value.retryable
