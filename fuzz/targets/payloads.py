"""Damaged requests to the receiver: through its WSGI application in this process, and through gunicorn on a socket."""

from __future__ import annotations

import hashlib
import hmac
import io
import itertools
import json
import logging
import re
import socket
import sys
import tempfile
import uuid
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch
from urllib.parse import quote, unquote_to_bytes, urlencode

import jsonschema
import psycopg
import structlog
from hypothesis import strategies as st

from app.config.settings import Settings
from app.database.connections import database, migrate, open_pool
from app.intake.credentials import Tokens
from app.process.logs import configure
from app.web.api.openapi import document as openapi_document
from app.web.application import create_app
from app.web.context import Receiver
from fuzz.choices import below, either, pick, several, sometimes
from fuzz.mutation import Damage, damages, edits, pieces, texts
from fuzz.originals import github_events
from fuzz.outcomes import TRACEBACK, check_text
from fuzz.target import Bytes, Target, Violation
from tests.support.databases import reachable_folder
from tests.support.history_rows import add_history
from tests.support.loopback import closed_port
from tests.support.receiver import ReceiverProcess, configuration
from verifier.verification import Verification

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from flask import Flask

    from fuzz.target import Check

BROKER = "http://broker.example.org/base"
PACT = f"{BROKER}/pacts/provider/Products/consumer/Storefront/latest"
SHA = "3f2c9d1e5a7b8c9d0e1f2a3b4c5d6e7f8a9b0c1d"
REPOSITORY = "acme/products"
TOKEN = "a-token-of-the-broker"
API_TOKEN = "a-token-of-the-api-0"
SECRET = "the-secret-of-the-webhook"
COLOURS = re.compile(r"\x1b\[[0-9;]*m")
CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]")
NO_ROUTE = frozenset({400, 403, 404, 405, 308})
"""What a request is answered that no route takes."""

DISPATCHES: tuple[Any, ...] = (
    {"event_type": "pact_changed", "client_payload": {"pact_url": PACT}},
    {
        "event_type": "contract_requiring_verification_published",
        "client_payload": {"pact_url": PACT, "sha": SHA, "branch": "main", "message": "Verify changed pact"},
    },
)
PATHS = (
    f"/repos/{REPOSITORY}/dispatches", f"/repos/{REPOSITORY}/dispatches", "/github/events", "/github/events",
    "/api/runs", "/api/deliveries", "/api/runs/{run}", "/api/runs/{run}/log", "/api/runs/{run}/verification",
    "/api/runs/{run}/cancel", "/api/deliveries/{delivery}", "/api/deliveries/{delivery}/redeliver", "/healthz",
    "/readyz", "/metrics", "/openapi.json", "/runs/{run}", "/",
)  # fmt: skip
METHODS = ("POST", "GET", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "X")
QUERY_NAMES = ("status", "outcome", "provider", "consumer", "repository", "pact_url", "source", "refusal", "limit",
    "cursor", "x")  # fmt: skip
HEADERS: dict[bytes, tuple[bytes, ...]] = {
    b"Authorization": (
        b"", b"Bearer", b"Bearer ", b"token " + TOKEN.encode(), b"Basic YTpi", b"Basic \xff", b"Bearer wrong-token",
        b"Bearer ${user.githubToken}", b"Bearer \xe2\x84\xa2", b"Bearer " + b"a" * 7000, b"Digest x=",
    ),
    b"Content-Type": (
        b"", b"text/plain", b"application/json; charset=utf-16", b"application/json;charset=\xff", b"text/json",
        b"application/x-www-form-urlencoded", b"multipart/form-data", b"multipart/form-data; boundary=x",
        b"application/vnd.x+json", b"\xff/\xfe", b"application/json" + b";a=b" * 900,
    ),
    b"Content-Length": (b"0", b"5", b"99999999", b"-1", b"abc", b"\xb2", b"9" * 4000),
    b"X-Hub-Signature-256": (b"", b"sha256=", b"sha256=zz", b"sha1=abc", b"sha256=\xc3\xa9", b"sha256=" + b"a" * 64),
    b"X-GitHub-Event": (b"", b"ping", b"push", b"repository_dispatch", b"\xff", b"\x1b[2J", b"a" * 5000),
    b"X-GitHub-Delivery": (b"", b"72d3162e-cc78-11e3-81ab-4c9367dc0958", b"\xff", b"\x1b[2J", b"a" * 6000),
    b"User-Agent": (b"", b"pact-dispatch relay", b"\xff\xfe", b"\x1b]52;c;YQ==\x07", b"a" * 6000),
    b"Accept": (b"", b"*/*;q=nonsense", b"application/openmetrics-text; version=1.0.0", b"\xff", b"text/html"),
    b"Accept-Encoding": (b"gzip", b"\xff"),
    b"Host": (b"", b"[::1", b"\xff", b"a" * 300, b"a:b:c", b"elsewhere.example", b"user@host"),
    b"X-Forwarded-For": (b"", b"1.2.3.4", b"\xff", b"a" * 3000, b"1.2.3.4, 5.6.7.8"),
    b"X-Forwarded-Proto": (b"https", b"javascript", b"\xff"),
    b"Forwarded": (b"for=1.2.3.4", b'for="[::1', b"\xff"),
    b"Transfer-Encoding": (b"chunked", b"gzip"),
    b"Cookie": (b"a=b", b"\xff=\xfe", b";" * 3000),
    b"If-None-Match": (b"*", b'"', b"\xff"),
    b"Range": (b"bytes=0-", b"bytes=-", b"\xff"),
    b"Origin": (b"null", b"http://elsewhere.example", b"\xff"),
    b"Expect": (b"100-continue", b"nonsense"),
}  # fmt: skip


