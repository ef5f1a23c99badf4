"""Each page in a real Chromium, with names and versions as long as they come: it fits, and all can use it."""

from __future__ import annotations

import copy
import re
from typing import TYPE_CHECKING, Any

import pytest

from tests.broker.embedded.conftest import example
from tests.support.axe import findings
from tests.support.browser import needs_chromium
from tests.support.chromium import chromium
from tests.support.processes import EmbeddedBroker
from tests.support.webhook_documents import OPEN, create, wait_for, webhook
from tests.support.webhook_target import Target

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page

pytestmark = needs_chromium

CONSUMER = "payments-settlement-reconciliation-service"
PROVIDER = "AccountsLedgerOfTheWholeCompanyWithoutAnyBlank"
BRANCH = "feature/PAY-12345-settle-again-when-the-ledger-timed-out"
BUILD = f"https://ci.example.org/acme/{CONSUMER}/actions/runs/1234567890/attempts/1?check_suite_focus=true"
COMMIT_ID = re.compile(r"\b[0-9a-f]{40}\b")
PACT = f"/pacts/provider/{PROVIDER}/consumer/{CONSUMER}/latest"
PAGES = {
    "pacts": "/",
    "consumer": f"/pacticipants/{CONSUMER}",
    "provider": f"/pacticipants/{PROVIDER}",
    "pact": PACT,
    "matrix": "/matrix",
    "matrix of a pair": f"/matrix/provider/{PROVIDER}/consumer/{CONSUMER}",
    "environments": "/environments",
    "webhooks": "/webhooks",
    "nothing": "/nothing",
}
"""The addresses of pages by what they show; those of a result and a webhook are known once they are there."""
TOO_WIDE = """
[document.documentElement, ...document.querySelectorAll("body *")]
  .filter(one => one.scrollWidth > one.clientWidth && /auto|scroll/.test(getComputedStyle(one).overflowX)
    || one.getBoundingClientRect().right > document.documentElement.clientWidth)
  .map(one => one.outerHTML.slice(0, 200))
"""
"""An expression: the elements that are scrolled sideways, or that the window cuts."""


def commit_id(number: int) -> str:
    """Return a version of 40 characters."""
    return f"{number:x}".rjust(4, "a") + "2f3c9d1e5a7b8c9d0e1f2a3b4c5d6e7f8a9b"


def fill(broker: EmbeddedBroker, target: Target) -> dict[str, str]:
    """Publish pacts, results, deployments and webhooks to a broker, and return the addresses of its pages."""
    for name in (CONSUMER, PROVIDER):
        broker.request(
            "POST", "/pacticipants", json={"name": name, "repositoryUrl": BUILD, "mainBranch": BRANCH}
        )

    def add(description: str, path: str, **fields: Any) -> dict[str, Any]:
        document = webhook(f"{target.url}{path}?{'long-' * 20}", headers={"X-Long": "long-" * 30})
        return create(broker, {**document, "description": description, **fields})

    add("an open one", "/hook")
    add("webhook_of_a_name_without_any_blank_and_of_some_length", "/status/503")
    add("a disabled one", "/hook", enabled=False)
    pact = example()
    pact["consumer"]["name"], pact["provider"]["name"] = CONSUMER, PROVIDER
    other = copy.deepcopy(pact["interactions"][0])
    other["description"] = "a_request_of_a_name_without_any_blank_" * 4
    other["providerState"] = "there are several ledgers"
    pact["interactions"].append(other)
    for number in range(3):
        pact["interactions"][0]["response"]["body"]["id"] = number
        broker.publish(pact, commit_id(number), branch=BRANCH, tags=("dev", BRANCH), build_url=BUILD)
    short = example()
    broker.publish(short, "1.0.0", branch="main")
    short["consumer"]["name"] = "Storefront"
    broker.publish(short, commit_id(9), branch="main")
    found = broker.get(PACT).json()
    mismatch = {
        "attribute": "body",
        "identifier": f"$.{'long.' * 30}",
        "expected": "1" * 90,
        "actual": "2" * 90,
    }
    tests = [
        {
            "interactionId": one["_id"],
            "success": False,
            "mismatches": [{**mismatch, "description": "Not the same"}],
        }
        for one in found["interactions"]
    ]
    for success in (True, False):
        answer = broker.request(
            "POST",
            found["_links"]["pb:publish-verification-results"]["href"],
            json={
                "success": success,
                "providerApplicationVersion": commit_id(20 + success),
                "buildUrl": BUILD,
                "testResults": [] if success else tests,
            },
        )
    environment = {"name": "an-environment-of-some-length", "production": True}
    uuid = broker.request("POST", "/environments", json=environment).json()["uuid"]
    for name, version in ((PROVIDER, commit_id(20)), (CONSUMER, commit_id(1))):
        path = f"/pacticipants/{name}/versions/{version}/deployed-versions/environment/{uuid}"
        broker.request("POST", path, json={"applicationInstance": "blue"})
    wait_for(broker, lambda found: {one["status"] for one in found} == {"success", "failure"})
    [*_, last] = broker.get("/webhooks").json()["_links"]["pb:webhooks"]
    return {
        **PAGES,
        "result": answer.headers["Location"].removeprefix(broker.url),
        "webhook": last["href"].removeprefix(broker.url),
    }


@pytest.fixture(scope="module")
def addresses(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Return the URLs of the pages of a broker that has a little of everything, by what they show."""
    folder: Path = tmp_path_factory.mktemp("look")
    with Target() as target, EmbeddedBroker(folder, *OPEN, "--webhook-retry-seconds", "0.01") as broker:
        yield {name: f"{broker.url}{path}" for name, path in fill(broker, target).items()}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    with browser.new_context() as context:
        yield context.new_page()


@pytest.mark.parametrize("name", [*PAGES, "result", "webhook"])
def test_each_page_fits_and_all_can_use_it(page: Page, addresses: dict[str, str], name: str) -> None:
    """962 pixels are the fewest at which tables stay tables."""
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.goto(addresses[name])
    page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    for width in (1280, 962, 360):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
        assert page.evaluate(TOO_WIDE) == [], width
    page.emulate_media(color_scheme="dark")
    assert findings(page) == [], "dark and narrow"
    page.set_viewport_size({"width": 1280, "height": 900})
    page.emulate_media(color_scheme="light")
    assert findings(page) == [], "light and wide"
    page.emulate_media(media="print")
    page.set_viewport_size({"width": 718, "height": 1000})  # what is left of A4 between its margins
    assert page.evaluate(TOO_WIDE) == [], "paper"
    assert page.evaluate(
        "[...document.querySelectorAll('pre')].every(one => one.scrollHeight <= one.clientHeight)"
    )
    tables = page.evaluate("[...document.querySelectorAll('table')].map(one => one.innerText).join()")
    assert not COMMIT_ID.findall(tables)
    assert [one for one in complaints if "404" not in one] == []


def test_what_nobody_can_read_is_found(page: Page) -> None:
    """Nothing found says something only where something can be found."""
    page.set_content(
        "<html lang=en><title>A page</title><main><h1>Pale</h1><p style='color: #aaa'>pale</p><img>"
    )
    assert {one.partition(":")[0] for one in findings(page)} == {"color-contrast", "image-alt"}
