"""Pacts that can never be verified: each is tried once, and its run says why. All of it with real processes."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from tests.support.faulty_broker import Fault, FaultyBroker
from tests.support.pacts import interaction, pact
from tests.support.receiver import LocalReceiver, configuration
from tests.support.running import scripted_provider

if TYPE_CHECKING:
    from pathlib import Path

LONG_NAME = "".join(random.Random(1).choices("abcdefghijklmnopqrstuvwxyz0123456789", k=6000))
GOOD = interaction("a thing", "/things/1", body={"id": 1})
HOPELESS: dict[str, dict[str, Any]] = {
    "name": pact(GOOD, provider="Products", consumer=LONG_NAME),
    "surrogate": pact({**GOOD, "description": "half of \ud800"}, provider="Products"),
    "status": pact({**GOOD, "response": {"status": "200"}}, provider="Products"),
    "rules": pact(
        {
            **GOOD,
            "response": {
                "status": 200,
                "matchingRules": {"body": {"$$$[[": {"matchers": [{"match": "type"}]}}},
            },
        },
        provider="Products",
    ),
    "header": pact(
        {**GOOD, "request": {"method": "GET", "path": "/things/1", "headers": {"A": "x\r\ny"}}},
        provider="Products",
    ),
}
LONG_VERSION = {**pact(GOOD, provider="Products"), "_links": {"pb:consumer-version": {"name": LONG_NAME}}}


def test_what_can_never_be_verified_is_tried_once(tmp_path: Path, database_url: str) -> None:
    answers = [
        Fault(
            "GET",
            f"/pacts/{quote(name)}$",
            status=200,
            headers={"Content-Type": "application/hal+json"},
            body=json.dumps(document),
        )
        for name, document in {**HOPELESS, "version": LONG_VERSION}.items()
    ]
    with FaultyBroker("", *answers) as broker, scripted_provider() as provider:
        config = configuration(
            broker.url,
            {"base_url": provider, "version": "1", "health_path": "/health"},
            worker={"retry_seconds": [0.1] * 3},
            server={"processes": 1},
            reconcile={"minutes": 0},
        )
        with LocalReceiver(tmp_path, config, database_url=database_url) as server:
            for name in (*HOPELESS, "version"):
                assert server.dispatch(f"{broker.url}/pacts/{name}").status_code == 204
            runs = {run["pact_url"].rsplit("/", 1)[1]: run for run in server.wait_for_runs(len(answers))}

    fetched = [seen.path.rsplit("/", 1)[1] for seen in broker.seen if "/pacts/" in seen.path]
    assert sorted(fetched) == sorted([*HOPELESS, "version"])  # none was fetched a second time
    assert runs.pop("version")["outcome"] == "passed"
    found = {name: (run["attempt"], run["outcome"], run["error_kind"]) for name, run in runs.items()}
    assert found == {
        "name": (1, "error", "not-a-pact"),
        "surrogate": (1, "error", "not-a-pact"),
        "status": (1, "error", "pact-unusable"),
        "rules": (1, "error", "pact-unusable"),
        "header": (1, "error", "pact-unusable"),
    }
    assert "its consumer's name has 6000 characters, and may have 255" in runs["name"]["error"]
    assert "half of a surrogate pair" in runs["surrogate"]["error"]
    assert runs["rules"]["error"].endswith("the pact has something that the engine can't use")
