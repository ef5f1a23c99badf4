"""The demonstration: a pact changes, and is verified at once; then it changes for the worse.

    make demo

Everything is real: a Pact Broker (the embedded one) with a webhook, the `pact` client that consumers publish with, a
provider, `verify`. Only GitHub's part is played, by a listener that takes what the webhook sends. It exits 0 when all
went as it should, and stops everything that it started.
"""

from __future__ import annotations

import json
import os
import queue
import selectors
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import requests
from rich.console import Console

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).resolve().parent
BIN = Path(sys.executable).parent
PACT_FILE = HERE / "storefront-products.json"
PROVIDER_VERSION = "3f2c9d1"
START_SECONDS = 20.0
DELIVERY_SECONDS = 20.0

console = Console(highlight=False, soft_wrap=True)


class DemoFailed(Exception):
    """Something did not go as it should."""


def main() -> int:
    started = time.monotonic()
    try:
        with (
            tempfile.TemporaryDirectory(prefix="pact-dispatch-demo-") as folder,
            broker(Path(folder)) as url,
            Listener() as listener,
        ):
            demonstrate(url, listener, Path(folder))
    except DemoFailed as error:
        console.print(f"\n[bold red]The demo did not go as it should:[/] {error}")
        return 1
    console.print(
        f"\n[bold green]All as it should be.[/] {time.monotonic() - started:.0f} s; everything is stopped."
    )
    console.print("Next: README.md, or .venv/bin/verify --help")
    return 0


def demonstrate(broker_url: str, listener: Listener, folder: Path) -> None:
    heading(1, "The provider Products wants to be told when a pact with it changes")
    create_webhook(broker_url, listener)

    heading(2, "The consumer Storefront publishes its pact with Products, and the webhook tells")
    publish(PACT_FILE, "1.0.0", broker_url)
    pact_url = listener.told_pact_url()

    heading(
        3, "That pact is verified against the provider, which is started for it, and the result is published"
    )
    result = verify(pact_url, broker_url, folder, expected=0)
    show_result(result, success=True)
    can_i_deploy("1.0.0", broker_url, expected=0)

    heading(4, "The consumer changes its mind: it now expects a rating with each product")
    changed = folder / "changed.json"
    changed.write_text(
        json.dumps(with_rating(json.loads(PACT_FILE.read_text(encoding="utf-8")))), encoding="utf-8"
    )
    publish(changed, "1.1.0", broker_url)
    pact_url = listener.told_pact_url()

    heading(5, "Verified at once: the provider sends no rating, and the report leads to the cause")
    result = verify(pact_url, broker_url, folder, expected=1)
    show_result(result, success=False)
    can_i_deploy("1.1.0", broker_url, expected=1)


def with_rating(pact: dict[str, Any]) -> dict[str, Any]:
    """Change the pact: a product has a rating."""
    for interaction in pact["interactions"]:
        if interaction["description"] == "a request for a product":
            interaction["response"]["body"]["rating"] = 4.5
    return pact


def heading(number: int, text: str) -> None:
    console.print(f"\n[bold cyan]{number}. {text}[/]\n")


def run(command: list[str], *, expected: int, environment: dict[str, str] | None = None) -> None:
    """Show a command, run it, and make sure of how it ends."""
    shown = [word.replace(str(BIN) + os.sep, "").replace(str(HERE.parent) + os.sep, "") for word in command]
    console.print(
        "[dim]$[/] " + " ".join(f"'{word}'" if " " in word else word for word in shown), markup=True
    )
    done = subprocess.run(
        command, env={**os.environ, "PACT_DO_NOT_TRACK": "true", **(environment or {})}, check=False
    )
    if done.returncode != expected:
        raise DemoFailed(f"{shown[0]} ended with exit code {done.returncode}, not {expected}")


