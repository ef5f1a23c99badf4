"""examples/deploy: the services of systemd, and a receiver behind a real nginx and a real Caddy, with TLS."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import re
import shutil
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
import requests
import trustme
from requests.adapters import HTTPAdapter

from app.command_line import parser
from tests.support.commands import pact_dispatch
from tests.support.loopback import closed_port
from tests.support.paths import DOCS, ROOT
from tests.support.processes import BIN, TIME_LIMIT
from tests.support.receiver import API_TOKEN, REPOSITORY, TOKEN, LocalReceiver, configuration, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DEPLOY = ROOT / "examples" / "deploy"
PAGES = {"systemd": "*.service", "proxy": "[!p]*"}
"""The pages, and which of the files they are about."""
SECRET = "the-secret-of-githubs-webhook"
PACT_URL = "http://127.0.0.1:9292/pacts/provider/Products/consumer/Storefront/latest"
CLIENT = "127.0.0.9"
"""The address of the client, which is not that of the proxy."""
PATH = "/pact-dispatch"
NGINX = """\
daemon off;
pid nginx.pid;
error_log stderr;
events {}
http {
    access_log off;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    %s
}
"""
SITE = "server { listen 443 ssl; ssl_certificate /etc/ssl/pact-dispatch/fullchain.pem;\n"
SITE += "ssl_certificate_key /etc/ssl/pact-dispatch/privkey.pem;\n%s}"


@pytest.mark.parametrize(("page", "pattern"), PAGES.items())
def test_the_page_shows_each_file_as_it_is(page: str, pattern: str) -> None:
    text = (DOCS / f"receiver-{page}.md").read_text(encoding="utf-8")
    files = sorted(DEPLOY.glob(pattern))
    assert files
    for file in files:
        link = f"[{file.name}](../examples/deploy/{file.name})"
        assert link in text
        shown = re.search(rf"^```\w+\n{re.escape(file.read_text(encoding='utf-8'))}```$", text, re.MULTILINE)
        assert shown is not None or file.name.startswith("pact-dispatch-"), file.name


@pytest.mark.parametrize("file", sorted(DEPLOY.glob("*.service")), ids=lambda file: file.name)
def test_systemd_takes_the_service_and_finds_it_well_closed(file: Path, tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("there is no systemd-analyze")
    unit = tmp_path / file.name
    text = file.read_text(encoding="utf-8")
    unit.write_text(text.replace("/opt/pact-dispatch/bin", str(BIN)), encoding="utf-8")
    for command in (["verify", str(unit)], ["security", "--offline=true", "--threshold=20", str(unit)]):
        done = subprocess.run(
            ["systemd-analyze", *command], capture_output=True, text=True, check=False, timeout=TIME_LIMIT
        )
        if "Unknown option" in done.stderr or "unrecognized option" in done.stderr:
            pytest.skip("this systemd-analyze is too old")
        assert done.returncode == 0, done.stdout + done.stderr
        assert str(unit) not in done.stderr, done.stderr


@pytest.mark.parametrize("file", sorted(DEPLOY.glob("*.service")), ids=lambda file: file.name)
def test_the_services_give_commands_that_there_are(file: Path) -> None:
    found = re.findall(r"^Exec\w+=/opt/pact-dispatch/bin/pact-dispatch (.*)$", file.read_text(), re.MULTILINE)
    assert found
    for command in found:
        assert parser().parse_args(command.split()).command == command.split()[0]


@dataclass(frozen=True)
class Proxied:
    """A receiver behind a proxy: where people reach it, and a client that does."""

    receiver: LocalReceiver
    url: str
    ca_file: Path
    client: requests.Session


class FromClient(HTTPAdapter):
    """Sends requests from the client's address."""

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        super().init_poolmanager(*arguments, **options, source_address=(CLIENT, 0))


