"""Values of options: read, or refused with a reason and without their secrets."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from broker.http.access import BrokerAccess
from verifier.command.option_values import parse_access, parse_headers, parse_states_file, parse_transports
from verifier.errors import UsageError
from verifier.transport import Transport


@pytest.mark.parametrize(
    ("value", "header"),
    [
        ("Authorization: Bearer abc", ("Authorization", "Bearer abc")),
        ("X-Empty:", ("X-Empty", "")),
        ("X:no space", ("X", "no space")),
        ("X: \t a: b ", ("X", "a: b ")),
        ("X-Url: http://p:80/?a=b", ("X-Url", "http://p:80/?a=b")),
    ],
)
def test_header_is_read(value: str, header: tuple[str, str]) -> None:
    assert parse_headers([value]) == (header,)


@pytest.mark.parametrize(
    "value",
    [
        "s3cret",
        "s3cret value: x",
        ": s3cret",
        "X: s3cret\r\nY: 1",
        "X: s3cret\n",
        "X: s3cr\u00e9t",
        " X: s3cret",
    ],
)
def test_malformed_header_is_refused_and_never_shown(value: str) -> None:
    with pytest.raises(UsageError, match="--custom-provider-header number 2 is not 'Name: value'") as error:
        parse_headers(["A: b", value])
    assert "s3cr" not in str(error.value)


@pytest.mark.parametrize(
    ("value", "transport"),
    [
        ("message:8081", Transport("message", 8081)),
        ("message:8081/_messages", Transport("message", 8081, "/_messages")),
        ("grpc:{port}", Transport("grpc", None)),
        ("a+b-c.d:65535/", Transport("a+b-c.d", 65535, "/")),
    ],
)
def test_transport_is_read(value: str, transport: Transport) -> None:
    assert parse_transports([value]) == (transport,)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "message",
        "message:",
        ":8081",
        "message:x",
        "message:0",
        "message:65536",
        "message:99999",
        "message:1 /x",
        "message:80x",
        "http://p:80",
        "message:8081/a b",
        "message:8081\n",
        "{port}",
    ],
)
def test_transport_that_is_none_is_refused(value: str) -> None:
    with pytest.raises(UsageError, match=r"--transport .*NAME:PORT.*as in message:8081/_messages"):
        parse_transports([value])


def test_states_file_is_read() -> None:
    assert parse_states_file("pact/states.py:handlers") == (str(Path("pact/states.py").resolve()), "handlers")
    assert parse_states_file("/a:b/states.py:x") == ("/a:b/states.py", "x")


@pytest.mark.parametrize(
    "value", ["states.py", "states.py:", ":handlers", "states.py:a.b", "states.py:1x", "s:a b"]
)
def test_states_file_that_is_none_is_refused(value: str) -> None:
    with pytest.raises(UsageError, match=r"--provider-states .*FILE\.py:NAME"):
        parse_states_file(value)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (
            ("http://b", "ada", "s3cret", "s3cret"),
            "two kinds of credentials.*--broker-token.*--broker-username",
        ),
        (("http://b", "ada", None, "s3cret"), "two kinds of credentials"),
        (("http://b", None, "s3cret", "s3cret"), "two kinds of credentials"),
        (("http://b", "ada", None, None), r"--broker-password \(PACT_BROKER_PASSWORD\) is missing"),
        (("http://b", None, "s3cret", None), r"--broker-username \(PACT_BROKER_USERNAME\) is missing"),
        ((None, None, None, "s3cret"), "not whose: give --pact-broker-base-url"),
        ((None, "ada", "s3cret", None), "not whose: give --pact-broker-base-url"),
        (("broker.example", None, None, None), "--pact-broker-base-url is not usable"),
        (("http://ada:s3cret@b", None, None, None), "--pact-broker-base-url is not usable"),
        (("http://b/?x=1", None, None, None), "--pact-broker-base-url is not usable: .*no query"),
        (("http://b/#x", None, None, None), "--pact-broker-base-url is not usable: .*fragment"),
        (("file:///tmp", None, None, None), "--pact-broker-base-url is not usable"),
        (("http://b/a/%2e%2e/c", None, None, None), "--pact-broker-base-url is not usable: .*segments"),
    ],
)
def test_access_that_can_not_be_used_is_refused(values: tuple[str | None, ...], said: str) -> None:
    with pytest.raises(UsageError, match=said) as error:
        parse_access(*values)
    assert "s3cret" not in str(error.value)


@pytest.mark.parametrize(
    ("values", "access"),
    [
        (("http://b", None, None, None), BrokerAccess("http://b")),
        (("http://b", "ada", "pw", None), BrokerAccess("http://b", "ada", "pw")),
        (("http://b", "", "", "t"), BrokerAccess("http://b", token="t")),
        ((None, None, None, None), None),
        (("", "", "", ""), None),
    ],
)
def test_access_that_can_be_used(values: tuple[str | None, ...], access: BrokerAccess | None) -> None:
    assert parse_access(*values) == access


@pytest.mark.parametrize(
    "aliases", [["http://a", "http://c/d"], "http://a,http://c/d", " http://a \n, http://c/d "]
)
def test_aliases_are_a_list_or_a_text(aliases: str | list[str]) -> None:
    access = parse_access("http://b", None, None, None, aliases=aliases)
    assert access is not None
    assert list(access.aliases) == ["http://a", "http://c/d"]


@pytest.mark.parametrize(
    ("base_url", "alias", "said"),
    [
        (None, "http://a", "none is given: give --pact-broker-base-url"),
        ("http://b", "http://ada:s3cret@a", "--pact-broker-alias is not usable: it must not carry"),
        ("http://b", "a/b", "--pact-broker-alias is not usable"),
        ("http://b", "http://a?x=s3cret", "--pact-broker-alias is not usable: .*no query"),
    ],
)
def test_an_alias_that_can_not_be_used_is_refused(base_url: str | None, alias: str, said: str) -> None:
    with pytest.raises(UsageError, match=said) as error:
        parse_access(base_url, None, None, None, aliases=[alias])
    assert "s3cret" not in str(error.value)


def test_each_message_ends_without_a_line_break() -> None:
    """Messages are shown as `verify: MESSAGE`; a value in one must not add lines."""
    with pytest.raises(UsageError) as error:
        parse_transports(["a\nb"])
    assert re.search(r"[\r\n]", str(error.value)) is None
