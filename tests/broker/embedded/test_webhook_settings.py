"""Which targets a webhook may have."""

from __future__ import annotations

import pytest

from broker.embedded.webhook_settings import WebhookSettings

OPEN = WebhookSettings(
    hosts=("127.0.0.1", "*.example.org", "::1"), schemes=("http", "https"), methods=("POST", "PUT")
)
INVALID = ["is not a valid URL eg. http://example.org"]


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:9480/hook",
        "https://API.example.org/${pactbroker.consumerName}?c=${user.x y}",
        "http://[::1]:80/",
        "HTTPS://a.b.example.org",
        "http://127.0.0.1?x=1",
    ],
)
def test_a_target_on_the_list_is_allowed(url: str) -> None:
    assert OPEN.mistakes_in_url(url) == []


@pytest.mark.parametrize(
    "url",
    [
        "127.0.0.1:9480/hook",
        "http:/127.0.0.1",
        "http://",
        "http:///x",
        "http://127.0.0.1/a b",
        "http://127.0.0.1\\@evil.net/",
        "http://127.0.0.1\n.evil.net/",
        "http://127.0.0.1:99999/",
        "http://127.0.0.1:0/",
        "http://127.0.0.1:x/",
        "http://exämple.org/",
    ],
)
def test_what_is_no_url_is_refused(url: str) -> None:
    assert OPEN.mistakes_in_url(url) == INVALID


@pytest.mark.parametrize(
    "url",
    [
        "http://${pactbroker.consumerName}.example.org/",
        "http://127.0.0.1:${user.port}/",
        "http://${user.x/y}.example.org/",
        "http://127.0.0.1${user.x}/",
    ],
)
def test_no_variable_may_be_in_the_host(url: str) -> None:
    assert OPEN.mistakes_in_url(url) in (["cannot have a template parameter in the host"], INVALID)


@pytest.mark.parametrize(
    "url",
    [
        "https://example.org/",
        "http://evil.net/?x=.example.org",
        "http://127.0.0.1.evil.net/",
        "http://localhost/",
    ],
)
def test_another_host_is_refused(url: str) -> None:
    (mistake,) = OPEN.mistakes_in_url(url)
    assert mistake.startswith('host must be in the whitelist "127.0.0.1", "*.example.org", "::1". See')


def test_credentials_in_a_url_are_refused() -> None:
    (mistake,) = OPEN.mistakes_in_url("http://user:pass@127.0.0.1/")
    assert "request.username" in mistake


def test_by_default_no_host_is_allowed_and_https_and_post_alone() -> None:
    default = WebhookSettings()
    scheme, host = default.mistakes_in_url("http://127.0.0.1/")
    assert scheme.startswith("scheme must be https.")
    assert "--webhook-hosts" in host
    assert default.mistakes_in_method("PUT")[0].startswith("must be one of POST.")
    assert default.mistakes_in_method("post") == []
    assert WebhookSettings(hosts=("*",)).mistakes_in_url("https://anything.example.com/") == []