@dataclass(frozen=True)
class Request:
    """A request to the receiver.

    Attributes:
        method: The method; "" for the right one of the path.
        path: The place of its path in `PATHS`, with `path_edits` in it.
        path_edits: Changes of the path.
        query: Names and values of the query.
        headers: Headers that replace those that the path asks for.
        original: Which real payload its body was.
        damage: What was done to it.
        form: Whether the body is a form, as GitHub sends it if it is told so.
        signed: Whether the token or the signature is right.
    """

    method: str
    path: int
    path_edits: Damage
    query: tuple[tuple[Bytes, Bytes], ...]
    headers: tuple[tuple[Bytes, Bytes], ...]
    original: int
    damage: Damage
    form: bool
    signed: bool

    @property
    def sent_method(self) -> str:
        """The method that is sent."""
        path = PATHS[self.path % len(PATHS)]
        changes = path.startswith(("/repos/", "/github/")) or path.endswith(("/cancel", "/redeliver"))
        return self.method or ("POST" if changes else "GET")

    def target(self, run: str, delivery: str) -> bytes:
        """Return the path and the query as they are sent."""
        path = self.path_edits.edited(
            PATHS[self.path % len(PATHS)].format(run=run, delivery=delivery).encode()
        )
        return path + (b"?" + urlencode(self.query).encode() if self.query else b"")

    @property
    def body(self) -> bytes:
        """The body."""
        documents = DISPATCHES if "/repos/" in PATHS[self.path % len(PATHS)] else deliveries()
        content = self.damage.content(documents[self.original % len(documents)])
        return urlencode({"payload": content}).encode() if self.form else content

    def sent_headers(self, body: bytes) -> list[tuple[bytes, bytes]]:
        """Return the headers."""
        path = PATHS[self.path % len(PATHS)]
        kind = b"application/x-www-form-urlencoded" if self.form else b"application/json"
        headers = [
            (b"Host", b"127.0.0.1"),
            (b"Content-Type", kind),
            (b"Content-Length", str(len(body)).encode()),
        ]
        if path.startswith("/github"):
            headers.append((b"X-GitHub-Event", b"repository_dispatch"))
            headers.append((b"X-GitHub-Delivery", str(uuid.uuid4()).encode()))
            if self.signed:
                signature = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
                headers.append((b"X-Hub-Signature-256", b"sha256=" + signature.encode()))
        elif self.signed:
            token = TOKEN if path.startswith("/repos") else API_TOKEN
            headers.append((b"Authorization", b"Bearer " + token.encode()))
        replaced = {name.lower() for name, _ in self.headers}
        return [one for one in headers if one[0].lower() not in replaced] + list(self.headers)


@dataclass(frozen=True)
class RawRequest:
    """A request on a socket, with changes of its bytes.

    Attributes:
        request: The request.
        edits: Changes of all that is sent.
        chunks: Whether the body is sent in chunks.
        cut: After how many bytes nothing more is sent; None for all.
    """

    request: Request
    edits: Damage
    chunks: bool
    cut: int | None


def deliveries() -> list[Any]:
    """Return deliveries of GitHub's, most of them of an event that is taken."""
    payload = DISPATCHES[1]["client_payload"]
    taken = [
        {**one, "action": "pact_changed", "client_payload": payload, "repository": {"full_name": REPOSITORY}}
        for one in github_events()["repository_dispatch"]
    ]
    others = [
        one for name, events in github_events().items() if name != "repository_dispatch" for one in events
    ]
    return [*taken, *taken, *others]


