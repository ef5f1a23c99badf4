"""Which requests a page of another site has a browser send."""

from __future__ import annotations

import pytest

from broker.http.browsers import ServedHosts, foreign_page

LOOPBACK = ServedHosts()
ELSEWHERE = ServedHosts(loopback=False)


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LOCALHOST:9292",
        "localhost.:9292",
        "pact-broker.localhost:9292",
        "127.0.0.1:9292",
        "127.8.9.10",
        "[::1]:9292",
        "[::1]",
        "[0:0:0:0:0:0:0:1]:1",
    ],
)
def test_loopbacks_names_are_its_own_with_any_port(host: str) -> None:
    assert LOOPBACK.include(host)
    assert ELSEWHERE.include(host)


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:9292",
        "localhost.evil.example",
        "127.0.0.1.evil.example:9292",
        "notlocalhost",
        "broker",
        "192.168.1.5:9292",
        "0.0.0.0:9292",
        "[::]:9292",
        "2130706433",
        "0x7f000001",
        "127.1",
        "[::ffff:10.0.0.1]",
        "",
        "a b",
        "localhost:evil.example",
        "evil.example:80@localhost",
        "localhost,evil.example",
    ],
)
def test_on_loopback_no_other_name_is_its_own(host: str) -> None:
    assert not LOOPBACK.include(host)


@pytest.mark.parametrize(
    "host",
    ["broker:9292", "10.0.0.7:9292", "[2001:db8::1]:9292", "ci.local", "broker.team.internal", "x.test"],
)
def test_elsewhere_addresses_and_names_that_no_site_can_have_are_its_own(host: str) -> None:
    assert ELSEWHERE.include(host)


@pytest.mark.parametrize("host", ["evil.example:9292", "broker.example.org", "local.evil.example", "a b"])
def test_elsewhere_names_that_a_site_can_have_must_be_configured(host: str) -> None:
    assert not ELSEWHERE.include(host)


@pytest.mark.parametrize("loopback", [True, False])
def test_configured_names_are_its_own(loopback: bool) -> None:  # noqa: FBT001
    hosts = ServedHosts(frozenset({"broker.example.org"}), loopback=loopback)
    assert hosts.include("Broker.Example.org:8443")
    assert not hosts.include("x.broker.example.org")
    assert ServedHosts(frozenset({"*"}), loopback=loopback).include("any.example")


def seen(method: str = "POST", host: str = "localhost:9292", **headers: str) -> str | None:
    return foreign_page(
        method,
        host=host,
        origin=headers.get("origin"),
        fetch_site=headers.get("fetch_site"),
        base_url="https://broker.example.org/pacts",
    )


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "BREW"])
@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "http://localhost:3000"},
        {"origin": "https://localhost"},
        {"origin": "http://broker.example.org:9292"},
        {"origin": "null"},
        {"origin": "chrome-extension://abc"},
        {"origin": ""},
        {"origin": "http://[x"},
        {"origin": "http://localhost:99999"},
        {"fetch_site": "cross-site"},
        {"fetch_site": "same-site"},
        {"fetch_site": "something-new"},
        {"origin": "http://evil.example", "fetch_site": "same-origin"},
        {"origin": "http://localhost:9292", "fetch_site": "cross-site"},
        {"origin": "null", "fetch_site": "cross-site"},
    ],
)
def test_what_a_page_of_another_site_sends_is_told(method: str, headers: dict[str, str]) -> None:
    assert seen(method, **headers)
    assert seen("GET", **headers) is None


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"origin": "http://localhost:9292"},
        {"origin": "https://broker.example.org"},
        {"origin": "http://localhost:9292", "fetch_site": "same-origin"},
        {"origin": "null", "fetch_site": "same-origin"},
        {"fetch_site": "none"},
    ],
)
def test_clients_and_pages_of_its_own_may_write(headers: dict[str, str]) -> None:
    assert seen(**headers) is None


def test_a_default_port_may_be_left_out() -> None:
    assert seen(host="broker.test:443", origin="https://broker.test") is None
    assert seen(host="broker.test", origin="http://broker.test") is None
    assert seen(host="[::1]:9292", origin="http://[::1]:9292") is None


def test_a_pages_name_is_short() -> None:
    assert len(seen(origin="http://" + "x" * 5000) or "") == 200
