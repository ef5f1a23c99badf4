"""The pages of webhooks: why one did or did not fire, and what became of what it sent."""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING, Any

import pytest

from tests.broker.embedded.conftest import example
from tests.broker.embedded.pages.test_pages import BROWSER, HOSTILE, PACT, verify
from tests.support.processes import EmbeddedBroker
from tests.support.webhook_documents import OPEN, create, triggered, wait_for, webhook
from tests.support.webhook_target import Target

if TYPE_CHECKING:
    from collections.abc import Iterator

SECRET = "Bearer secret-of-the-webhook"
REQUIRING = "contract_requiring_verification_published"


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedBroker]:
    """Return a broker with a pact, a result, and webhooks that fired, failed or did not fire."""
    folder = tmp_path_factory.mktemp("pages")
    options = (*OPEN, "--webhook-retry-seconds", "0.01")
    with Target() as target, EmbeddedBroker(folder, *options) as broker:
        for name in ("Foo", "Bar"):
            broker.request("POST", "/pacticipants", json={"name": name})

        def add(description: str, *events: str, path: str = "/hook", **fields: Any) -> dict[str, Any]:
            document = webhook(f"{target.url}{path}", *events, headers={"Authorization": SECRET})
            return create(broker, {**document, "description": description, **fields})

        add("fires")
        add("fails", path="/status/503")
        add("disabled one", enabled=False)
        add("waits for main", REQUIRING)
        add("after results", "provider_verification_failed")
        add("not this pact", consumer={"label": "team-a"})
        add(HOSTILE, "provider_verification_succeeded")
        broker.publish(example(), "1", branch="main")
        add("late", "contract_content_changed")
        verify(broker, PACT, success=False)
        wait_for(broker, lambda found: {one["status"] for one in found} == {"success", "failure"})
        yield broker


def shown(broker: EmbeddedBroker, path: str) -> str:
    answer = broker.get(path, headers=BROWSER)
    assert answer.status_code == 200
    assert "secret-of-the-webhook" not in answer.text
    assert "<script" not in answer.text
    return html.unescape(answer.text)


def rows(page: str) -> dict[str, str]:
    """Return the last cell of each row that links to a webhook, by the webhook's name."""
    found = {}
    for row in page.split("<tr>"):
        if "/webhooks/" in row:
            name = row.split("</a>", 1)[0].rsplit(">", 1)[1] if HOSTILE not in row else HOSTILE
            found[name] = re.findall(r"<td[^>]*>(.*?)</td>", row, re.DOTALL)[-1]
    return found


def test_the_page_of_a_pact_says_why_each_webhook_did_or_did_not_fire(watched: EmbeddedBroker) -> None:
    page = shown(watched, PACT)
    assert "first time untagged pact published" in page
    assert f"No {REQUIRING}: no provider version that matters" in page
    reasons = rows(page)
    late = reasons.pop("late")
    assert late.startswith("not triggered: ")  # a second is the unit of time here
    other = "not triggered: none of its events happened"
    assert reasons == {
        "fires": "triggered",
        "fails": "triggered",
        "disabled one": "not triggered: disabled",
        "waits for main": other,
        "after results": other,
        HOSTILE: other,
    }


def test_the_page_of_a_pact_shows_each_try_of_a_delivery(watched: EmbeddedBroker) -> None:
    page = shown(watched, PACT)
    deliveries = page[page.index("Deliveries triggered by its publication (2)") :]
    headed = '<h3><span class="badge failed">503 X</span>'
    assert deliveries.count(headed) == 2
    assert '<h3><span class="badge passed">200 X</span>' in deliveries
    assert deliveries.count("<h4>Request</h4>") == deliveries.count("<h4>Answer</h4>") == 3
    assert "Retrying webhook in 0.01 seconds" in deliveries
    assert "Webhook execution failed after 2 attempts" in deliveries
    assert "tried 2 times: 503 X<" in deliveries
    assert "tried 1 time: 200 X<" in deliveries
    assert "authorization: **********" in deliveries


def test_the_page_of_a_result_shows_what_it_triggered(watched: EmbeddedBroker) -> None:
    latest = watched.get("/verification-results/consumer/Foo/version/1/latest").json()
    (result,) = latest["_embedded"]["verificationResults"]
    page = shown(watched, result["_links"]["self"]["href"])
    assert "Webhook deliveries triggered by this result (1)" in page
    assert "after results, for provider_verification_failed" in page


def test_the_page_of_all_webhooks_and_of_one(watched: EmbeddedBroker) -> None:
    states = rows(shown(watched, "/webhooks"))
    assert len(states) == 8
    assert ">delivered<" in states["fires"]
    assert ">failed<" in states["fails"]
    assert "none yet" in states["late"]
    (fails,) = [one for one in triggered(watched) if one["status"] == "failure"]
    page = shown(watched, fails["_links"]["pb:webhook"]["href"])
    for expected in (
        "<h1>fails",
        "A webhook for all pacts",
        "/status/503",
        "authorization: **********",
        "Deliveries (1)",
    ):
        assert expected in page
    assert "Not found" in watched.get("/webhooks/nobody", headers=BROWSER).text


def test_a_client_gets_json_at_the_same_addresses(watched: EmbeddedBroker) -> None:
    for path in ("/webhooks", triggered(watched)[0]["_links"]["pb:webhook"]["href"]):
        assert watched.get(path).headers["Content-Type"].startswith("application/hal+json")
