"""What is under another address of a broker is asked for at the one address; nothing else is."""

from __future__ import annotations

import pytest

from broker.http.access import BrokerAccess
from broker.http.addresses import Addresses

HOME = "https://broker.example.org/pacts-app"


def addresses(*aliases: str, home: str = HOME) -> Addresses:
    return Addresses.of(BrokerAccess(home, aliases=aliases))


@pytest.mark.parametrize(
    ("alias", "url", "expected"),
    [
        (
            "http://broker.example.org/pacts-app",
            "http://broker.example.org/pacts-app/pacts/a?b=c&d",
            "/pacts/a?b=c&d",
        ),
        ("http://pact-broker:9292", "http://pact-broker:9292/pacts/a", "/pacts/a"),
        ("http://pact-broker:9292/", "http://pact-broker:9292", ""),
        ("http://pact-broker:9292", "http://PACT-Broker:9292/pacts/%C3%A9%2Fb", "/pacts/%C3%A9%2Fb"),
        ("http://pact-broker", "HTTP://pact-broker:80/a", "/a"),
        ("https://pact-broker:443/b", "https://pact-broker/b/a", "/a"),
        ("http://pact-broker/b", "http://pact-broker/b?x=1", "?x=1"),
        ("http://[::1]:9292", "http://[::1]:9292/a", "/a"),
        ("http://pact-broker/bä", "http://pact-broker/b%C3%A4/a", "/a"),
        # the host of the one address, without the path that a proxy strips
        ("https://broker.example.org", "https://broker.example.org/pacts/a", "/pacts/a"),
        ("https://broker.example.org", "https://broker.example.org/pacts-application", "/pacts-application"),
        # what follows stays a path
        ("http://pact-broker", "http://pact-broker//evil.example.org/a", "//evil.example.org/a"),
        ("http://pact-broker", "http://pact-broker/@evil.example.org", "/@evil.example.org"),
        ("http://pact-broker", "http://pact-broker/a#fragment", "/a"),
    ],
)
def test_what_is_under_an_alias_is_asked_for_at_the_one_address(alias: str, url: str, expected: str) -> None:
    known = addresses(alias)
    assert known.contain(url)
    assert known.at_origin(url) == HOME + expected
    assert known.origin.contains(known.at_origin(url))


@pytest.mark.parametrize(
    "url",
    [
        "http://pact-broker/basement/a",
        "http://pact-broker/base.evil.example.org",
        "http://pact-broker/base@evil.example.org/",
        "http://pact-broker/base%2Fa",
        "http://pact-broker/base%5Ca",
        "http://pact-broker/BASE/a",
        "http://pact-broker/%62ase/a",
        "http://pact-broker/base/../a",
        "http://pact-broker/base/%2e%2e/a",
        "http://pact-broker/base/%252e%252e/a",
        "http://pact-broker/base/..;/a",
        "http://pact-broker/base/..%2fa",
        "http://pact-broker/base\\..\\a",
        "http://pact-broker/",
        "http://pact-broker:8080/base/a",
        "https://pact-broker/base/a",
        "http://pact-broker./base/a",
        "http://pact-broker.evil.example.org/base/a",
        "http://evil.example.org/base/a",
        "http://pact-broker@evil.example.org/base/a",
        "http://evil.example.org\\@pact-broker/base/a",
        "http://user:password@pact-broker/base/a",
        "//pact-broker/base/a",
        "ftp://pact-broker/base/a",
        "http://pact-broker/base/a b",
        "http://pact-broker/base/a\\n",
        "http:pact-broker/base/a",
        "",
    ],
)
def test_what_only_looks_like_it_is_left_as_it_is(url: str) -> None:
    known = addresses("http://pact-broker/base")
    assert not known.contain(url)
    assert known.at_origin(url) == url


def test_what_is_on_the_one_address_stays_as_it_is() -> None:
    known = addresses("https://broker.example.org", "http://other")
    for url in (HOME, f"{HOME}/pacts/a", f"{HOME}/%C3%a9?b#c"):
        assert known.at_origin(url) == url


def test_the_longest_of_several_addresses_counts() -> None:
    known = addresses("http://b", "http://b/deep", "http://b/deep/er")
    assert known.at_origin("http://b/deep/er/a") == f"{HOME}/a"
    assert known.at_origin("http://b/deep/a") == f"{HOME}/a"
    assert known.at_origin("http://b/deeper/a") == f"{HOME}/deeper/a"
    inside = addresses("http://b/app", home="http://b")
    assert inside.at_origin("http://b/app/pacts") == "http://b/pacts"
    assert inside.at_origin("http://b/pacts") == "http://b/pacts"


@pytest.mark.parametrize(
    "alias",
    ["http://u:s3cret-word@b", "b/base", "ftp://b", "http://b?a", "http://b#a", "http://b/%2e%2e/a", ""],
)
def test_an_alias_must_be_a_base_url_without_credentials(alias: str) -> None:
    with pytest.raises(ValueError, match=r"\w") as refused:
        addresses(alias)
    assert "s3cret" not in str(refused.value)
