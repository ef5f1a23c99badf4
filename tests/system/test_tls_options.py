"""Authorities and certificates of one's own, for the provider and for the broker: real servers, real connections."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.canaries import canary, found_in, traces
from tests.support.certificates import Certificates, make_certificates
from tests.support.faulty_broker import FaultyBroker
from tests.support.loopback import Loopback, Received, Reply
from tests.support.pact_verifier import pact_verifier
from tests.support.pacts import interaction, pact
from tests.support.running import PROVIDER, READY, verify

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.processes import EmbeddedBroker

    Publish = Callable[..., str]

PASSWORD = canary()
BY_CORE = ("--transport", "other:1")
"""With another transport that the pact uses, the core itself asks the provider."""


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("certificates"), PASSWORD)


def answer(request: Received) -> Reply:
    path = request.path.partition("?")[0]
    if path in {"/moved", "/moved-here"}:
        place = f"https://{request.headers['host']}" if path == "/moved" else ""
        return Reply(302, headers={"Location": f"{place}/there?x=1"})
    if path == "/broken":
        return Reply(500, {"error": "broken"})
    if path == "/empty" or request.method == "HEAD":
        return Reply(204 if path == "/empty" else 200)
    return Reply(200, {"path": path, "method": request.method}, headers={"X-Many": "a, b"})


def written(folder: Path, *interactions: dict[str, Any]) -> Path:
    file = folder / "pact.json"
    interactions[-1]["transport"] = "other"  # which a pact of this version doesn't have for the core
    file.write_text(json.dumps(pact(*interactions)), encoding="utf-8")
    return file


def varied(folder: Path) -> Path:
    """A pact with all that goes another way when the core doesn't ask the provider itself."""
    posted = interaction("posted", "/posted", body={"method": "POST"}, state="there is one")
    posted["request"] |= {
        "method": "POST",
        "body": {"name": "été"},
        "headers": {"Content-Type": "application/json", "X-One": "a"},
    }
    asked = interaction("asked", "/asked", body={"path": "/asked"})
    asked["request"]["query"] = {"q": ["a b", "ü"], "r": [""]}
    asked["response"]["headers"] = {"X-Many": "a, b"}
    head = interaction("head", "/head")
    head["request"]["method"] = "HEAD"
    return written(
        folder,
        *(posted, asked, head, interaction("empty", "/empty", status=204)),
        *(interaction("followed", "/moved", body={"path": "/there"}), interaction("here", "/moved-here")),
        *(interaction("not followed", "/moved", status=302), interaction("broken", "/broken")),
    )


def asked_for(provider: Loopback) -> list[tuple[Any, ...]]:
    """Take what was asked for, but for health checks and what each connection has of its own."""
    own = {"host", "connection", "accept-encoding", "content-length", "user-agent"}
    found = [
        (one.method, one.path, {k: v for k, v in one.headers.items() if k not in own}, one.body)
        for one in provider.received
        if one.path != "/health"
    ]
    provider.received.clear()
    return found


def test_a_provider_with_an_authority_of_its_own_is_asked_for_the_same_as_by_the_core(
    files: Certificates, tmp_path: Path
) -> None:
    file = varied(tmp_path)
    with Loopback(answer, tls=files.server) as provider:
        states = ("--provider-states-setup-url", f"{provider.url}/_states")
        command = (file, "--provider-base-url", f"{provider.url}/", *READY, *states)
        own = verify(tmp_path, *command, "--provider-ca-file", files.ca_file)
        by_relay = asked_for(provider)
        of_the_system = {"SSL_CERT_FILE": str(files.ca_file), "REQUESTS_CA_BUNDLE": str(files.ca_file)}
        core = verify(tmp_path, *command, *BY_CORE, **of_the_system)
        by_core = asked_for(provider)
        by_default = verify(tmp_path, *command, REQUESTS_CA_BUNDLE=str(files.ca_file))
        by_relay_again = asked_for(provider)
        untrusting = verify(tmp_path, *command)
        assert asked_for(provider) == []
    assert own.code == core.code == by_default.code == 1, own
    ways = [
        [(one["outcome"], one["reason"], one["mismatches"]) for one in run.report["interactions"]]
        for run in (own, core, by_default)
    ]
    assert ways[0] == ways[1] == ways[2]
    assert [run.report["interactions"][-1]["exchange"] is None for run in (own, core, by_default)] == [
        False,
        True,
        False,
    ]
    assert [outcome for outcome, *_ in ways[0]] == ["passed"] * 7 + ["failed"]
    assert by_relay == by_core == by_relay_again
    assert untrusting.code == 3, untrusting
    assert "--provider-ca-file" in untrusting.report["interactions"][1]["reason"]


def test_headers_of_one_name_stay_apart_on_the_way(files: Certificates, tmp_path: Path) -> None:
    asked = interaction("many", "/many")
    asked["response"]["headers"] = {"X-Many": "a, b"}

    def with_two(request: Received) -> Reply:
        return Reply(200, {"path": request.path}, headers={"X-Many": "a", "x-many": "b"})

    file = written(tmp_path, asked)
    with Loopback(with_two, tls=files.server) as provider:
        command = (file, "--provider-base-url", provider.url, *READY)
        own = verify(tmp_path, *command, "--provider-ca-file", files.ca_file)
        core = verify(tmp_path, *command, *BY_CORE, SSL_CERT_FILE=str(files.ca_file))
    assert own.report["interactions"][0]["mismatches"] == core.report["interactions"][0]["mismatches"]
    assert own.code == core.code