def nginx(folder: Path, site: str, port: int) -> list[str]:
    text = re.sub(r"listen 443 ssl;", f"listen 127.0.0.1:{port} ssl;", site)
    text = re.sub(r"listen 80;", f"listen 127.0.0.1:{closed_port()};", text)
    text = text.replace("/etc/ssl/pact-dispatch", str(folder))
    (folder / "nginx.conf").write_text(NGINX % text, encoding="utf-8")
    return ["nginx", "-p", str(folder), "-c", str(folder / "nginx.conf")]


def caddy(folder: Path, site: str, port: int) -> list[str]:
    tls = f"tls {folder}/fullchain.pem {folder}/privkey.pem"
    text = re.sub(
        r"^\S+\.example\.org \{$", f"https://127.0.0.1:{port} {{\n\t{tls}", site, flags=re.MULTILINE
    )
    (folder / "Caddyfile").write_text("{\n\tadmin off\n\tauto_https off\n}\n" + text, encoding="utf-8")
    return ["caddy", "run", "--config", str(folder / "Caddyfile"), "--adapter", "caddyfile"]


WAYS = {
    "nginx": (nginx, "nginx.conf", ""),
    "nginx, under a path": (nginx, "nginx-path.conf", PATH),
    "caddy": (caddy, "Caddyfile", ""),
    "caddy, under a path": (caddy, "Caddyfile-path", PATH),
}


