"""Everything on one machine, from a published pact to `can-i-deploy`: `make demo`.

A consumer publishes its pact with the real `pact` client; the broker's webhook, as an old guide shows it, sends a
`repository_dispatch` to the receiver; the receiver verifies that pact against the running provider and
publishes the result; `can-i-deploy` says yes. Then the consumer expects something that the provider doesn't have, and
`can-i-deploy` says no.

`make demo KEEP=1` leaves everything running, and prints the addresses, and the token to sign in to the dashboard with.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import requests
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).resolve().parent
BIN = Path(sys.executable).parent
PACT_FILE = HERE / "storefront-products.json"
PROVIDER_VERSION = "3f2c9d1e5a7b8c9d0e1f2a3b4c5d6e7f8a9b0c1d"
REPOSITORY = "acme/products"
START_SECONDS = 60.0
RUN_SECONDS = 30.0
TIMEOUT = 10.0

OLD_GUIDE_WEBHOOK = {
    "description": "Trigger the verification of Products",
    "provider": {"name": "Products"},
    "events": [{"name": "contract_content_changed"}],
    "request": {
        "method": "POST",
        "url": "RECEIVER/repos/acme/products/dispatches",
        "headers": {
            "Content-Type": "application/json",
            "Accept": "application/vnd.github.everest-preview+json",
            "Authorization": "Bearer ${user.githubToken}",
        },
        "body": {"event_type": "pact_changed", "client_payload": {"pact_url": "${pactbroker.pactUrl}"}},
    },
}
"""As guides show it for GitHub; only the host is another one."""

CONFIGURATION = """\
[broker]
url = "{broker}"

[server]
public_url = "{receiver}"

