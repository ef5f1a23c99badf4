"""The real artefacts that inputs are made of: recorded answers of a Pact Broker, pacts, GitHub's examples."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from tests.support.pacts import BROKEN, interaction, pact, things
from tests.support.paths import EXCHANGES, ROOT

GITHUB = Path(__file__).parent / "github"
"""Examples of `@octokit/openapi` and `@octokit/webhooks-examples` (MIT), shortened."""
REPOSITORY = "acme/products"
RECORDED_URL = "http://127.0.0.1:9292"
"""The address of the broker whose answers were recorded."""


@cache
def exchange(name: str) -> dict[str, Any]:
    """Return a recorded exchange with a real broker, by the path of its file without `.json`."""
    found: dict[str, Any] = json.loads((EXCHANGES / f"{name}.json").read_text(encoding="utf-8"))
    return found


@cache
def github_answers() -> list[dict[str, Any]]:
    """Return answers of GitHub's API, each with a method, a pattern of paths, a status and a document."""
    text = (GITHUB / "answers.json").read_text(encoding="utf-8").replace("octocat/Hello-World", REPOSITORY)
    found: list[dict[str, Any]] = json.loads(text)
    return found


@cache
def github_events() -> dict[str, list[dict[str, Any]]]:
    """Return deliveries of GitHub by the event's name."""
    found: dict[str, list[dict[str, Any]]] = json.loads((GITHUB / "events.json").read_text(encoding="utf-8"))
    return found


@cache
def pacts() -> tuple[dict[str, Any], ...]:
    """Return pacts of the specifications 1 to 4."""
    storefront = json.loads((ROOT / "examples" / "storefront-products.json").read_text(encoding="utf-8"))
    small = pact(*things(2), BROKEN)
    stateful = pact(
        interaction("a thing", "/things/1", body={"id": 1}, state="there is a thing"),
        interaction("no thing", "/things/2", status=404, state="there is no thing"),
    )
    v4 = {
        **small,
        "interactions": [
            {**one, "type": "Synchronous/HTTP", "key": f"key-{place}", "pending": False}
            for place, one in enumerate(small["interactions"])
        ],
        "metadata": {"pactSpecification": {"version": "4.0"}},
    }
    messages = {
        "consumer": {"name": "Storefront"},
        "provider": {"name": "Things"},
        "messages": [{"description": "a thing was made", "contents": {"id": 1}, "metaData": {}}],
        "metadata": {"pactSpecification": {"version": "3.0.0"}},
    }
    recorded = exchange("pacts/05-pact-latest")["response"]["body"]
    return (small, stateful, v4, recorded, storefront, messages)
