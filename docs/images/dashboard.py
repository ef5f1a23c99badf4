"""Make the images of the dashboard: a broker, two providers and a receiver, with what happened to some pacts.

Nothing is made up: each pact is published to the broker at home, whose webhook sends a dispatch to the receiver.
"""

from __future__ import annotations

import copy
import json
import os
import re
import secrets
import signal
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import requests

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
CONFIGURATION = """\
[broker]
url = "{broker}"

[server]
public_url = "{receiver}"

[worker]
stop_seconds = 1.0
retry_seconds = [600]

[[providers]]
name = "Products"
repository = "acme/products"
base_url = "{products}"
version = "3f2c9d1e5a7b8c9d0e1f2a3b4c5d6e7f8a9b0c1d"
branch = "main"
states_setup_url = "{products}/_states"
health_path = "/health"

[[providers]]
name = "Prices"
repository = "acme/prices"
base_url = "{prices}"
version = "b7d0e1f2a3b4c5d6e7f8a9b0c1d3f2c9d1e5a7b8"
branch = "main"
states_setup_url = "{prices}/_states"
health_path = "/health"

[[providers]]
name = "Stock"
repository = "acme/stock"
base_url = "http://127.0.0.1:9"
version = "9b0c1d3f2c9d1e5a7b8b7d0e1f2a3b4c5d6e7f8a"
branch = "main"
"""
PUBLISHED = (
    ("Storefront", "Products", "1.4.0"),
    ("Mobile app", "Products", "8.0.2"),
    ("Checkout", "Products", "2.11.0"),
    ("Storefront", "Prices", "1.4.0"),
    ("Checkout", "Prices", "2.11.0"),
    ("Storefront", "Products", "1.5.0"),
    ("Mobile app", "Stock", "8.0.2"),
)
"""The consumer, the provider and the consumer's version of each pact, in the order in which they are published."""
PAGES = {
    "overview": "/",
    "runs": "/runs",
    "run": None,
    "deliveries": "/deliveries",
    "provider": "/providers/Products",
    "pair": "/pairs?provider=Prices&consumer=Storefront",
    "queue": "/queue",
    "system": "/system",
}
"""The path of each page; that of a run is the path of one that failed."""
WITHIN_SECONDS = 60.0


@contextmanager
def process(command: list[str], log: Path, **environment: str) -> Iterator[str]:
    """Run a command until the block ends, and give the URL that it says it listens at."""
    with log.open("w") as output:
        started = subprocess.Popen(
            command, cwd=ROOT, stdout=output, stderr=subprocess.STDOUT, env={**os.environ, **environment}
        )
        try:
            yield wait(lambda: re.search(r"listening on (http://[^\s,]+)", log.read_text()))[1]
        finally:
            started.send_signal(signal.SIGTERM)
            started.wait()


def wait(condition: Any) -> Any:
    """Wait until something is so, and return it."""
    end = time.monotonic() + WITHIN_SECONDS
    while time.monotonic() < end:
        try:
            found = condition()
        except requests.ConnectionError:
            found = None
        if found:
            return found
        time.sleep(0.1)
    raise TimeoutError(f"not within {WITHIN_SECONDS:g} s")


@contextmanager
def world(folder: Path, free_port: Any) -> Iterator[tuple[str, str]]:
    """Have everything that the images show happen, and give the receiver's URL and a token for it."""
    folder.chmod(0o755)
    token, api_token = secrets.token_hex(16), secrets.token_hex(16)
    urls = {name: f"http://127.0.0.1:{free_port()}" for name in ("receiver", "products", "prices")}
    with ExitStack() as stack:
        dispatch = str(BIN / "pact-dispatch")
        broker = stack.enter_context(
            process(
                [
                    *(
                        dispatch,
                        "broker",
                        "--bind",
                        "127.0.0.1:0",
                        "--database",
                        str(folder / "home.sqlite3"),
                    ),
                    *("--webhook-hosts", "127.0.0.1", "--webhook-schemes", "http,https"),
                ],
                folder / "home.log",
            )
        )
        for name, broken in (("products", ""), ("prices", "price")):
            environment = {"PORT": urls[name].rpartition(":")[2], "PRODUCTS_BREAK": broken}
            provider = subprocess.Popen(
                [sys.executable, "examples/products.py"],
                cwd=ROOT,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env={**os.environ, **environment},
            )
            stack.callback(provider.terminate)
            wait(lambda url=urls[name]: requests.get(f"{url}/health", timeout=5).ok)
        configuration = folder / "pact-dispatch.toml"
        configuration.write_text(CONFIGURATION.format(broker=broker, **urls), encoding="utf-8")
        stack.enter_context(
            process(
                [
                    *(dispatch, "serve", "--config", str(configuration)),
                    *("--data-dir", str(folder / "data"), "--bind", urls["receiver"].removeprefix("http://")),
                ],
                folder / "receiver.log",
                PACT_DISPATCH_TOKENS=f"broker:{token}",
                PACT_DISPATCH_API_TOKENS=f"ann:{api_token}",
            )
        )
        make_webhooks(broker, urls["receiver"], token)
        publish_all(broker, urls["receiver"], api_token)
        for name, secret in (("acme/products", "no-token-of-anybody"), ("acme/warehouse", token)):
            requests.post(
                f"{urls['receiver']}/repos/{name}/dispatches",
                json={"event_type": "pact_changed", "client_payload": {"pact_url": f"{broker}/pacts/x"}},
                headers={"Authorization": f"Bearer {secret}"},
                timeout=30,
            )
        yield urls["receiver"], api_token