[[providers]]
name = "Products"
repository = "{repository}"
base_url = "{provider}"
version = "{version}"
branch = "main"
states_setup_url = "{provider}/_states"
health_path = "/health"
"""

console = Console(highlight=False, soft_wrap=True)


class DemoFailed(Exception):
    """A step of the demo failed."""


@dataclass(frozen=True)
class Place:
    """The URLs, tokens and files of the demo.

    Attributes:
        broker: The URL of the Pact Broker.
        provider: The URL of the provider.
        receiver: The URL of the receiver.
        token: The token for dispatches, which the broker keeps as a secret.
        api_token: The token for the receiver's `/api`.
        folder: The folder for files.
    """

    broker: str
    provider: str
    receiver: str
    token: str
    api_token: str
    folder: Path


def main() -> int:
    parser = argparse.ArgumentParser(description="Show everything, from a changed pact to can-i-deploy.")
    parser.add_argument("--keep", action="store_true", help="leave everything running, until Ctrl-C")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that everything that was started is stopped
    started = time.monotonic()
    with ExitStack() as stack:
        try:
            place = start(stack)
            demonstrate(place)
        except DemoFailed as error:
            console.print(f"\n[bold red]The demo did not go as it should:[/] {error}")
            return 1
        console.print(f"\n[bold green]All as it should be.[/] {time.monotonic() - started:.0f} s in all.")
        if options.keep:
            keep(place)
    console.print("Everything is stopped. Next: README.md, or .venv/bin/pact-dispatch --help")
    return 0


def demonstrate(place: Place) -> None:
    heading(2, "A webhook, as an old guide shows it for GitHub, with another host; its token is a secret")
    create_webhook(place)

    heading(3, "The consumer Storefront publishes its pact with Products; everything else happens by itself")
    follow(place, PACT_FILE, "1.0.0", outcome="passed")
    can_i_deploy(place, "1.0.0", expected=0)

    heading(4, "The consumer changes its mind: it now expects a rating with each product")
    changed = place.folder / "changed.json"
    document = with_rating(json.loads(PACT_FILE.read_text(encoding="utf-8")))
    changed.write_text(json.dumps(document), encoding="utf-8")
    run = follow(place, changed, "1.1.0", outcome="failed")
    show_failures(run)
    can_i_deploy(place, "1.1.0", expected=1)


def with_rating(pact: dict[str, Any]) -> dict[str, Any]:
    """Return the pact with a rating in each product."""
    for interaction in pact["interactions"]:
        if interaction["description"] == "a request for a product":
            interaction["response"]["body"]["rating"] = 4.5
    return pact


def heading(number: int, text: str) -> None:
    console.print(f"\n[bold cyan]{number}. {text}[/]\n")


def start(stack: ExitStack) -> Place:
    """Start the broker, the provider and the receiver; the stack stops them."""
    heading(1, "A Pact Broker, the provider Products, and the receiver with its worker and its PostgreSQL")
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pact-dispatch-demo-")))
    folder.chmod(0o755)  # if root runs this, PostgreSQL runs as another user, who needs access to its data
    token, api_token = secrets.token_hex(16), secrets.token_hex(16)
    environment = {"PACT_DISPATCH_TOKENS": f"broker:{token}", "PACT_DISPATCH_API_TOKENS": f"demo:{api_token}"}
    port = free_port()
    receiver = f"http://127.0.0.1:{free_port()}"
    broker = stack.enter_context(
        process(
            [
                *(str(BIN / "pact-dispatch"), "broker", "--bind", "127.0.0.1:0"),
                *("--database", str(folder / "broker.sqlite3")),
                *("--webhook-hosts", "127.0.0.1", "--webhook-schemes", "http,https"),
            ],
            folder / "broker.log",
        )
    )
    provider_log = folder / "provider.log"
    stack.enter_context(
        process([sys.executable, str(HERE / "products.py")], provider_log, {"PORT": str(port)}, listens=False)
    )
    provider = f"http://127.0.0.1:{port}"
    configuration = folder / "pact-dispatch.toml"
    configuration.write_text(
        CONFIGURATION.format(
            broker=broker,
            receiver=receiver,
            provider=provider,
            repository=REPOSITORY,
            version=PROVIDER_VERSION,
        ),
        encoding="utf-8",
    )
    console.print(configuration.read_text(encoding="utf-8"), style="dim", markup=False)
    stack.enter_context(
        process(
            [
                *(str(BIN / "pact-dispatch"), "serve", "--config", str(configuration)),
                *("--data-dir", str(folder / "data"), "--bind", receiver.removeprefix("http://")),
            ],
            folder / "receiver.log",
            environment,
        )
    )
    place = Place(broker, provider, receiver, token, api_token, folder)
    wait_until_ready(place)
    for name, url in (("broker", broker), ("provider", provider), ("receiver", receiver)):
        console.print(f"The {name} is at {url}")
    return place


def wait_until_ready(place: Place) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        try:
            provider_up = requests.get(f"{place.provider}/health", timeout=TIMEOUT).ok
            if provider_up and requests.get(f"{place.receiver}/readyz", timeout=TIMEOUT).ok:
                return
        except requests.ConnectionError:
            pass
        time.sleep(0.05)
    log = (place.folder / "receiver.log").read_text(encoding="utf-8")
    raise DemoFailed(f"the receiver or the provider did not become ready:\n{log}")


def create_webhook(place: Place) -> None:
    requests.post(f"{place.broker}/pacticipants", json={"name": "Products"}, timeout=TIMEOUT)
    secret = {"name": "githubToken", "description": "may dispatch to acme/products", "value": place.token}
    answer = requests.post(f"{place.broker}/secrets", json=secret, timeout=TIMEOUT)
    if answer.status_code != 201:
        raise DemoFailed(f"the broker answered {answer.status_code} to the secret: {answer.text}")
    text = json.dumps(OLD_GUIDE_WEBHOOK).replace("RECEIVER", place.receiver)
    console.print(f"[dim]POST[/] {place.broker}/webhooks")
    console.print_json(text)
    answer = requests.post(
        f"{place.broker}/webhooks", data=text, headers={"Content-Type": "application/json"}, timeout=TIMEOUT
    )
    if answer.status_code != 201:
        raise DemoFailed(f"the broker answered {answer.status_code} to the webhook: {answer.text}")


def follow(place: Place, pact: Path, version: str, *, outcome: str) -> dict[str, Any]:
    """Publish a pact, wait for the run that its webhook starts, and show how long each step took."""
    known = {run["id"] for run in api(place, "/api/runs")["items"]}
    published = datetime.now(UTC)
    command = [str(BIN / "pact"), "broker", "publish", str(pact), "--consumer-app-version", version]
    run([*command, "--branch", "main", "--broker-base-url", place.broker], expected=0)
    summary = wait_for_run(place, known)
    found = api(place, f"/api/runs/{summary['id']}")
    if found["outcome"] != outcome:
        raise DemoFailed(f"the run's outcome is {found['outcome']}, not {outcome}: {found['error']}")
    delivery = api(place, f"/api/deliveries/{found['deliveries'][0]}")
    result = requests.get(found["result_url"], timeout=TIMEOUT).json()
    if result["success"] is not (outcome == "passed"):
        raise DemoFailed(f"the broker has recorded success: {result['success']}")
    steps = [
        (
            "the webhook's dispatch arrived, was stored and queued, and answered with 204",
            delivery["received_at"],
        ),
        ("a worker took the run up", found["started_at"]),
        (f"verified: {outcome}, {len(found['interactions'])} interactions", found["verified_at"]),
        ("the broker confirmed the result", found["finished_at"]),
    ]
    timeline = Table("ms", "since the last", "", box=None, header_style="dim", pad_edge=False)
    timeline.add_row("0", "", f"the pact client was started to publish version {version}")
    last = 0.0
    for text, moment in steps:
        milliseconds = (datetime.fromisoformat(moment) - published).total_seconds() * 1000
        timeline.add_row(f"{milliseconds:.0f}", f"+{milliseconds - last:.0f}", text)
        last = milliseconds
    console.print()
    console.print(timeline)
    console.print(f"\nThe result in the broker: {found['result_url']}", markup=False)
    return found


def wait_for_run(place: Place, known: set[str]) -> dict[str, Any]:
    end = time.monotonic() + RUN_SECONDS
    while time.monotonic() < end:
        for found in api(place, "/api/runs")["items"]:
            if found["id"] not in known and found["status"] == "finished":
                summary: dict[str, Any] = found
                return summary
        time.sleep(0.02)
    log = (place.folder / "receiver.log").read_text(encoding="utf-8")
    raise DemoFailed(f"the webhook started no run that finished:\n{log}")


def show_failures(run: dict[str, Any]) -> None:
    for interaction in run["interactions"]:
        if interaction["outcome"] == "failed":
            console.print(f"\n[red]failed[/] {interaction['description']}")
            for mismatch in interaction["mismatches"]:
                console.print(f"  {mismatch['description']}", markup=False)


def can_i_deploy(place: Place, version: str, *, expected: int) -> None:
    console.print("\nMay this version of the consumer be deployed with that provider?\n")
    command = [str(BIN / "pact"), "broker", "can-i-deploy", "--broker-base-url", place.broker]
    command += ["--pacticipant", "Storefront", "--version", version]
    run([*command, "--pacticipant", "Products", "--version", PROVIDER_VERSION], expected=expected)


def keep(place: Place) -> None:
    """Leave everything running until Ctrl-C."""
    console.print(f"\nEverything is still running:\n  broker    {place.broker}\n  provider  {place.provider}")
    console.print(f"  receiver  {place.receiver}\n  files     {place.folder}\n")
    console.print(
        f"The dashboard is at [bold]{place.receiver}/[/]: sign in with the token [bold]{place.api_token}[/]\n"
    )
    console.print(
        f"curl -H 'Authorization: Bearer {place.api_token}' {place.receiver}/api/runs", markup=False
    )
    console.print("\nCtrl-C stops it.")
    try:
        while True:
            signal.pause()
    except KeyboardInterrupt:
        console.print()


def run(command: list[str], *, expected: int) -> None:
    """Print a command, run it, and check its exit code."""
    shown = [word.replace(str(BIN) + os.sep, "").replace(str(HERE.parent) + os.sep, "") for word in command]
    console.print("[dim]$[/] " + " ".join(f"'{word}'" if " " in word else word for word in shown))
    done = subprocess.run(command, env={**os.environ, "PACT_DO_NOT_TRACK": "true"}, check=False)
    if done.returncode != expected:
        raise DemoFailed(f"{shown[0]} ended with exit code {done.returncode}, not {expected}")


def api(place: Place, path: str) -> dict[str, Any]:
    """Send a request to the receiver's API."""
    headers = {"Authorization": f"Bearer {place.api_token}"}
    answer = requests.get(f"{place.receiver}{path}", headers=headers, timeout=TIMEOUT)
    answer.raise_for_status()
    document: dict[str, Any] = answer.json()
    return document


@contextmanager
def process(
    command: list[str], log: Path, environment: dict[str, str] | None = None, *, listens: bool = True
) -> Iterator[str]:
    """Run a process until the end of the block, and return its URL from the line that it prints."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PACT_")}
    kept.pop("DATABASE_URL", None)
    with (
        log.open("w") as errors,
        subprocess.Popen(
            command,
            stdout=subprocess.PIPE if listens else errors,
            stderr=errors,
            text=True,
            env={**kept, "PACT_DO_NOT_TRACK": "true", **(environment or {})},
            start_new_session=True,  # Ctrl-C is for the demo, which stops them in order
        ) as running,
    ):
        try:
            yield listening_url(running, log) if listens else ""
        finally:
            running.terminate()


def listening_url(running: subprocess.Popen[str], log: Path) -> str:
    assert running.stdout is not None
    with selectors.DefaultSelector() as selector:
        selector.register(running.stdout, selectors.EVENT_READ)
        if selector.select(START_SECONDS):
            line = running.stdout.readline()
            if " listening on " in line:
                return line.split(" listening on ", 1)[1].split(",", 1)[0].strip()
    raise DemoFailed(f"{running.args!r} did not start: {log.read_text(encoding='utf-8')}")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    sys.exit(main())
