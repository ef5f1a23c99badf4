"""Webhooks for tests, and waiting for what becomes of them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.processes import EmbeddedBroker

OPEN = ("--webhook-hosts", "127.0.0.1", "--webhook-schemes", "http,https")
TIME_LIMIT = 60.0


def webhook(url: str, *events: str, **request: Any) -> dict[str, Any]:
    """Return the document of a webhook."""
    return {
        "description": "a webhook",
        "events": [{"name": name} for name in events or ("contract_published",)],
        "request": {
            "method": "POST",
            "url": url,
            "headers": {"Content-Type": "application/json"},
            "body": {"pact": "${pactbroker.pactUrl}", "event": "${pactbroker.eventName}"},
            **request,
        },
    }


def create(broker: EmbeddedBroker, document: dict[str, Any], path: str = "/webhooks") -> dict[str, Any]:
    """Create a webhook, and return it."""
    answer = broker.request("POST", path, json=document)
    assert answer.status_code == 201, answer.text
    created: dict[str, Any] = answer.json()
    return created


def triggered(broker: EmbeddedBroker, path: str = "/pacts/provider/Bar/consumer/Foo") -> list[dict[str, Any]]:
    """Return the latest deliveries of a pact's webhooks."""
    found: list[dict[str, Any]] = broker.get(f"{path}/webhooks/status").json()["_embedded"][
        "triggeredWebhooks"
    ]
    return found


def wait_for(
    broker: EmbeddedBroker, condition: Callable[[list[dict[str, Any]]], bool]
) -> list[dict[str, Any]]:
    """Return the latest deliveries when they meet the condition."""
    deadline = time.monotonic() + TIME_LIMIT
    while not condition(found := triggered(broker)):
        assert time.monotonic() < deadline, found
    return found


def all_are(status: str) -> Callable[[list[dict[str, Any]]], bool]:
    """Return the condition that all deliveries, of which there is one, have a status."""
    return lambda found: bool(found) and all(one["status"] == status for one in found)


def logs(broker: EmbeddedBroker, delivery: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the attempts of a delivery."""
    url = delivery["_links"]["pb:logs"]["href"]
    # The broker may have been started again on another port.
    executions: list[dict[str, Any]] = broker.get(url[url.index("/triggered-webhooks") :]).json()[
        "executions"
    ]
    return executions
