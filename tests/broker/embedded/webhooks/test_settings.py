"""Which targets a webhook may have."""

from __future__ import annotations

import pytest
import requests
from hypothesis import given, settings
from hypothesis import strategies as st
from urllib3.util import parse_url

from broker.embedded.webhooks.settings import WebhookSettings
from broker.embedded.webhooks.template import Template, render

OPEN = WebhookSettings(
    hosts=("127.0.0.1", "*.example.org", "::1"), schemes=("http", "https"), methods=("POST", "PUT")
)
INVALID = ["is not a valid URL eg. http://example.org"]

PIECES = st.sampled_from(
    [
        *(
            "http://",
            "HTTPS://",
            "good.example.org",
            "Evil.net",
            "127.0.0.1",
            "[::1]",
            "${pactbroker.x}",
            "${",
            "}",
        ),
        *(
            "@",
            ":",
            "/",
            "//",
            "\\",
            "?",
            "#",
            "%2f",
            "%40",
            "%",
            "..",
            ".",
            "80",
            "x",
            "\t",
            " ",
            "é",
            "。",
            "[",
            "]",
        ),
    ]
)
TEXTS = st.lists(PIECES, max_size=8).map("".join)
URLS = TEXTS | st.builds(
    "{}{}".format, st.sampled_from(["http://127.0.0.1", "https://good.example.org"]), TEXTS
)


@settings(max_examples=2000, derandomize=True, database=None, deadline=None)
@given(url=URLS, value=TEXTS)
def test_what_is_allowed_goes_to_a_listed_host_whatever_the_values_are(url: str, value: str) -> None:
    if OPEN.mistakes_in_url(url):
        return
    rendered = render(Template("POST", url, {}), {"pactbroker.x": value}).url
    if OPEN.mistakes_in_url(rendered):
        return
    sent = parse_url(requests.Request("POST", rendered).prepare().url or "")
    assert sent.auth is None
    assert sent.host in {"127.0.0.1", "[::1]"} or (sent.host or "").endswith(".example.org")


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
        "http://127.0.0.1./",
        "http://2130706433/",
        "http://[::ffff:127.0.0.1]/",
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
