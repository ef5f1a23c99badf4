"""Pages of other sites neither change anything in the broker at home nor read from it; a real browser tries."""

from __future__ import annotations

import os
import subprocess
import tempfile
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.browser import CHROMIUM, needs_chromium
from tests.support.commands import pact_dispatch
from tests.support.loopback import LoopbackServer
from tests.support.processes import BrokerProcess, EmbeddedBroker
from tests.support.webhook_target import Target

if TYPE_CHECKING:
    from collections.abc import Iterator
    from http.server import BaseHTTPRequestHandler
    from pathlib import Path

PACT_PATH = "/pacts/provider/Bar/consumer/Foo/version/1"
FOREIGN = [
    {"Origin": "http://evil.example"},
    {"Origin": "http://127.0.0.1:1"},
    {"Origin": "null"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
]
run = partial(pact_dispatch, environment=os.environ)


@pytest.fixture(scope="module")
def target() -> Iterator[Target]:
    with Target() as listening:
        yield listening


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrokerProcess]:
    """A broker on loopback, without accounts, whose webhooks may be sent to loopback."""
    options = ("--webhook-hosts", "127.0.0.1", "--webhook-schemes", "http", "--log-level", "info")
    with BrokerProcess(tmp_path_factory.mktemp("alone"), *options) as running:
        yield running


def webhook(broker: EmbeddedBroker, target: Target) -> str:
    """Make a webhook, and return its path."""
    answer = broker.request(
        "POST",
        "/webhooks",
        json={
            "events": [{"name": "contract_published"}],
            "request": {"method": "POST", "url": f"{target.url}/hook"},
        },
    )
    assert answer.status_code == 201, answer.text
    location: str = answer.headers["Location"]
    return location.removeprefix(broker.url)


def reason(answer: Any) -> str:
    assert answer.status_code == 403, answer.text
    told: str = answer.json()["error"]
    return told


@pytest.mark.parametrize("headers", FOREIGN)
def test_a_foreign_page_changes_nothing(
    alone: BrokerProcess, target: Target, pact: dict[str, Any], headers: dict[str, str]
) -> None:
    told = reason(alone.request("PUT", PACT_PATH, json=pact, headers=headers))
    assert "may change nothing here" in told
    assert "--base-url" in told
    assert alone.get(PACT_PATH).status_code == 404
    hook = webhook(alone, target)
    reason(alone.request("POST", f"{hook}/execute", data={"a": "b"}, headers=headers))
    reason(alone.request("DELETE", hook, headers=headers))
    reason(alone.request("POST", "/pacts/provider/Bar/for-verification", json={}, headers=headers))
    assert target.received == []
    assert alone.get(hook, headers=headers).status_code == 200


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "OPTIONS"])
@pytest.mark.parametrize(
    "path", ["/", "/pacts/latest", PACT_PATH, "/diagnostic/status/heartbeat", "/nowhere"]
)
def test_under_a_foreign_host_name_nothing_is_read_or_written(
    alone: BrokerProcess, method: str, path: str
) -> None:
    answer = alone.request(method, path, headers={"Host": "evil.example:9292", "Accept": "text/html"})
    assert answer.status_code == 403
    if method != "HEAD":
        told = reason(answer)
        assert told.startswith("This broker is not known as evil.example:9292.")
        assert "--base-url" in told
        assert "--allowed-hosts" in told


@pytest.mark.parametrize("host", ["localhost:8080", "127.0.0.1", "[::1]:9292", "pact-broker.localhost:9292"])
def test_loopbacks_other_names_are_answered_also_through_a_forwarded_port(
    alone: BrokerProcess, host: str
) -> None:
    assert alone.get("/", headers={"Host": host}).status_code == 200
    headers = {"Host": host, "Origin": f"http://{host}", "Sec-Fetch-Site": "same-origin"}
    assert alone.request("PUT", "/pacticipants/Foo/versions/1", headers=headers).status_code in {200, 201}


def test_configured_names_are_answered(tmp_path: Path) -> None:
    options = (
        "--base-url",
        "https://broker.example.org/pacts",
        "--allowed-hosts",
        "Pacts.Example.ORG,10.0.0.7",
    )
    with EmbeddedBroker(tmp_path, *options) as broker:
        for host in ("broker.example.org", "pacts.example.org:81", "10.0.0.7:9292", "localhost"):
            assert broker.get("/", headers={"Host": host}).status_code == 200
        for host in ("evil.example", "10.0.0.8", "x.example.org"):
            assert "is not known as" in reason(broker.get("/", headers={"Host": host}))
        headers = {"Host": "127.0.0.1:9292", "Origin": "https://broker.example.org"}
        assert broker.request("PUT", "/pacticipants/Foo/versions/1", headers=headers).status_code == 201


