"""A request whose values can't be used is refused, with the option and how to fix it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from broker.http.access import BrokerAccess
from broker.http.origin import Origin
from verifier.errors import UsageError
from verifier.request import ProviderUnderTest, VerificationRequest, check_url
from verifier.transport import Transport

BASE_URL = "http://127.0.0.1:8080"
BROKER = BrokerAccess("https://broker.example/broker", token="t0ken")
PACT_URL = "https://broker.example/broker/pacts/provider/P/consumer/C/latest"


def provider(**values: Any) -> ProviderUnderTest:
    return ProviderUnderTest(**{"base_url": BASE_URL, **values})


def request(**values: Any) -> VerificationRequest:
    return VerificationRequest(**{"pact_url": PACT_URL, "provider": provider(), **values})


# --- the provider


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"command": "serve"}, "--provider-base-url .* --provider-command .*give one of the two"),
        ({"base_url": None}, r"which provider\? Give --provider-base-url .*--provider-command"),
        ({"base_url": ""}, r"which provider\?"),
        ({"base_url": "127.0.0.1:8080"}, "--provider-base-url must be an http:// or https:// URL"),
        ({"base_url": "ftp://p"}, "--provider-base-url must be"),
        ({"base_url": "http://"}, "--provider-base-url must be"),
        ({"base_url": "http://p:99999"}, "--provider-base-url must be"),
        ({"base_url": "http://p:0"}, "--provider-base-url must be"),
        ({"base_url": "http://p/?shop=1"}, "--provider-base-url can't have a query"),
        ({"base_url": "http://p/#shop"}, "--provider-base-url can't have a query or a fragment"),
        ({"base_url": "http://p /x"}, "--provider-base-url must be"),
        ({"base_url": "http://[::1"}, "--provider-base-url must be"),
        ({"base_url": "http://ada:pw@p"}, "--provider-base-url must not carry .*--custom-provider-header"),
        ({"base_url": "http://ada@p"}, "must not carry a user name"),
        ({"states_url": "p/_states"}, "--provider-states-setup-url must be"),
        (
            {"states_url": "http://ada:pw@p/_states"},
            "--provider-states-setup-url must not carry .*--provider-states-header",
        ),
        ({"states_url": "http://127.0.0.1:{port}/s"}, "{port} .*needs --provider-command"),
        ({"transports": (Transport("message", None),)}, "{port} .*needs --provider-command"),
        ({"states_url": "http://p/s", "states_file": (__file__, "x")}, "--provider-states are two ways"),
        ({"states_file": ("/no/such/file.py", "x")}, "--provider-states: there is no file /no/such/file.py"),
        (
            {"base_url": None, "command": "x", "folder": Path("/no/such")},
            "--provider-dir: there is no folder",
        ),
        ({"jobs": 0}, "--jobs must be from 1 to 64, not 0"),
        ({"jobs": 65}, "--jobs must be from 1 to 64, not 65"),
        ({"jobs": -1}, "--jobs"),
        ({"wait": 0}, "--wait must be more than 0"),
        ({"wait": -1}, "--wait"),
        ({"wait": float("nan")}, "--wait"),
        ({"wait": float("inf")}, "--wait"),
        ({"request_timeout": 0}, "--request-timeout must be more than 0"),
        ({"request_timeout": 1e9}, "--request-timeout"),
    ],
)
def test_provider_that_can_not_be_used_is_refused(values: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said) as error:
        provider(**values)
    assert "pw" not in str(error.value), "a password in a URL is not shown"


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"base_url": "https://provider.example/api"},
        {"base_url": "http://[::1]:8080"},
        {"base_url": None, "command": "serve {port}"},
        {"base_url": None, "transports": (Transport("message", 1),)},
        {"base_url": None, "command": "x", "states_url": "http://127.0.0.1:{port}/_states"},
        {"base_url": None, "command": "x", "transports": (Transport("message", None),)},
        {"states_file": (__file__, "handlers")},
        {"jobs": 64, "wait": 0.1, "request_timeout": 600},
    ],
)
def test_provider_that_can_be_used(values: dict[str, Any]) -> None:
    provider(**values)


def test_header_values_are_not_in_the_representation() -> None:
    assert "s3cret" not in repr(request(provider=provider(headers=(("Authorization", "s3cret"),))))


def test_broker_secrets_are_not_in_the_representation() -> None:
    access = BrokerAccess("http://b", "ada", "s3cret")
    assert "s3cret" not in repr(access)
    assert "t0ken" not in repr(request(broker=BROKER))


@pytest.mark.parametrize("url", ["http://p\t", "http://p\n/x", "javascript:alert(1)", "", "http:///x"])
def test_url_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(UsageError, match="--option must be"):
        check_url(url, "--option")


# --- the pact


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"pact_url": ""}, r"which pact\? Give --pact-url"),
        ({"pact_url": "ftp://broker.example/pact"}, "--pact-url .*is not usable: .*http:// or https://"),
        ({"pact_url": "http://"}, "--pact-url .*is not usable"),
        (
            {"pact_url": "http://ada:pw@broker.example/p"},
            "--pact-url .*is not usable: .*user name or password",
        ),
        ({"pact_url": "http://broker.example/a b"}, "--pact-url .*is not usable: .*space"),
        ({"publish": True}, "--publish-verification-results needs .*--provider-app-version"),
        ({"publish": True, "provider_version": ""}, "--provider-app-version"),
        (
            {"publish": True, "provider_version": "1", "pact_url": "pact.json"},
            "--publish-verification-results: a pact from a file .*--no-publish-verification-results",
        ),
        (
            {"publish": True, "provider_version": "1", "pact_url": "file:///tmp/pact.json"},
            "--publish-verification-results: a pact from a file",
        ),
        (
            {"publish": True, "provider_version": "1", "filter_description": "x"},
            "a filtered run is never published.*--filter-description",
        ),
        ({"publish": True, "provider_version": "1", "filter_state": ""}, "a filtered run is never published"),
        ({"filter_description": "("}, "--filter-description is not a regular expression"),
        ({"filter_state": "*"}, "--filter-state is not a regular expression"),
        ({"provider_version": " "}, "--provider-app-version must be"),
        ({"provider_version": "a\nb"}, "--provider-app-version must be"),
        ({"provider_branch": ""}, "--provider-version-branch must be"),
        ({"provider_branch": "x" * 256}, "--provider-version-branch must be"),
        ({"provider_tags": ("ok", "\x1b[31m")}, "--provider-version-tag must be"),
        ({"timeout": 0}, "--timeout must be more than 0"),
        ({"timeout": 86400 * 8}, "--timeout .*less than a week"),
        ({"timeout": float("nan")}, "--timeout"),
    ],
)
def test_request_that_can_not_be_used_is_refused(values: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said) as error:
        request(**values)
    assert "pw" not in str(error.value)


@pytest.mark.parametrize(
    "url",
    [
        PACT_URL,
        "https://broker.example/broker",
        "https://broker.example:443/broker/pacts/1",
        "HTTPS://BROKER.EXAMPLE/broker/pacts/1",
        "https://broker.example/broker/pacts/provider/A%20B/consumer/C%2FD/latest",
        "https://broker.example/broker/pacts/x?y=1",
    ],
)
def test_pact_on_the_configured_broker_is_taken(url: str) -> None:
    assert request(pact_url=url, broker=BROKER).broker_access is BROKER


OFF = [
    "https://elsewhere.example/broker/pacts/1",
    "https://broker.example.evil.example/broker/pacts/1",
    "https://broker.example:444/broker/pacts/1",
    "http://broker.example/broker/pacts/1",
    "https://broker.example/pacts/1",
    "https://broker.example/brokerage/pacts/1",
    "https://broker.example/broker%2Fpacts/1",
    "https://broker.example/Broker/pacts/1",
    "https://broker.example",
    "https://broker.example/broker/../pacts/1",
    "https://broker.example/broker/../../x",
    "https://broker.example/broker/%2e%2e/pacts/1",
    "https://broker.example/broker/.%2E/pacts/1",
    "https://broker.example/broker/%2e/pacts/1",
    "https://broker.example@evil.example/broker/pacts/1",
    "https://ada:b@broker.example/broker/pacts/1",
    "https://evil.example\\@broker.example/broker/pacts/1",
    "https://broker.example\\.evil.example/broker/pacts/1",
    "https://\\broker.example/broker/pacts/1",
    "https://broker.example/broker/pacts/1\r\nX-Evil: 1",
    "https://evil.example#@broker.example/broker/pacts/1",
    "https://evil.example?@broker.example/broker/pacts/1",
    "https:///broker.example/broker/pacts/1",
    "//broker.example/broker/pacts/1://",
    "https://broker.example./broker/pacts/1",
]


@pytest.mark.parametrize("url", OFF)
def test_pact_off_the_configured_broker_is_refused(url: str) -> None:
    with pytest.raises(UsageError, match=r"--pact-url .*is not") as error:
        request(pact_url=url, broker=BROKER)
    assert "t0ken" not in str(error.value)


@pytest.mark.parametrize(
    ("base", "url", "on_it"),
    [
        ("http://[::1]:9292", "http://[::1]:9292/pacts/1", True),
        ("http://[::1]:9292", "http://[0:0:0:0:0:0:0:2]:9292/pacts/1", False),
        ("http://[::1]:80", "http://[::1]/pacts/1", True),
        ("http://[FE80::1]", "http://[fe80::1]/pacts/1", True),
        ("http://Broker.Example", "http://broker.EXAMPLE:80/pacts/1", True),
        ("http://broker.example/", "http://broker.example/pacts/1", True),
        ("http://broker.example/a/", "http://broker.example/a/pacts/1", True),
        ("http://broker.example/a/", "http://broker.example/ab/pacts/1", False),
        ("http://broker.example:80", "https://broker.example:80/pacts/1", False),
        ("https://broker.example", "https://broker.example:443/x", True),
    ],
)
def test_origin_is_compared_as_the_parts_mean(base: str, url: str, on_it: bool) -> None:  # noqa: FBT001
    assert Origin.of(base).contains(url) is on_it


@pytest.mark.parametrize(
    ("url", "broker"),
    [
        (PACT_URL, "https://broker.example/broker"),
        ("http://b:9292/pacts/provider/P/consumer/C/latest", "http://b:9292"),
        ("http://b:9292/some/pact.json", "http://b:9292"),
        ("http://b/a/pacts/x/pacts/y", "http://b/a"),
    ],
)
def test_without_a_configured_broker_it_is_that_of_the_pact_without_credentials(
    url: str, broker: str
) -> None:
    access = request(pact_url=url).broker_access
    assert access.base_url == broker
    assert not access.has_credentials


@pytest.mark.parametrize(
    ("pact_url", "file"),
    [
        ("pact.json", Path("pact.json")),
        ("/tmp/a b.json", Path("/tmp/a b.json")),
        ("file:///tmp/a%20b.json", Path("/tmp/a b.json")),
        ("FILE:///tmp/pact.json", Path("/tmp/pact.json")),
        ("http://b/pacts/1", None),
    ],
)
def test_pact_may_be_a_file(pact_url: str, file: Path | None) -> None:
    assert request(pact_url=pact_url).pact_file == file


@pytest.mark.parametrize(
    "url",
    [
        "https://ci/" + "x" * 8000,
        "http://ci/1\n2",
        "http://ci/\ud800",
        "https://ci/a b",
        "https://ci/\u00e9",
        "https://ci/[1]",
        "https://ci/{id}",
        "https://ci/%zz",
        "https://ci:99999/",
        "https://",
        "ftp://ci/1",
        "ci.example/1",
        "#17",
        "javascript:alert(1)",
    ],
)
def test_a_build_url_that_a_broker_does_not_take_is_refused(url: str) -> None:
    with pytest.raises(UsageError, match="--build-url must be an http:// or https:// URL of up to 8000 char"):
        request(build_url=url)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "http://ci.example/1?a=1&b=2#L3-L4",
        "https://[::1]:80/x",
        "HTTPS://CI/a%20b",
        "https://ci/a;b=(c)*",
    ],
)
def test_a_build_url_that_a_broker_takes_is_taken(url: str) -> None:
    assert request(build_url=url).build_url == url


def test_a_build_url_with_a_password_is_not_shown_to_everybody() -> None:
    with pytest.raises(UsageError, match="the broker shows it") as refused:
        request(build_url="https://ci:s3cret-word@ci.example/1")
    assert "s3cret" not in str(refused.value)