def test_a_provider_is_shown_a_certificate_and_nobody_its_password(
    files: Certificates, tmp_path: Path
) -> None:
    file = written(tmp_path, interaction("a", "/a", state="one"), interaction("b", "/b"))
    trusted = ("--provider-ca-file", files.ca_file)
    certificate = ("--provider-client-certificate", files.client_certificate)
    with Loopback(answer, tls=files.strict_server) as provider:
        states = ("--provider-states-setup-url", f"{provider.url}/_states")
        command = (file, "-v", "--provider-base-url", provider.url, *READY, *states, *trusted)
        done = verify(
            tmp_path,
            *(*command, *certificate, "--provider-client-key", files.client_key),
            PACT_PROVIDER_CLIENT_KEY_PASSWORD=PASSWORD + "\n",
        )
        assert done.code == 0, done
        assert [path for _, path, *_ in asked_for(provider)] == ["/_states", "/a", "/_states", "/b"]
        shown = (done.out + done.err + json.dumps(done.report)).encode()
        assert found_in(shown, {"password": traces(PASSWORD)}) == []
        assert "--provider-client-key-password = ***" in done.err

        without = verify(tmp_path, *command, "--wait", 2)
        assert without.code == 3, without
        assert without.report["error"]["kind"] == "provider-not-ready"
        assert "--provider-client-certificate" in without.report["error"]["message"]


@pytest.mark.parametrize(
    ("option", "variables"),
    [(("--disable-ssl-verification",), {}), ((), {"PACT_DISABLE_SSL_VERIFICATION": "true"})],
)
def test_the_certificates_of_the_provider_go_unchecked_where_that_is_wanted_and_said(
    option: tuple[str, ...], variables: dict[str, str], files: Certificates, tmp_path: Path
) -> None:
    file = varied(tmp_path)
    with Loopback(answer, tls=files.server) as provider:
        states = ("--provider-states-setup-url", f"{provider.url}/_states")
        command = (file, "--provider-base-url", provider.url, *READY, *states)
        done = verify(tmp_path, *command, *option, **variables)
        assert done.code == 1, done
        assert [one["outcome"] for one in done.report["interactions"]] == ["passed"] * 7 + ["failed"]
        assert any("were not checked (--disable-ssl-verification)" in note for note in done.report["notes"])
        theirs = ("--disable-ssl-verification", "--filter-description", "asked")
        assert pact_verifier(file, provider.url, *theirs).returncode == 0


def publishing(url: str) -> tuple[str, ...]:
    return ("--pact-broker-base-url", url, "--publish-verification-results", "--provider-app-version", "abc1")


def test_the_broker_has_an_authority_and_a_certificate_apart(
    files: Certificates, tmp_path: Path, broker: EmbeddedBroker, published: Publish
) -> None:
    path = published(pact(interaction("a", "/things/1")))

    def rewrite(content: bytes) -> bytes:
        return content.replace(proxy.url.replace("https:", "http:").encode(), proxy.url.encode())

    with FaultyBroker(broker.url, context=files.strict_server, rewrite=rewrite) as proxy:
        command = (proxy.url + path, "--provider-command", PROVIDER, *READY, *publishing(proxy.url))
        variables = {
            "PACT_BROKER_CA_FILE": str(files.ca_file),
            "PACT_BROKER_CLIENT_CERTIFICATE": str(files.client_certificate),
            "PACT_BROKER_CLIENT_KEY": str(files.client_key),
            "PACT_BROKER_CLIENT_KEY_PASSWORD": PASSWORD,
        }
        done = verify(tmp_path, *command, **variables)
        assert done.code == 0, done
        assert done.report["published"]["success"] is True

        of_the_provider = {name.replace("_BROKER_", "_PROVIDER_"): text for name, text in variables.items()}
        other = verify(tmp_path, *command, **of_the_provider)
        assert other.code == 3, other
        assert "--broker-ca-file" in other.report["error"]["message"]


def test_the_brokers_certificate_is_checked_whatever_is_not(
    files: Certificates, tmp_path: Path, broker: EmbeddedBroker, published: Publish
) -> None:
    path = published(pact(interaction("a", "/things/1")))
    with FaultyBroker(broker.url, context=files.server) as proxy:
        command = (proxy.url + path, "--provider-command", PROVIDER, *READY, *publishing(proxy.url))
        done = verify(tmp_path, *command, "--disable-ssl-verification", PACT_BROKER_TOKEN=canary())
    assert done.code == 3, done
    assert "The broker's certificate is always checked" in done.report["error"]["message"]
    assert not proxy.seen


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--provider-ca-file", "nowhere"), "--provider-ca-file: there is no file"),
        (("--provider-ca-file", "{key}"), "--provider-ca-file: .* has no certificates in PEM"),
        (("--provider-client-key", "{key}"), "are for --provider-client-certificate, which is not given"),
        (
            ("--provider-client-certificate", "{certificate}", "--provider-client-key", "{key}"),
            "--provider-client-certificate: .*the password is not that of the key",
        ),
        (
            ("--provider-client-certificate", "{certificate}"),
            "--provider-client-certificate: .*can't be used",
        ),
        (
            ("--provider-ca-file", "{ca}", "--disable-ssl-verification"),
            "--disable-ssl-verification not to check: give one of the two",
        ),
        (("--broker-ca-file", "{ca}"), "but not whose: give --pact-broker-base-url"),
    ],
)
def test_files_that_can_not_be_used_are_refused_before_anything_is_asked(
    options: tuple[str, ...], said: str, files: Certificates, tmp_path: Path
) -> None:
    names = {"key": files.client_key, "certificate": files.client_certificate, "ca": files.ca_file}
    file = written(tmp_path, interaction("a", "/a"))
    given = [option.format(**names) for option in options]
    with Loopback(answer) as provider:
        done = verify(tmp_path, file, "--provider-base-url", provider.url, *given)
    assert done.code == 2, done
    assert re.search(said, done.err)
    assert not provider.received
