"""The webhook commands of the `pact broker` client."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from tests.broker.embedded.test_clients import client, publish
from tests.support.processes import EmbeddedBroker
from tests.support.webhook_documents import OPEN
from tests.support.webhook_target import Target

if TYPE_CHECKING:
    from pathlib import Path

UUID = "d40f38c3-7fa3-4b54-b2d4-1b8e32c8d8d1"


def test_a_webhook_from_creation_to_deletion(tmp_path: Path, pact: dict[str, Any]) -> None:
    with Target() as target, EmbeddedBroker(tmp_path, *OPEN) as broker:
        publish(broker, pact, "1", "--branch", "main")
        data = json.dumps(
            {"event_type": "pact_changed", "client_payload": {"pact_url": "${pactbroker.pactUrl}"}}
        )
        request = (f"{target.url}/hook", "--request", "POST", "--data", data)
        options = (
            "--header",
            "Content-Type: application/json",
            "--user",
            "me:secret",
            "--contract-content-changed",
        )
        parties = ("--consumer", "Foo", "--provider", "Bar", "--description", "for CI")
        done = client(broker, "create-webhook", *request, *options, *parties)
        assert done.returncode == 0, done.stdout + done.stderr
        (href,) = [one["href"] for one in broker.get("/webhooks").json()["_links"]["pb:webhooks"]]
        shown = broker.get(href).json()
        assert (shown["description"], shown["consumer"], shown["provider"]) == (
            "for CI",
            {"name": "Foo"},
            {"name": "Bar"},
        )
        assert shown["request"]["password"] == "**********"

        done = client(broker, "test-webhook", "--uuid", href.rpartition("/")[2])
        assert done.returncode == 0, done.stdout + done.stderr
        (received,) = target.wait_for(1)
        assert json.loads(received.body)["event_type"] == "pact_changed"
        assert received.headers["authorization"] == "Basic bWU6c2VjcmV0"

        pact["interactions"][0]["response"]["status"] = 201
        notices = publish(broker, pact, "2", "--branch", "main")
        assert re.search(r'Webhook "for CI" triggered for event contract_content_changed', notices)
        target.wait_for(2)

        for description in ("made", "changed"):
            created = ("create-or-update-webhook", *request, *parties[:4], "--contract-published")
            done = client(broker, *created, "--uuid", UUID, "--description", description)
            assert done.returncode == 0, done.stdout + done.stderr
            assert broker.get(f"/webhooks/{UUID}").json()["description"] == description

        for uuid in (UUID, href.rpartition("/")[2]):
            done = client(broker, "delete-webhook", "--uuid", uuid)
            assert done.returncode == 0, done.stdout + done.stderr
            assert broker.get(f"/webhooks/{uuid}").status_code == 404


def test_a_refusal_reaches_the_user(tmp_path: Path) -> None:
    with EmbeddedBroker(tmp_path, *OPEN) as broker:
        done = client(
            broker, "create-webhook", "https://example.org/", "--request", "POST", "--contract-published"
        )
    assert done.returncode != 0
    assert "host must be in the whitelist" in done.stdout + done.stderr