def create_webhook(broker_url: str, listener: Listener) -> None:
    """Create the webhook as guides show it: a `repository_dispatch` with the changed pact's URL."""
    webhook = {
        "description": "verify Products",
        "provider": {"name": "Products"},
        "events": [{"name": "contract_content_changed"}],
        "request": {
            "method": "POST",
            "url": f"{listener.url}/repos/acme/products/dispatches",
            "headers": {"Content-Type": "application/json", "Accept": "application/vnd.github+json"},
            "body": {"event_type": "pact_changed", "client_payload": {"pact_url": "${pactbroker.pactUrl}"}},
        },
    }
    requests.post(f"{broker_url}/pacticipants", json={"name": "Products"}, timeout=10).raise_for_status()
    console.print(f"[dim]POST[/] {broker_url}/webhooks")
    console.print_json(json.dumps(webhook))
    answer = requests.post(f"{broker_url}/webhooks", json=webhook, timeout=10)
    if answer.status_code != 201:
        raise DemoFailed(f"the broker answered {answer.status_code}: {answer.text}")
    console.print(f"The webhook is {answer.headers['Location']}")


def publish(pact: Path, version: str, broker_url: str) -> None:
    command = [str(BIN / "pact"), "broker", "publish", str(pact), "--consumer-app-version", version]
    command += ["--branch", "main", "--broker-base-url", broker_url]
    run(command, expected=0)


def verify(pact_url: str, broker_url: str, folder: Path, *, expected: int) -> dict[str, Any]:
    report = folder / "report.json"
    command = [str(BIN / "verify"), "--pact-url", pact_url, "--pact-broker-base-url", broker_url]
    command += ["--provider-command", f"{sys.executable} {HERE / 'products.py'}"]
    command += ["--provider-health-path", "/health"]
    command += ["--provider-states-setup-url", "http://127.0.0.1:{port}/_states"]
    command += ["--provider-app-version", PROVIDER_VERSION, "--provider-version-branch", "main"]
    command += ["--publish-verification-results", "--json", str(report)]
    run(command, expected=expected)
    loaded: dict[str, Any] = json.loads(report.read_text(encoding="utf-8"))
    return loaded


def show_result(report: dict[str, Any], *, success: bool) -> None:
    """Ask the broker what it has recorded."""
    url = report["published"]["url"]
    recorded = requests.get(url, timeout=10).json()
    console.print(f"\nThe broker has, at {url}:")
    for key in ("providerName", "providerApplicationVersion", "success", "verificationDate"):
        console.print(f"  {key}: {json.dumps(recorded[key])}", markup=False)
    if recorded["success"] is not success:
        raise DemoFailed(f"the broker has recorded success: {recorded['success']}")


def can_i_deploy(version: str, broker_url: str, *, expected: int) -> None:
    console.print("\nMay this version of the consumer be deployed with that provider?\n")
    command = [str(BIN / "pact"), "broker", "can-i-deploy", "--broker-base-url", broker_url]
    command += ["--pacticipant", "Storefront", "--version", version]
    command += ["--pacticipant", "Products", "--version", PROVIDER_VERSION]
    run(command, expected=expected)


class Listener:
    """Takes the webhook's requests on loopback, in GitHub's place."""

    def __init__(self) -> None:
        self._dispatches: queue.Queue[dict[str, Any]] = queue.Queue()
        kept = self._dispatches

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                kept.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response_only(204)
                self.end_headers()

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def told_pact_url(self) -> str:
        """Wait for the next dispatch, and return the URL of the pact that changed."""
        try:
            dispatch = self._dispatches.get(timeout=DELIVERY_SECONDS)
        except queue.Empty:
            raise DemoFailed("the webhook did not arrive") from None
        console.print("\nThe webhook has sent this:")
        console.print_json(json.dumps(dispatch))
        return str(dispatch["client_payload"]["pact_url"])


@contextmanager
def broker(folder: Path) -> Iterator[str]:
    """Run the embedded broker on a free port; gives its URL."""
    console.print("Starting a Pact Broker (the embedded one, for development) ...")
    command = [str(BIN / "pact-dispatch"), "broker", "--bind", "127.0.0.1:0"]
    command += ["--database", str(folder / "broker.sqlite")]
    command += ["--webhook-hosts", "127.0.0.1", "--webhook-schemes", "http,https"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield listening_url(process)
        finally:
            process.terminate()


def listening_url(process: subprocess.Popen[str]) -> str:
    """Read where it listens from the line that it prints when it does."""
    assert process.stdout is not None
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        if selector.select(START_SECONDS):
            line = process.stdout.readline()
            if " listening on " in line:
                return line.split(" listening on ", 1)[1].split(",", 1)[0]
    raise DemoFailed("the broker did not start")


if __name__ == "__main__":
    sys.exit(main())