def make_webhooks(broker: str, receiver: str, token: str) -> None:
    """Have the broker send a dispatch for each changed pact."""
    for provider in ("Products", "Prices", "Stock"):
        requests.post(f"{broker}/pacticipants", json={"name": provider}, timeout=30)
        requests.post(
            f"{broker}/webhooks",
            json={
                "description": f"pact-dispatch: verify {provider}",
                "provider": {"name": provider},
                "events": [{"name": "contract_content_changed"}],
                "request": {
                    "method": "POST",
                    "url": f"{receiver}/repos/acme/{provider.lower()}/dispatches",
                    "headers": {"Content-Type": "application/json", "Authorization": f"Bearer {token}"},
                    "body": {
                        "event_type": "pact_changed",
                        "client_payload": {
                            "pact_url": "${pactbroker.pactUrl}",
                            "consumer_version_branch": "${pactbroker.consumerVersionBranch}",
                        },
                    },
                },
            },
            timeout=30,
        ).raise_for_status()


def publish_all(broker: str, receiver: str, api_token: str) -> None:
    """Publish each pact, and wait until its run has ended, or waits for another attempt."""
    pact = json.loads((ROOT / "examples/storefront-products.json").read_text(encoding="utf-8"))
    headers = {"Authorization": f"Bearer {api_token}"}
    for number, (consumer, provider, version) in enumerate(PUBLISHED):
        document: dict[str, Any] = copy.deepcopy(pact)
        document["consumer"]["name"], document["provider"]["name"] = consumer, provider
        if version == "1.5.0":  # it expects what Products has not
            for interaction in document["interactions"]:
                if interaction["description"] == "a request for a product":
                    interaction["response"]["body"]["rating"] = 4.5
        branch = "feat%2Frating" if version == "1.5.0" else "main"
        requests.put(
            f"{broker}/pacticipants/{consumer}/branches/{branch}/versions/{version}", json={}, timeout=30
        ).raise_for_status()
        requests.put(
            f"{broker}/pacts/provider/{provider}/consumer/{consumer}/version/{version}",
            json=document,
            timeout=30,
        ).raise_for_status()

        def has_ended(most: int = number + 1) -> bool:
            found = requests.get(f"{receiver}/api/runs", headers=headers, timeout=30).json()["items"]
            return len(found) >= most and all(
                one["status"] == "finished" or (one["status"] == "waiting" and one["error"]) for one in found
            )

        wait(has_ended)


def photograph(
    browser: Browser, folder: Path, free_port: Any, sizes: dict[str, tuple[int, int]], to: Path
) -> None:
    """Save what a browser shows of each page, at each of the widths, and of the overview in dark."""
    with world(folder, free_port) as (receiver, token):
        for size, (width, height) in sizes.items():
            page = browser.new_page(viewport={"width": width, "height": height})
            sign_in(page, receiver, token)
            for name, path in PAGES.items():
                page.goto(receiver + (path or path_of_failed_run(page, receiver)))
                page.screenshot(path=to / f"dashboard-{name}-{size}.png")
            page.emulate_media(color_scheme="dark")
            page.goto(receiver)
            page.screenshot(path=to / f"dashboard-dark-{size}.png")
            page.close()


def sign_in(page: Page, receiver: str, token: str) -> None:
    """Sign in with a token."""
    page.goto(receiver)
    page.get_by_label("API token").fill(token)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"{receiver}/")


def path_of_failed_run(page: Page, receiver: str) -> str:
    """Return the path of the page of the newest run that failed."""
    found = page.request.get(f"{receiver}/api/runs?outcome=failed&provider=Prices").json()["items"]
    return f"/runs/{found[0]['id']}"