class Answered:
    """Checks answers against the OpenAPI document of the receiver."""

    def __init__(self) -> None:
        self._document = openapi_document()
        self._validators: dict[int, Any] = {}
        self._paths = [
            (re.compile(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(path))), item)
            for path, item in self._document["paths"].items()
        ]

    def check(self, method: str, path: str, status: int, headers: dict[str, str], body: bytes) -> None:
        """Raise unless an answer is one that is documented.

        Raises:
            Violation: It isn't.
        """
        path = "/" + path.removeprefix("/")
        where = f"{method} {path}"
        if status >= 500 and (path, status) != ("/readyz", 503):  # there is no worker
            raise Violation(f"status {status}", f"{where}: {body[:500]!r}")
        text = body.decode()
        check_text(text, "an answer")
        operations = [
            item.get(method.lower())
            for pattern, item in self._paths
            if pattern.fullmatch(path) and method.lower() in item
        ]
        if path.startswith("/runs/") or not operations:
            if (
                not path.startswith("/runs/")
                and status not in NO_ROUTE | {401}
                and method not in {"HEAD", "OPTIONS"}
            ):
                raise Violation(f"status {status} of what is no route", where)
            return
        responses = operations[0]["responses"]
        if str(status) not in responses and status not in {400, 404, 405}:
            raise Violation(f"status {status} is not documented", where)
        if status >= 400 and path != "/readyz":
            self._check_problem(where, headers, text)
        content = responses.get(str(status), {}).get("content", {}).get("application/json")
        if content is not None and headers.get("content-type", "").startswith("application/json"):
            self._validator(content["schema"]).validate(json.loads(text))

    def _check_problem(self, where: str, headers: dict[str, str], text: str) -> None:
        if not headers.get("content-type", "").startswith("application/json"):
            raise Violation("a problem that is not JSON", f"{where}: {headers}")
        problem = json.loads(text)
        if not isinstance(problem.get("message"), str) or not problem["message"]:
            raise Violation("a problem without a message", f"{where}: {text[:500]}")

    def _validator(self, schema: Any) -> Any:
        if id(schema) not in self._validators:
            whole = {**schema, "components": self._document["components"]}
            self._validators[id(schema)] = jsonschema.Draft202012Validator(whole)
        return self._validators[id(schema)]


class Terminal(io.StringIO):
    """A terminal, on which the log is shown."""

    def isatty(self) -> bool:
        """Return that it is one."""
        return True

    def check(self) -> None:
        """Raise if what was logged since the last time is a traceback, or more than text and colours.

        Raises:
            Violation: It is.
        """
        text = self.getvalue()
        self.seek(0)
        self.truncate()
        if TRACEBACK in text:
            raise Violation("a traceback in the log", text)
        if found := CONTROL.search(COLOURS.sub("", text)):
            raise Violation("a control character in the log", f"{found[0]!r} in {text!r}")


@contextmanager
def shown_log() -> Iterator[Terminal]:
    """Show the log on a terminal, as `serve` does."""
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    with patch("sys.stderr", Terminal()) as terminal:
        configure()
    try:
        yield terminal
    finally:
        root.handlers = handlers
        root.setLevel(level)
        structlog.reset_defaults()


@contextmanager
def receiver_database() -> Iterator[str]:
    """Start a PostgreSQL with the receiver's tables; the URL of its database."""
    with reachable_folder() as folder, database(None, folder) as url:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("ALTER SYSTEM SET fsync = off")
            connection.execute("SELECT pg_reload_conf()")
        migrate(url)
        yield url


def _settings() -> Settings:
    provider = {
        "name": "Products",
        "repository": REPOSITORY,
        "base_url": "http://127.0.0.1:1",
        "version": "1",
    }
    return Settings.model_validate({"broker": {"url": BROKER}, "providers": [provider]})


