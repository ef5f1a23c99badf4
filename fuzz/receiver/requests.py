"""Requests to the receiver: dispatches, deliveries of GitHub, questions to its API, damaged in all of their parts."""

from __future__ import annotations

import hashlib
import hmac
import uuid
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from hypothesis import strategies as st

from fuzz.choices import below, either, pick, several, sometimes
from fuzz.mutation import Damage, damages, edits, pieces, texts
from fuzz.originals import github_events
from fuzz.target import Bytes

BROKER = "http://broker.example.org/base"
PACT = f"{BROKER}/pacts/provider/Products/consumer/Storefront/latest"
SHA = "3f2c9d1e5a7b8c9d0e1f2a3b4c5d6e7f8a9b0c1d"
REPOSITORY = "acme/products"
TOKEN = "a-token-of-the-broker"
API_TOKEN = "a-token-of-the-api-0"
SECRET = "the-secret-of-the-webhook"

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
    # all but /live, whose answer does not end
    "/api/providers", "/api/providers/Products/pause", "/api/providers/Products/resume", "/runs", "/runs/{run}/report",
    "/runs/{run}/cancel", "/runs/{run}/run-again", "/runs/{run}/publish-again", "/deliveries",
    "/deliveries/{delivery}", "/deliveries/{delivery}/redeliver", "/providers", "/providers/Products",
    "/providers/Products/look", "/providers/Products/pause", "/providers/Products/resume", "/pairs", "/queue",
    "/queue/start-now", "/system", "/sign-in", "/sign-out", "/static/dashboard.js",
)  # fmt: skip
METHODS = ("POST", "GET", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "X")
CHANGES = (
    "/cancel",
    "/redeliver",
    "/pause",
    "/resume",
    "/run-again",
    "/publish-again",
    "/look",
    "/start-now",
    "/sign-out",
)
"""How the paths end at which something is changed."""
QUERY_NAMES = ("status", "outcome", "provider", "consumer", "repository", "pact_url", "source", "refusal", "limit",
    "cursor", "reason", "branch", "version", "since", "until", "text", "parent", "pacts", "page", "q",
    "state", "next", "x")  # fmt: skip
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
    b"HX-Request": (b"true", b"\xff"),
    b"X-Form-Token": (b"", b"\xff", b"\xe2\x84\xa2"),
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
        changes = path.startswith(("/repos/", "/github/")) or path.endswith(CHANGES)
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


def requests() -> st.SearchStrategy[Request]:
    """Return requests, of which most are right but for one part."""
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
