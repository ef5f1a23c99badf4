"""A server on loopback whose answers are damaged: status, headers, body, framing and timing."""

from __future__ import annotations

import json
import re
import socket
import threading
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from hypothesis import strategies as st

from fuzz.choices import below, either, pick, several, sometimes
from fuzz.mutation import Damage, damages, edits
from fuzz.target import Bytes

if TYPE_CHECKING:
    from collections.abc import Callable

LONGEST_DRIP = 12.0
"""Seconds for which a server drips at most; longer than an input may take."""
STATUSES = (
    "100", "101", "199", "200", "200", "201", "202", "204", "206", "226", "300", "301", "302", "303", "304", "307",
    "308", "400", "401", "402", "403", "404", "405", "408", "409", "410", "413", "415", "418", "422", "425", "429",
    "431", "451", "499", "500", "501", "502", "503", "504", "505", "507", "511", "599", "600", "999", "0", "-1", "2000",
    "abc", "",
)  # fmt: skip
HEADERS = {
    b"Location": (
        b"http://[::1", b"http://h:1:2/", b"//[", b"", b"/", b"/elsewhere", b"http://elsewhere.example/", b"?x",
        b"http://127.0.0.1:1/", b"http://\xe2\x84\x80/", b"\xff\xfe", b"http://h:99999999/", b"{url}/loop", b"..",
        b"https://127.0.0.1:1/", b"file:///etc/passwd", b"http://user:pw@127.0.0.1/", b"http://a b/", b"mailto:x",
        b"http://" + b"a" * 300 + b".example/", b"http:///x", b"http://%zz/",
    ),
    b"Content-Type": (
        b"", b"text/html", b"application/json; charset=utf-16", b"application/json; charset=nonsense", b"image/png",
        b"application/problem+json", b"text/plain", b"\xff", b"multipart/form-data; boundary=",
    ),
    b"Content-Encoding": (b"gzip", b"br", b"zstd", b"deflate", b"gzip, gzip", b"identity", b"nonsense"),
    b"Content-Length": (b"0", b"-1", b"5", b"999999999", b"abc", b"1, 2", b"9" * 5000, b" 3"),
    b"Transfer-Encoding": (b"chunked", b"gzip, chunked", b"identity", b"nonsense"),
    b"Retry-After": (b"0", b"1", b"-1", b"abc", b"9" * 400, b"Fri, 99 Foo 2026 00:00:00 GMT", b"\xff", b"1.5", b"NaN"),
    b"X-Pact-Broker-Version": (b"", b"9" * 5000 + b".0.0", b"2.120.0", b"x", b"\xff"),
    b"X-RateLimit-Remaining": (b"0", b"-1", b"abc", b"\xb2"),
    b"X-RateLimit-Reset": (b"0", b"99999999999999999999", b"abc", b"\xb2", b"-5", b"1e9"),
    b"X-OAuth-Scopes": (b"repo", b"", b"\xff,,"),
    b"github-authentication-token-expiration": (
        b"9999-12-31 23:59:59 -2400", b"2026-02-30 00:00:00 UTC", b"0001-01-01 00:00:00 +2359", b"x",
    ),
    b"Link": (b"<http://[::1>; rel=next", b'<{url}/>; rel="next"', b"<", b"\xff", b"<>; rel=next, <>; rel=last"),
    b"Set-Cookie": (b"a=b; domain=elsewhere.example", b"\xff=\x01", b"=;" * 3000),
    b"Connection": (b"keep-alive", b"upgrade", b"close"),
    b"WWW-Authenticate": (b"Basic", b"Digest nonce=", b"\xff", b'Digest realm="x", nonce="y", qop="auth"'),
    b"Refresh": (b"0; url=http://elsewhere.example/",),
    b"X-A": (b"\x1b[2J", b"a" * 70_000, b"\x00", b"a\r\n b", b"\xe2\x80\xa8"),
    b"": (b"", b"x"),
}  # fmt: skip
"""Headers that clients look at, with values that have broken some."""


@dataclass(frozen=True)
class Change:
    """How an answer differs from the right one.

    Attributes:
        status: Another status; None for the right one.
        headers: Headers that replace those of the name.
        damage: What is done to the body; None for the right one.
        edits: Changes of the whole answer, byte by byte.
        cut: How many bytes of the answer are sent before the connection ends; None for all.
        drip: Seconds between one byte and the next, after the first `cut` bytes; 0 for none.
        reset: Whether the connection ends with a reset.
    """

    status: str | None = None
    headers: tuple[tuple[Bytes, Bytes], ...] = ()
    damage: Damage | None = None
    edits: Damage | None = None
    cut: int | None = None
    drip: float = 0.0
    reset: bool = False

    @property
    def is_about_content(self) -> bool:
        """Whether the answer is still HTTP, and whole."""
        return self.edits is None and self.cut is None and not self.drip and not self.reset


@dataclass(frozen=True)
class Asked:
    """A request."""

    method: str
    path: str
    headers: bytes
    body: bytes