@contextmanager
def running(command: list[str], folder: Path, url: str, client: requests.Session) -> Iterator[None]:
    variables = {
        **os.environ,
        "HOME": str(folder),
        "XDG_DATA_HOME": str(folder),
        "XDG_CONFIG_HOME": str(folder),
    }
    with (folder / "proxy.log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, cwd=folder, env=variables)

    def answers() -> bool:
        assert process.poll() is None
        try:
            return client.get(f"{url}/healthz", timeout=TIME_LIMIT).status_code == 200
        except requests.ConnectionError:
            return False

    try:
        wait_until(answers, "the proxy answers", context=(folder / "proxy.log").read_text)
        yield
    finally:
        process.terminate()
        process.wait(TIME_LIMIT)


@pytest.fixture(params=WAYS)
def proxied(request: pytest.FixtureRequest, tmp_path: Path, database_url: str) -> Iterator[Proxied]:
    configure, name, path = WAYS[request.param]
    program = configure.__name__
    if shutil.which(program) is None:
        pytest.skip(f"there is no {program}")
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    for number, pem in enumerate(certificate.cert_chain_pems):
        pem.write_to_path(str(tmp_path / "fullchain.pem"), append=number > 0)
    certificate.private_key_pem.write_to_path(str(tmp_path / "privkey.pem"))
    port = closed_port()
    url = f"https://127.0.0.1:{port}{path}"
    text = configuration(
        "http://127.0.0.1:9292",
        {"base_url": "http://127.0.0.1:1", "version": "1"},
        server={"public_url": f"{url}/", "trusted_proxies": ["127.0.0.1"]},
    )
    site = (DEPLOY / name).read_text(encoding="utf-8")
    site = SITE % site if name == "nginx-path.conf" else site
    with LocalReceiver(
        tmp_path,
        text,
        command="web",
        database_url=database_url,
        environment={"PACT_DISPATCH_WEBHOOK_SECRET": SECRET},
    ) as receiver:
        command = configure(
            tmp_path, site.replace("127.0.0.1:8000", receiver.url.removeprefix("http://")), port
        )
        with requests.Session() as client:
            client.trust_env = False
            client.verify = str(tmp_path / "ca.pem")
            client.mount("https://", FromClient())
            with running(command, tmp_path, url, client):
                yield Proxied(receiver, url, tmp_path / "ca.pem", client)


def test_all_of_a_receiver_works_behind_a_proxy(proxied: Proxied) -> None:
    url, client = proxied.url, proxied.client
    reading = {"Authorization": f"Bearer {API_TOKEN}"}

    def get(address: str) -> requests.Response:
        return client.get(address, headers=reading, timeout=TIME_LIMIT)

    def post(address: str, body: bytes, **headers: str) -> requests.Response:
        given = {"Content-Type": "application/json", **headers}
        return client.post(address, data=body, headers=given, timeout=TIME_LIMIT)

    dispatch = {"event_type": "pact_changed", "client_payload": {"pact_url": PACT_URL}}
    body = json.dumps(dispatch).encode()
    address = f"{url}/repos/{REPOSITORY}/dispatches"
    sent = post(address, body, Authorization=f"Bearer {TOKEN}", **{"X-Forwarded-For": "203.0.113.7"})
    assert sent.status_code == 204, sent.text

    # the client's own address, whatever it says itself
    delivery = get(f"{url}/api/deliveries/{sent.headers['X-GitHub-Request-Id']}").json()
    assert delivery["address"] == CLIENT

    # signed by GitHub
    event = {"action": "pact_changed", "client_payload": {"pact_url": PACT_URL}, "branch": "main"}
    event |= {"repository": {"full_name": REPOSITORY}}
    signed = json.dumps(event).encode()
    signature = "sha256=" + hmac.new(SECRET.encode(), signed, hashlib.sha256).hexdigest()
    told = {
        "X-Hub-Signature-256": signature,
        "X-GitHub-Event": "repository_dispatch",
        "X-GitHub-Delivery": "1",
    }
    assert post(f"{url}/github/events", signed, **told).status_code == 204

    # links to more, and to what was made
    first = get(f"{url}/api/deliveries?limit=1").json()
    assert first["next"].startswith(f"{url}/api/deliveries?")
    assert get(first["next"]).json()["items"][0]["id"] != first["items"][0]["id"]
    again = post(f"{url}/api/deliveries/{delivery['id']}/redeliver", b"", **reading)
    assert again.status_code == 201, again.text
    assert again.headers["Location"].startswith(f"{url}/api/deliveries/")
    assert get(again.headers["Location"]).json()["source"] == "redelivery"
    assert get(f"{url}/openapi.json").json()["servers"] == [{"url": url}]

    # the page of a run, for a browser: no link leads beside the path
    [run] = get(f"{url}/api/runs").json()["items"]
    refused = client.get(f"{url}/runs/{run['id']}", timeout=TIME_LIMIT)
    assert (refused.status_code, "WWW-Authenticate" in refused.headers) == (401, True)
    page = client.get(f"{url}/runs/{run['id']}", auth=("me", API_TOKEN), timeout=TIME_LIMIT)
    assert page.status_code == 200
    links = re.findall(r'(?:href|src|action)="(/[^"]*)"', page.text)
    assert [link for link in links if not link.startswith(f"{urlsplit(url).path}/")] == []

    # its own pages may change something, and no others
    origin = url.removesuffix(PATH)
    assert post(f"{url}/api/runs/{run['id']}/cancel", b"", Origin=origin, **reading).status_code in {
        200,
        202,
        409,
    }
    foreign = post(f"{url}/api/runs/{run['id']}/cancel", b"", Origin="https://example.org", **reading)
    assert foreign.status_code == 403

    # the commands that ask a receiver
    variables = {"PACT_DISPATCH_API_TOKEN": API_TOKEN, "REQUESTS_CA_BUNDLE": str(proxied.ca_file)}
    listed = pact_dispatch("deliveries", "list", "--receiver-url", url, environment=variables)
    assert listed.returncode == 0, listed
    assert delivery["id"] in listed.stdout
    del variables["REQUESTS_CA_BUNDLE"]
    unknown = pact_dispatch("deliveries", "list", "--receiver-url", url, environment=variables)
    assert unknown.returncode == 3
    assert "It is up: have this command trust its certificate: REQUESTS_CA_BUNDLE" in unknown.stderr
