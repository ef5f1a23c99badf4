"""Whatever a broker puts into an answer, reading it ends in a `BrokerError` or in a value."""

from __future__ import annotations

from typing import Any

import pytest

from broker.client import BrokerClient
from broker.client.exchange import absolute
from broker.client.for_verification import content_of
from broker.client.missing_results import Questions
from broker.http.access import BrokerAccess
from broker.http.errors import BrokerError, BrokerUnreachable, UnexpectedAnswer
from broker.webhooks import TriggeredWebhooks, Webhooks
from broker.webhooks.definition import Scope, Webhook, WebhookRequest
from broker.webhooks.delivery_log import execution_of
from broker.webhooks.hidden_secrets import in_the_clear, redacted
from broker.webhooks.triggered import Attempt
from tests.support.loopback import Loopback, Received, Reply

BAD_URLS = ("http://[::1", "http://[x]/", "http://b:99999999/", "//[", "http://\u2100/")
MANY_DIGITS = "9" * 5000


def client(server: Loopback) -> BrokerClient:
    return BrokerClient(BrokerAccess(server.url), retry_time=0)


def linked(*rels: str, href: str) -> dict[str, Any]:
    return {"_links": {rel: {"href": href} for rel in rels}}


@pytest.mark.parametrize("status", [200, 201, 301, 302, 307, 308])
@pytest.mark.parametrize("method", ["get", "put", "query", "post_once", "delete"])
def test_a_location_that_is_no_url(status: int, method: str) -> None:
    reply = Reply(status, {}, headers={"Location": "http://[::1"})
    with Loopback(reply) as server, client(server) as broker:
        body: list[Any] = [] if method in {"get", "delete"} else [{}]
        with pytest.raises(UnexpectedAnswer):
            getattr(broker, method)(f"{server.url}/pact", *body)


@pytest.mark.parametrize("url", [url for url in BAD_URLS if url.isascii()] + ["http://\xff/"])
def test_a_redirect_to_no_url(url: str) -> None:
    reply = Reply(302, headers={"Location": url})
    with Loopback(reply) as server, client(server) as broker, pytest.raises(UnexpectedAnswer):
        broker.get(f"{server.url}/pact")


@pytest.mark.parametrize("url", BAD_URLS)
def test_links_that_are_no_urls(url: str) -> None:
    rel = "pb:x"
    with Loopback(Reply(body=linked(rel, href=url))) as server, client(server) as broker:
        document = broker.get(server.url).document
        with pytest.raises(BrokerError):
            broker.get(broker.link(document, rel) or "")
        with pytest.raises(BrokerError):
            broker.get(broker.links(document, rel)[0])
        with pytest.raises(BrokerError):
            broker.get(broker.index_link(rel))


@pytest.mark.parametrize(
    "text",
    [
        MANY_DIGITS,
        "Fri, 01 Jan 99999999999 00:00:00 GMT",
        "Fri, 99 Foo 2026 00:00:00 GMT",
        f"Fri, 01 Jan {MANY_DIGITS} 00:00:00 GMT",
        "Fri, 01 Jan 2026 00:00:00 +99999999999999999999",
        "-1",
        "1e400",
        "\xff",
    ],
)
def test_a_retry_after_that_is_no_time(text: str) -> None:
    reply = Reply(503, headers={"Retry-After": text})
    with Loopback(reply) as server, client(server) as broker, pytest.raises(BrokerUnreachable) as away:
        broker.get(f"{server.url}/pact")
    assert away.value.retry_after is None or away.value.retry_after >= 0


def test_a_version_that_is_no_number() -> None:
    reply = Reply(body={}, headers={"X-Pact-Broker-Version": f"{MANY_DIGITS}.0.0"})
    with Loopback(reply) as server, client(server) as broker:
        assert not Webhooks(broker).keeps_hidden_values()


def test_half_of_a_surrogate_pair() -> None:
    reply = Reply(body=b'{"name": "\\ud800"}')
    with Loopback(reply) as server, client(server) as broker, pytest.raises(UnexpectedAnswer) as error:
        broker.get(f"{server.url}/pact")
    assert error.match("half of a surrogate pair")


@pytest.mark.parametrize("url", BAD_URLS)
def test_pacts_without_a_url(url: str) -> None:
    def answer(request: Received) -> Reply:
        if request.path == "/":
            return Reply(body=linked("pb:provider-pacts-for-verification", href=f"{server.url}/pacts"))
        return Reply(
            body={"_embedded": {"pacts": [linked("self", href=f"{url}/pacts/provider/P/consumer/C")]}}
        )

    assert content_of(url) is None
    with Loopback(answer) as server, client(server) as broker, pytest.raises(UnexpectedAnswer):
        Questions(broker, "P").pacts()


@pytest.mark.parametrize("url", BAD_URLS)
def test_triggered_webhooks_with_links_that_are_no_urls(url: str) -> None:
    reply = Reply(body={"_embedded": {"triggeredWebhooks": [linked("pb:webhook", "pb:logs", href=url)]}})
    with Loopback(reply) as server, client(server) as broker, pytest.raises(BrokerError):
        TriggeredWebhooks(broker).latest("C", "P")


@pytest.mark.parametrize("url", [*BAD_URLS, "http://[${user.x}]?token=abc"])
def test_webhooks_without_a_url(url: str) -> None:
    webhook = Webhook("x" * 16, Scope(), (), WebhookRequest("POST", url))
    assert bool(in_the_clear(webhook)) == ("token" in url)
    assert "abc" not in redacted(webhook).request.url
    logs = f"INFO: HTTP/1.1 POST {url}\nINFO: {{{MANY_DIGITS}\nINFO: [{MANY_DIGITS}]\nINFO: HTTP/1.1 200 OK"
    assert execution_of(Attempt(True, None, 200, None, logs)).status == 200


def test_a_link_that_nobody_could_keep_is_none() -> None:
    with pytest.raises(UnexpectedAnswer, match="http://broker/ gives a link of 8001 characters"):
        absolute("http://broker/", "x" * 8001)
    assert absolute("http://broker/", "x" * 8000) == f"http://broker/{'x' * 8000}"