@dataclass(frozen=True)
class Sent:
    """An answer as it was sent.

    Attributes:
        path: What was asked for, without the query.
        change: How it differs from the right one.
        missing: How many bytes of it were not sent, or one by one with pauses.
    """

    path: str
    change: Change
    missing: int


@dataclass(frozen=True)
class Right:
    """The right answer to a request."""

    status: int
    document: Any = None
    headers: tuple[tuple[bytes, bytes], ...] = ()


def changes(*, drips: bool = True) -> st.SearchStrategy[Change]:
    """Return changes of answers, most of them of the body.

    Args:
        drips: Whether some answers come byte by byte, which takes seconds each.
    """
    header = pick(sorted(HEADERS)).flatmap(lambda name: st.tuples(st.just(name), pick(HEADERS[name])))
    headers = several(header, 3)
    status = pick(STATUSES)
    maybe_damaged = either(st.none(), damages())
    bytewise = st.builds(Damage, edits=several(edits(800), 3))
    kinds = [
        st.builds(Change, damage=damages()),
        st.builds(Change, damage=damages()),
        st.builds(Change, damage=damages()),
        st.builds(Change, status=status, damage=maybe_damaged),
        st.builds(Change, headers=headers, status=either(st.none(), status)),
        st.builds(Change, headers=headers, damage=maybe_damaged),
        st.builds(Change, edits=bytewise),
        st.builds(Change, cut=either(below(120), below(600)), reset=st.booleans()),
    ]
    if drips:
        drip = st.builds(Change, cut=pick((0, 20, 200)), drip=st.just(0.2))
        kinds.append(sometimes(drip, Change(status="503"), one_in=40))
    return either(*kinds)


def maybe_changes(most: int, *, drips: bool = True) -> st.SearchStrategy[tuple[Change | None, ...]]:
    """Return changes of the first answers, of which about half are right ones."""
    return several(either(st.none(), changes(drips=drips)), most)


def rendered(right: Right, change: Change, url: str) -> bytes:
    """Return an answer as it is sent."""
    status = str(right.status) if change.status is None else change.status
    body = b""
    if right.document is not None or change.damage is not None:
        body = (change.damage or Damage()).content(right.document).replace(b"{url}", url.encode())
    headers = [
        (b"Content-Type", b"application/json"),
        *right.headers,
        (b"Content-Length", str(len(body)).encode()),
        (b"Connection", b"close"),
    ]
    replaced = {name.lower() for name, _ in change.headers}
    headers = [header for header in headers if header[0].lower() not in replaced]
    headers += [(name, value.replace(b"{url}", url.encode())) for name, value in change.headers]
    head = f"HTTP/1.1 {status} Something\r\n".encode()
    answer = head + b"".join(name + b": " + value + b"\r\n" for name, value in headers) + b"\r\n" + body
    return answer if change.edits is None else change.edits.edited(answer)


class DamagedServer:
    """A server that answers requests rightly, but for the changes that it is told, one for each request.

    Args:
        right: The right answer to a request.
    """

    def __init__(self, right: Callable[[Asked], Right]) -> None:
        self._right = right
        self._changes: list[Change | None] = []
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.asked: list[Asked] = []
        self.sent: list[Sent] = []

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True, name="damaged-server").start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def tell(self, changes: tuple[Change | None, ...]) -> None:
        """Take the changes of the requests that come next; those after them are answered rightly."""
        with self._lock:
            self._changes = list(changes)
            self.asked.clear()
            self.sent.clear()

    def _accept(self) -> None:
        while not self._stopped.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=[connection], daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            connection.settimeout(30)
            asked = _read(connection)
            if asked is None:
                return
            with self._lock:
                self.asked.append(asked)
                change = (self._changes.pop(0) if self._changes else None) or Change()
                answer = rendered(self._right(asked), change, self.url)
                path = asked.path.partition("?")[0]
                self.sent.append(Sent(path, change, len(answer) - len(answer[: change.cut])))
            connection.sendall(answer[: change.cut])
            if change.drip and change.cut is not None:
                self._drip(connection, answer[change.cut :], change.drip)
            if change.reset:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            else:
                connection.shutdown(socket.SHUT_WR)

    def _drip(self, connection: socket.socket, left: bytes, seconds: float) -> None:
        for place in range(min(len(left), int(LONGEST_DRIP / seconds))):
            connection.sendall(left[place : place + 1])
            if self._stopped.wait(seconds):
                return


def _read(connection: socket.socket) -> Asked | None:
    content = b""
    while b"\r\n\r\n" not in content:
        part = connection.recv(65536)
        if not part:
            return None
        content += part
    head, _, body = content.partition(b"\r\n\r\n")
    method, path, *_ = head.split(b"\r\n", 1)[0].decode("latin-1").split(" ")
    length = re.search(rb"(?im)^content-length: *(\d+)", head)
    while length is not None and len(body) < int(length[1]):
        part = connection.recv(65536)
        if not part:
            break
        body += part
    return Asked(method, path, head, body)


def as_json(document: Any) -> bytes:
    """Return a document as JSON."""
    return json.dumps(document).encode()
