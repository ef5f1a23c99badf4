from __future__ import annotations

import gzip
import socket
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import pytest

from app.provider.version import VersionUnknown, ask
from broker.http.limited_request import Limits, NoReply, Reply, send_request
from tests.support import loopback
from tests.support.loopback import Loopback, closed_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LIMITS = Limits(seconds=10, max_bytes=1000)
BAD_URL = "http://[::1"


def send(reply: loopback.Reply) -> Reply:
    with Loopback(reply) as server:
        return send_request("GET", server.url, limits=LIMITS)


@contextmanager
def dribbling(start: bytes) -> Iterator[str]:
    """Start a server that answers with a start, and then a byte now and then without end."""
    over = threading.Event()

    def serve(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection, suppress(OSError):
            connection.recv(65536)
            connection.sendall(start)
            while not over.wait(0.02):
                connection.sendall(b"x")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = threading.Thread(target=serve, args=(listener,))
        server.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        over.set()
        server.join()


def test_an_answer_is_its_status_and_content() -> None:
    assert send(loopback.Reply(404, b"no")) == Reply(404, b"no", is_whole=True)


@pytest.mark.parametrize("headers", [{}, {"Content-Encoding": "gzip"}])
def test_a_large_answer_is_cut_off(headers: dict[str, str]) -> None:
    body = b"x" * 100_000
    reply = send(loopback.Reply(200, gzip.compress(body) if headers else body, headers))
    assert reply == Reply(200, body[: LIMITS.max_bytes], is_whole=False)


@pytest.mark.parametrize(
    "start",
    [
        b"HTTP/1.1 200 OK\r\nX-Long: ",
        b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n",
    ],
)
def test_a_slow_answer_ends_at_the_limit_of_the_whole_exchange(start: bytes) -> None:
    with (
        dribbling(start) as url,
        pytest.raises(NoReply, match=r"^no whole answer within 0\.3 s$"),
    ):
        send_request("GET", url, limits=Limits(seconds=0.3, max_bytes=10_000))


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
