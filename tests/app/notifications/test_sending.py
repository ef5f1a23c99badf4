"""A message is one request with limits; whatever answers, no secret is told, and it is known whether to try again."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from app.config.notify import NotifyTarget
from app.config.sections import ServerSettings
from app.notifications import sending
from app.notifications.message import trial_content
from app.notifications.sending import NotSent, Sent, send
from broker.http.limits import Limits
from broker.traces.spans import within
from tests.support.loopback import closed_port
from tests.support.raw_server import RawServer
from tests.support.traces import ABOVE, kept_spans
from tests.support.webhook_target import Target

if TYPE_CHECKING:
    from collections.abc import Iterator

NUMBER = UUID(int=5)
SECRET = "T0/B0/s3cret-part-of-the-url"
CONTENT = trial_content(["Products"], ServerSettings())


@pytest.fixture(scope="module")
def server() -> Iterator[Target]:
    with Target() as target:
        yield target


def sent_to(url: str, kind: str = "url", **more: Any) -> Sent:
    target = NotifyTarget.model_validate({kind: {"env": "URL"}, **more})
    environment = {"URL": url, "KEY": "k3y-of-the-signature", "TOKEN": "t0ken-in-a-header"}
    return send(target, CONTENT, NUMBER, created_at="2026-01-01T00:00:00+00:00", environment=environment)


def refusal_of(url: str, **more: Any) -> NotSent:
    with pytest.raises(NotSent) as caught:
        sent_to(url, **more)
    assert SECRET not in str(caught.value)
    assert "s3cret" not in str(caught.value)
    return caught.value


def test_json_is_signed_and_has_an_id(server: Target) -> None:
    server.received.clear()
    found = sent_to(
        f"{server.url}/hook?sig={SECRET}",
        headers={"Authorization": {"env": "TOKEN"}, "X-Team": "platform"},
        signing_secret={"env": "KEY"},
    )
    assert found == Sent(f"127.0.0.1:{server.port}", 200)
    [received] = server.received
    assert received.path == f"/hook?sig={SECRET}"
    document = json.loads(received.body)
    assert (document["id"], document["events"]) == (str(NUMBER), ["test"])
    expected = hmac.new(b"k3y-of-the-signature", received.body.encode(), hashlib.sha256).hexdigest()
    assert received.headers["x-hub-signature-256"] == f"sha256={expected}"
    assert received.headers["content-type"] == "application/json"
    assert (received.headers["authorization"], received.headers["x-team"]) == (
        "t0ken-in-a-header",
        "platform",
    )


@pytest.mark.parametrize("kind", ["slack", "teams"])
def test_slack_and_teams_get_their_own_forms(server: Target, kind: str) -> None:
    server.received.clear()
    sent_to(f"{server.url}/{SECRET}", kind)
    [received] = server.received
    document = json.loads(received.body)
    assert ("blocks" in document, "attachments" in document) == (kind == "slack", kind == "teams")
    assert "id" not in document


@pytest.mark.parametrize(
    ("status", "meaning"),
    [
        *((status, "taken") for status in (200, 202, 204)),
        *((status, "for good") for status in (400, 403, 404, 410)),
        *((status, "for now") for status in (408, 429, 500, 502, 503)),
    ],
)
def test_an_answer_says_whether_it_is_tried_again(server: Target, status: int, meaning: str) -> None:
    url = f"{server.url}/status/{status}?{SECRET}"
    if meaning == "taken":
        assert sent_to(url).status == status
        return
    error = refusal_of(url)
    assert (error.retryable, error.host) == (meaning == "for now", f"127.0.0.1:{server.port}")
    assert f"answered {status}" in str(error)


def answering(head: str, body: bytes = b"") -> bytes:
    return f"HTTP/1.1 {head}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body


def test_the_wait_that_is_asked_for_is_known() -> None:
    with RawServer(answering("429 Too Many Requests\r\nRetry-After: 77")) as server:
        assert refusal_of(f"{server.url}/{SECRET}").retry_after == 77


def test_a_redirect_is_not_followed(server: Target) -> None:
    server.received.clear()
    error = refusal_of(f"{server.url}/redirect")
    assert not error.retryable
    assert "redirects are not followed" in str(error)
    assert len(server.received) == 1


def test_an_answer_that_repeats_the_secret_does_not_show_it() -> None:
    with RawServer(answering("400 No", f"no such hook: {SECRET}\x1b[2J\n::error".encode())) as raw:
        error = str(refusal_of(f"{raw.url}/{SECRET}"))
        assert "no such hook: ***" in error
        assert error.isprintable()


def test_an_answer_that_repeats_a_part_of_the_url_does_not_show_that() -> None:
    path = "workflows/0a1b2c3d4e5f/triggers/manual?api-version=2016-06-01&sig=Zq9%2BTtKxw0"
    said = b"the workflow 0a1b2c3d4e5f has no trigger manual for Zq9+TtKxw0 or Zq9%2BTtKxw0"
    with RawServer(answering("404 No", said)) as raw:
        error = str(refusal_of(f"{raw.url}/{path}"))
    assert "the workflow *** has no trigger manual for *** or ***" in error


def test_a_huge_answer_is_not_read() -> None:
    with RawServer(answering("500 No", b"x" * 5_000_000)) as server:
        error = refusal_of(f"{server.url}/{SECRET}")
        assert len(str(error)) < 400


@pytest.mark.parametrize("begins", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx"])
def test_an_answer_that_hangs_ends(monkeypatch: pytest.MonkeyPatch, begins: bytes) -> None:
    monkeypatch.setattr(sending, "LIMITS", Limits(seconds=0.3, max_bytes=10, silent_seconds=0.2))
    with RawServer(begins, hang=True) as server:
        error = refusal_of(f"{server.url}/{SECRET}")
        assert error.retryable


def test_nobody_listens() -> None:
    assert refusal_of(f"http://127.0.0.1:{closed_port()}/{SECRET}").retryable


@pytest.mark.parametrize(
    ("url", "more", "text"),
    [
        ("http://hooks.example/x", {}, "must be an https:// URL"),
        ("ftp://hooks.example/x", {}, "is no URL that can be sent to"),
        ("https://user:pw@hooks.example/x", {}, "must not carry a user name"),
        ("https://hooks.example/x y", {}, "is no URL that can be sent to"),
        ("https://hooks.example/x?a=\n", {}, "is no URL that can be sent to"),
        ("https://hooks.example/x#y", {}, "is no URL that can be sent to"),
    ],
)
def test_a_url_that_is_none_is_sent_nowhere(url: str, more: dict[str, Any], text: str) -> None:
    error = refusal_of(url, **more)
    assert text in str(error)
    assert error.host is None


def test_a_secret_that_is_gone_is_named() -> None:
    target = NotifyTarget.model_validate({"slack": {"env": "GONE"}})
    with pytest.raises(NotSent, match="GONE is not set") as caught:
        send(target, CONTENT, NUMBER, created_at="", environment={})
    assert caught.value.retryable


def test_a_span_has_the_host_and_nothing_more_of_the_url(server: Target) -> None:
    with kept_spans() as kept, within(ABOVE):
        sent_to(f"{server.url}/{SECRET}", "slack")
        with RawServer(b"") as broken:
            refusal_of(f"{broken.url}/{SECRET}", kind="slack")
        refusal_of(f"{server.url}/status/404?{SECRET}", kind="slack")
    assert [span.name for span in kept] == ["POST"] * 3
    assert kept[0].attributes["http.response.status_code"] == 200
    assert kept[0].attributes["server.address"] == f"127.0.0.1:{server.port}"
    assert "s3cret" not in repr(kept)