def test_any_name_is_answered_where_that_is_wanted(tmp_path: Path) -> None:
    with EmbeddedBroker(tmp_path, "--allowed-hosts", "*") as broker:
        assert broker.get("/", headers={"Host": "evil.example"}).status_code == 200
        headers = {"Origin": "http://evil.example"}
        assert broker.request("PUT", "/pacticipants/Foo/versions/1", headers=headers).status_code == 403


def test_in_a_container_it_is_reached_by_its_services_name_and_address(tmp_path: Path) -> None:
    with BrokerProcess(tmp_path, "--bind", "0.0.0.0:0") as broker:
        url = broker.url.replace("0.0.0.0", "127.0.0.1")
        for host in ("pact-broker:9292", "172.17.0.2:9292", "localhost:9292", "broker.team.internal"):
            assert broker.get(url, headers={"Host": host}).status_code == 200, host
        assert broker.get(url, headers={"Host": "evil.example:9292"}).status_code == 403


def test_passwords_that_a_browser_keeps_serve_no_other_site(tmp_path: Path) -> None:
    file = tmp_path / "access.toml"
    file.write_text('[[users]]\nname = "ci"\npassword = "a-password"\naccess = "read-write"\n')
    file.chmod(0o600)
    with EmbeddedBroker(tmp_path, "--access", str(file)) as broker:
        for headers, status in ((FOREIGN[0], 403), ({}, 201)):
            answer = broker.request(
                "PUT", "/pacticipants/Foo/versions/1", headers=headers, auth=("ci", "a-password")
            )
            assert answer.status_code == status


@pytest.mark.parametrize("hosts", ["http://x", "x:9292", "a b", "", "x/y"])
def test_what_is_no_host_name_is_a_wrong_option(tmp_path: Path, hosts: str) -> None:
    done = run("broker", f"--allowed-hosts={hosts}", "--database", str(tmp_path / "x.sqlite3"))
    assert done.returncode == 2
    assert "--allowed-hosts" in done.stderr


class HostilePage(LoopbackServer):
    """A site whose page has its visitor's browser post a form and fetch."""

    def __init__(self, execute: str) -> None:
        super().__init__()
        self._page = f"""<title>before</title><iframe name=f></iframe>
            <form id=form target=f method=post action="{execute}?by=form"><input name=a></form>
            <script>
              form.submit();
              const request = new XMLHttpRequest();
              request.open("POST", "{execute}?by=script", false);
              try {{ request.send("a=b"); document.title = "read"; }} catch (error) {{ document.title = "sent"; }}
            </script>"""

    def serve(self, handler: BaseHTTPRequestHandler, body: bytes) -> None:
        del body
        content = self._page.encode()
        handler.send_response(200)
        handler.send_header("Content-Type", "text/html")
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content)


def chromium(*arguments: str, violates: str | None = None) -> str:
    """Run Chromium in a profile of its own, and return what it printed.

    Args:
        arguments: Its arguments.
        violates: The directive of a Content-Security-Policy that what it shows violates; None if it violates none.
    """
    assert CHROMIUM is not None
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        command = [
            CHROMIUM,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
        ]
        command += ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
        command += [f"--user-data-dir={profile}", "--enable-logging=stderr", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    violations = [line for line in done.stderr.splitlines() if "Content Security Policy" in line]
    if violates is None:
        assert not violations
    else:
        assert violates in "".join(violations), done.stderr
    assert done.returncode == 0, done.stderr
    return done.stdout


@needs_chromium
def test_a_page_on_another_port_executes_no_webhook(alone: BrokerProcess, target: Target) -> None:
    execute = f"{alone.url}{webhook(alone, target)}/execute"
    with HostilePage(execute) as page:
        shown = chromium("--dump-dom", page.url, violates="frame-ancestors")
    assert "<title>sent</title>" in shown
    for way in ("form", "script"):
        alone.wait_for_output(rf'"POST /webhooks/\S+/execute\?by={way} HTTP/1.1" 403')
    assert target.received == []


@needs_chromium
def test_a_site_that_rebinds_its_name_reads_nothing(alone: BrokerProcess) -> None:
    port = alone.url.rpartition(":")[2]
    shown = chromium(
        "--host-resolver-rules=MAP evil.example 127.0.0.1",
        "--dump-dom",
        f"http://evil.example:{port}/pacts/latest",
    )
    assert "This broker is not known as evil.example" in shown
    assert "_links" not in shown
