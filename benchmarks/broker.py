"""How fast the embedded broker answers with a thousand pacts of a hundred interactions in it.

    python -m benchmarks.broker [--pacts 1000] [--interactions 100] [--versions 600] [--requests 15] [--quick]

Each pact has fired a webhook, and one more pair of pacticipants has hundreds of versions, for the matrix.

Everything goes through HTTP, to a broker in a process of its own. The figures go to standard output and to
build/bench-broker.json.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from rich.console import Console
from rich.table import Table

from tests.support.processes import BrokerProcess
from tests.support.webhook_documents import OPEN, create, webhook
from tests.support.webhook_target import Target

if TYPE_CHECKING:
    import requests

RESULT = Path(__file__).parents[1] / "build" / "bench-broker.json"
TARGET_MS = 100
THREADS = 4
PROVIDERS = 20
HTML = {"Accept": "text/html"}


def pact(number: int, interactions: int) -> dict[str, Any]:
    """Return a pact between one of the providers and a consumer of its own."""
    return {
        "consumer": {"name": f"Consumer {number // PROVIDERS}"},
        "provider": {"name": f"Provider {number % PROVIDERS}"},
        "interactions": [
            {
                "description": f"a request for thing {index} of {number}",
                "providerStates": [{"name": f"thing {index} exists", "params": {"id": index}}],
                "request": {
                    "method": "GET",
                    "path": f"/things/{index}",
                    "headers": {"Accept": "application/json"},
                },
                "response": {
                    "status": 200,
                    "headers": {"Content-Type": "application/json"},
                    "body": {
                        "id": index,
                        "name": f"thing {index}",
                        "tags": ["a", "b"],
                        "size": {"w": 1, "h": 2},
                    },
                },
            }
            for index in range(interactions)
        ],
        "metadata": {"pactSpecification": {"version": "3.0.0"}},
    }


def fill(broker: BrokerProcess, pacts: int, interactions: int) -> None:
    """Publish the pacts, a result for each, and deployments of the providers."""

    def publish(number: int) -> None:
        document = pact(number, interactions)
        consumer, provider = document["consumer"]["name"], document["provider"]["name"]
        version = f"{number}.0.0"
        broker.publish(document, version, branch="main", tags=("dev",))
        found = broker.get(f"/pacts/provider/{provider}/consumer/{consumer}/version/{version}").json()
        tests = [{"interactionId": one["_id"], "success": True} for one in found["interactions"]]
        answer = broker.request(
            "POST",
            found["_links"]["pb:publish-verification-results"]["href"],
            json={"success": number % 7 > 0, "providerApplicationVersion": "1.0.0", "testResults": tests},
        )
        answer.raise_for_status()

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(publish, range(pacts)))
    environment = broker.request(
        "POST", "/environments", json={"name": "production", "production": True}
    ).json()
    for provider in range(PROVIDERS):
        path = f"/pacticipants/Provider {provider}/versions/1.0.0/deployed-versions/environment/{environment['uuid']}"
        broker.request("POST", path).raise_for_status()


def fill_pair(broker: BrokerProcess, versions: int) -> None:
    """Publish many versions of a pact of one pair, each content for ten of them, and a result for each content."""
    for number in range(versions):
        document = pact(0, 10)
        document["consumer"]["name"], document["provider"]["name"] = "Steady", "Rock"
        document["interactions"][0]["description"] = f"changed {number // 10} times"
        broker.publish(document, str(number), branch="main", tags=("dev",))
        if number % 10 == 0:
            found = broker.get(f"/pacts/provider/Rock/consumer/Steady/version/{number}").json()
            url = found["_links"]["pb:publish-verification-results"]["href"]
            body = {"success": True, "providerApplicationVersion": str(number)}
            broker.request("POST", url, json=body).raise_for_status()


def questions(broker: BrokerProcess) -> dict[str, tuple[str, str, dict[str, Any]]]:
    """Return what is measured: by name, the method, the path and the options of a request."""
    pair = "/pacts/provider/Provider 1/consumer/Consumer 0"
    version = broker.get(f"{pair}/latest").json()["_links"]["pb:consumer-version"]["name"]
    result = broker.get(f"/verification-results/consumer/Consumer 0/version/{version}/latest").json()
    result_path = urlsplit(result["_embedded"]["verificationResults"][0]["_links"]["self"]["href"]).path
    selectors: dict[str, Any] = {
        "consumerVersionSelectors": [{"mainBranch": True}, {"deployedOrReleased": True}],
        "providerVersionBranch": "main",
        "includePendingStatus": True,
    }
    asked = f"pacticipant=Consumer 0&version={version}&environment=production"
    (hook,) = broker.get("/webhooks").json()["_links"]["pb:webhooks"]
    hook_path = urlsplit(hook["href"]).path
    triggered = broker.get(f"{pair}/version/{version}/triggered-webhooks").json()["_embedded"][
        "triggeredWebhooks"
    ]
    branch = "/matrix?q[][pacticipant]=Steady&q[][branch]=main&q[][pacticipant]=Rock&latestby=cvpv"
    pages = {
        "page: all pacts": "/",
        "page: a pact": f"{pair}/latest",
        "page: a result": result_path,
        "page: a consumer": "/pacticipants/Consumer 0",
        "page: a provider": "/pacticipants/Provider 1",
        "page: a consumer with many versions": "/pacticipants/Steady",
        "page: a pact with many versions": "/pacts/provider/Rock/consumer/Steady/latest",
        "page: all webhooks": "/webhooks",
        "page: a webhook": hook_path,
    }
    resources = {
        "index": "/",
        "latest pacts": "/pacts/latest",
        "latest pacts of a provider": "/pacts/provider/Provider 1/latest",
        "a pact": f"{pair}/latest",
        "versions of a pact": f"{pair}/versions",
        "pacticipants": "/pacticipants",
        "a pacticipant": "/pacticipants/Provider 1",
        "a version": f"/pacticipants/Consumer 0/versions/{version}",
        "versions of a pacticipant": "/pacticipants/Consumer 0/versions",
        "branches": "/pacticipants/Consumer 0/branches",
        "matrix of a pair": "/matrix/provider/Provider 1/consumer/Consumer 0",
        "matrix of many versions": "/matrix/provider/Rock/consumer/Steady",
        "matrix of a branch with many versions": branch,
        "many versions of a pact": "/pacts/provider/Rock/consumer/Steady/versions",
        "many versions of a pacticipant": "/pacticipants/Steady/versions",
        "can-i-deploy, a consumer": f"/can-i-deploy?{asked}",
        "can-i-deploy, a provider": "/can-i-deploy?pacticipant=Provider 1&version=1.0.0&environment=production",
        "environments": "/environments",
        "currently deployed": _deployed(broker),
        "integrations": "/integrations",
        "a result": result_path,
        "results of a version": f"/verification-results/consumer/Consumer 0/version/{version}/latest",
        "webhooks": "/webhooks",
        "a webhook": hook_path,
        "webhooks of a pact": f"{pair}/webhooks",
        "status of a pact's webhooks": f"{pair}/webhooks/status",
        "what a pact has triggered": f"{pair}/version/{version}/triggered-webhooks",
        "logs of a delivery": urlsplit(triggered[0]["_links"]["pb:logs"]["href"]).path,
        "secrets": "/secrets",
        "OpenAPI document": "/openapi.json",
    }
    asked_for = {name: ("GET", path, {"headers": HTML}) for name, path in pages.items()}
    asked_for |= {name: ("GET", path, {}) for name, path in resources.items()}
    path = "/pacts/provider/Provider 1/for-verification"
    asked_for["pacts for verification"] = ("POST", path, {"json": selectors})
    return asked_for


def _deployed(broker: BrokerProcess) -> str:
    (environment,) = broker.get("/environments").json()["_embedded"]["environments"]
    return f"/environments/{environment['uuid']}/deployed-versions/currently-deployed"


def median_ms(broker: BrokerProcess, question: tuple[str, str, dict[str, Any]], requests_each: int) -> float:
    """Return the median time of a request in milliseconds, its whole answer read."""
    method, path, options = question
    times = []
    for _ in range(requests_each):
        began = time.perf_counter()
        answer: requests.Response = broker.request(method, path, **options)
        times.append((time.perf_counter() - began) * 1000)
        answer.raise_for_status()
    return statistics.median(times)


def main() -> None:
    """Fill a broker, measure, and print the figures."""
    parser = argparse.ArgumentParser(description="Time the embedded broker with many pacts.")
    parser.add_argument("--pacts", type=int, default=1000)
    parser.add_argument("--interactions", type=int, default=100)
    parser.add_argument("--versions", type=int, default=600, help="of one more pair")
    parser.add_argument("--requests", type=int, default=15, help="of each kind; the median counts")
    parser.add_argument("--quick", action="store_true", help="a tenth of all, three requests of each kind")
    options = parser.parse_args()
    if options.quick:
        options.pacts, options.versions, options.requests = 100, 60, 3
    console = Console()
    with (
        tempfile.TemporaryDirectory() as directory,
        Target() as target,
        BrokerProcess(Path(directory), *OPEN) as broker,
    ):
        create(broker, webhook(f"{target.url}/hook"))
        began = time.perf_counter()
        fill(broker, options.pacts, options.interactions)
        filled = time.perf_counter() - began
        fill_pair(broker, options.versions)
        target.wait_for(options.pacts + options.versions)
        size = broker.database.stat().st_size / 1e6
        medians = {
            name: median_ms(broker, question, options.requests)
            for name, question in questions(broker).items()
        }
    table = Table(title=f"{options.pacts} pacts of {options.interactions} interactions, {size:.0f} MB")
    table.add_column("request")
    table.add_column("median", justify="right")
    for name, milliseconds in medians.items():
        style = "red" if milliseconds > TARGET_MS else ""
        table.add_row(name, f"{milliseconds:.1f} ms", style=style)
    console.print(table)
    console.print(f"Published, fetched and verified in {filled:.1f} s by {THREADS} threads.")
    RESULT.parent.mkdir(exist_ok=True)
    figures = {
        "pacts": options.pacts,
        "interactions": options.interactions,
        "fill_seconds": filled,
        "database_mb": size,
        "target_ms": TARGET_MS,
        "median_ms": medians,
    }
    RESULT.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