def _wsgi(app: Flask, given: Request, run: str, delivery: str) -> tuple[str, int, dict[str, str], bytes]:
    """Call the application as gunicorn does."""
    body = given.body
    target = given.target(run, delivery)
    path, _, query = target.partition(b"?")
    environ: dict[str, Any] = {
        "REQUEST_METHOD": given.sent_method,
        "SCRIPT_NAME": "",
        "RAW_URI": target.decode("latin-1"),
        "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
        "QUERY_STRING": query.decode("latin-1"),
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "REMOTE_PORT": "1",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    for name, value in given.sent_headers(body):
        key = name.decode("latin-1").upper().replace("-", "_")
        if key in {"CONTENT_LENGTH", "TRANSFER_ENCODING"} and key != "CONTENT_LENGTH":
            continue  # gunicorn reads it
        if key == "CONTENT_LENGTH" and not (value.isdigit() and value.isascii()):
            continue  # gunicorn refuses it
        environ[key if key in {"CONTENT_TYPE", "CONTENT_LENGTH"} else f"HTTP_{key}"] = value.decode(
            "latin-1"
        ).strip()
    started: list[Any] = []

    def start(status: str, headers: list[tuple[str, str]], *_: Any) -> Callable[[bytes], object]:
        started[:] = [status, headers]
        return lambda _: None

    parts = app.wsgi_app(environ, start)
    content = b"".join(parts)
    if hasattr(parts, "close"):
        parts.close()
    headers = {name.lower(): value for name, value in started[1]}
    for name, value in started[1]:
        if "\r" in value or "\n" in value:
            raise Violation("a line end in a header", f"{name}: {value!r}")
    return (
        environ["PATH_INFO"].encode("latin-1").decode(errors="replace"),
        int(started[0][:3]),
        headers,
        content,
    )


@contextmanager
def _open() -> Iterator[Check]:
    answered = Answered()
    tokens = {"TOKENS": f"broker:{TOKEN}", "API_TOKENS": f"me:{API_TOKEN}"}
    with receiver_database() as url, open_pool(url, size=2) as pool, shown_log() as terminal:
        run, delivery = _history(url)
        receiver = Receiver(_settings(), pool, Tokens("TOKENS", tokens), Tokens("API_TOKENS", tokens), SECRET)
        app = create_app(receiver)

        def check(given: Request) -> None:
            path, status, headers, body = _wsgi(app, given, run, delivery)
            answered.check(given.sent_method, path, status, headers, body)
            terminal.check()

        yield check
        receiver.refusal_log.store_counts()


@contextmanager
def _open_away() -> Iterator[Check]:
    tokens = {"TOKENS": f"broker:{TOKEN}", "API_TOKENS": f"me:{API_TOKEN}"}
    with (
        patch("app.database.connections.POOL_SECONDS", 0.05),
        patch("app.database.connections.RECONNECT_SECONDS", 0.1),
        open_pool(f"postgresql://nobody@127.0.0.1:{closed_port()}/nothing", size=1) as pool,
        shown_log() as terminal,
    ):
        receiver = Receiver(_settings(), pool, Tokens("TOKENS", tokens), Tokens("API_TOKENS", tokens), SECRET)
        app = create_app(receiver)
        nothing = str(uuid.uuid4())

        def check(given: Request) -> None:
            path, status, headers, body = _wsgi(app, given, nothing, nothing)
            if status >= 500 and status != 503:
                raise Violation(f"status {status} without a database", f"{path}: {body[:500]!r}")
            if status == 503 and path != "/readyz" and "retry-after" not in headers:
                raise Violation("a 503 without Retry-After", f"{path}: {headers}")
            if status == 204 and (b"X-GitHub-Event", b"ping") not in given.headers:  # nothing of it is stored
                raise Violation("a dispatch is accepted without a database", path)
            terminal.check()

        yield check


def _history(url: str) -> tuple[str, str]:
    """Add a finished run and its delivery; their ids."""
    add_history(url, runs=1)
    verification = Verification(
        id="v", pact_url=PACT, started_at=datetime.now(UTC), consumer="C", provider="P"
    )
    with psycopg.connect(url) as connection:
        connection.execute("UPDATE runs SET verification = %s", [json.dumps(verification.to_dict())])
        [run] = connection.execute("SELECT id FROM runs LIMIT 1").fetchall()
        [delivery] = connection.execute("SELECT id FROM deliveries LIMIT 1").fetchall()
    return str(run[0]), str(delivery[0])


def _on_the_wire(given: RawRequest, run: str, delivery: str, sender: int) -> bytes:
    """Return a request as it is sent; each comes from an address of its own, since wrong tokens of one address wait."""
    request = given.request
    body = request.body
    address = b"192.%d.%d.%d" % (sender >> 16 & 255, sender >> 8 & 255, sender & 255)
    headers = [*request.sent_headers(body), (b"X-Forwarded-For", address)]
    if given.chunks:
        headers = [one for one in headers if one[0] != b"Content-Length"] + [
            (b"Transfer-Encoding", b"chunked")
        ]
        middle = len(body) // 2
        parts = [part for part in (body[:middle], body[middle:]) if part]
        body = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"
    target = quote(request.target(run, delivery), safe="%/?&=:;,@!$'()*+[]~-._").encode()
    head = request.sent_method.encode() + b" " + target + b" HTTP/1.1\r\n"
    sent = head + b"".join(name + b": " + value + b"\r\n" for name, value in headers) + b"\r\n" + body
    return given.edits.edited(sent)[: given.cut]


def _exchange(port: int, sent: bytes) -> bytes:
    """Send what there is, say that nothing more comes, and read until the other side is done."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        answer = b""
        try:
            connection.sendall(sent)
            connection.shutdown(socket.SHUT_WR)
            while part := connection.recv(65536):
                answer += part
        except OSError as error:
            if isinstance(error, TimeoutError):
                raise
            # it has refused the rest
        return answer


NOT_IMPLEMENTED = b"501"
"""What gunicorn answers to a transfer coding that it doesn't know, as RFC 9112 (6.1) has it."""
NO_WORKER = b'"no worker is alive'
"""What `/readyz` answers with a 503 here."""


@contextmanager
def _open_socket() -> Iterator[Check]:
    provider = {"base_url": "http://127.0.0.1:1", "version": "1"}
    with receiver_database() as url, tempfile.TemporaryDirectory() as folder:
        run, delivery = _history(url)
        environment = {
            "PACT_DISPATCH_TOKENS": f"broker:{TOKEN}",
            "PACT_DISPATCH_API_TOKENS": f"me:{API_TOKEN}",
            "PACT_DISPATCH_WEBHOOK_SECRET": SECRET,
        }
        config = configuration(BROKER, provider, server={"trusted_proxies": ["127.0.0.1"]})
        senders = itertools.count()
        with ReceiverProcess(
            Path(folder), config, command="web", database_url=url, environment=environment
        ) as receiver:
            port = int(receiver.url.rpartition(":")[2])
            read = 0

            def check(given: RawRequest) -> None:
                nonlocal read
                answer = _exchange(port, _on_the_wire(given, run, delivery, next(senders)))
                statuses = re.findall(rb"(?m)^HTTP/1\.[01] (\d{3})", answer)
                if answer and not statuses:
                    raise Violation("an answer that is not HTTP", repr(answer[:300]))
                for status in statuses:
                    if status >= b"500" and status != NOT_IMPLEMENTED and NO_WORKER not in answer:
                        raise Violation(f"status {status.decode()} of gunicorn", repr(answer[:500]))
                with receiver.log.open("rb") as log:
                    log.seek(read)
                    text = log.read().decode(errors="replace")
                    read = log.tell()
                if TRACEBACK in text:
                    raise Violation("a traceback in the log", text)
                if "\x1b" in text:
                    raise Violation("an escape sequence in the log", repr(text))

            yield check


def _requests() -> st.SearchStrategy[Request]:
    header = pick(sorted(HEADERS)).flatmap(lambda name: st.tuples(st.just(name), pick(HEADERS[name])))
    query = st.tuples(
        pick(QUERY_NAMES).map(str.encode),
        either(texts().map(lambda text: text.encode("utf-8", "surrogatepass")), pieces()).map(
            lambda v: v[:3000]
        ),
    )
    path_edits = st.builds(Damage, edits=several(edits(60), 2))
    return st.builds(
        Request,
        method=sometimes(pick(METHODS), "", one_in=12),
        path=either(below(4), below(4), below(len(PATHS))),
        path_edits=sometimes(path_edits, Damage(), one_in=10),
        query=sometimes(several(query, 3), (), one_in=3),
        headers=sometimes(several(header, 3), (), one_in=4),
        original=below(9),
        damage=either(st.just(Damage()), *[damages(800)] * 5),
        form=sometimes(st.just(value=True), otherwise=False, one_in=8),
        signed=sometimes(st.just(value=False), otherwise=True, one_in=12),
    )


PAYLOADS = Target(
    name="payloads",
    about="requests to the receiver, through its WSGI application",
    share=270,
    kind=Request,
    inputs=_requests(),
    open=_open,
)
PAYLOADS_AWAY = Target(
    name="payloads-away",
    about="requests to the receiver while its database is away",
    share=10,
    kind=Request,
    inputs=_requests(),
    open=_open_away,
)
PAYLOADS_SOCKET = Target(
    name="payloads-socket",
    about="requests to the receiver, through gunicorn on a socket",
    share=40,
    kind=RawRequest,
    inputs=st.builds(
        RawRequest,
        request=_requests(),
        edits=either(st.just(Damage()), st.builds(Damage, edits=several(edits(900), 4))),
        chunks=st.booleans(),
        cut=either(st.none(), st.none(), below(1200)),
    ),
    open=_open_socket,
)
