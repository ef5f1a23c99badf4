"""What a look for missing results asks a broker: each pact of each version alone, and all pacts of a version at once.

    python -m benchmarks.reconcile [--pacts 200] [--versions 20] [--quick] [--json FILE]

Both ask the embedded broker, in a process of its own, over one connection, for one provider. Half of the versions have
a result for each pact, the others for none. Both must find the same.

"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from broker.client import BrokerClient
from broker.client.missing_results import ProviderVersion, Questions
from broker.http.access import BrokerAccess
from tests.support.pacts import pact, things
from tests.support.processes import BrokerProcess

if TYPE_CHECKING:
    from broker.client.exchange import Answer

PROVIDER = "Products"
THREADS = 4


class Counting(BrokerClient):
    """A client that counts what it asks."""

    requests = 0

    def _once(self, method: str, url: str, body: Any) -> Answer:
        self.requests += 1
        return super()._once(method, url, body)


def fill(broker: BrokerProcess, pacts: int, versions: list[str]) -> None:
    """Publish pacts of as many consumers, and results of half of the versions."""

    def publish(number: int) -> None:
        consumer, version = f"Consumer {number}", f"{number:040x}"
        broker.publish(pact(*things(5), consumer=consumer, provider=PROVIDER), version, branch="main")
        found = broker.get(f"/pacts/provider/{PROVIDER}/consumer/{consumer}/version/{version}").json()
        link = found["_links"]["pb:publish-verification-results"]["href"]
        for verified in versions[::2]:
            body = {"success": True, "providerApplicationVersion": verified}
            broker.request("POST", link, json=body).raise_for_status()

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(publish, range(pacts)))


def look(url: str, versions: list[str], *, at_once: bool) -> tuple[int, float, list[tuple[str, str]]]:
    """Return the number of requests, the seconds, and what lacks a result."""
    lacking = []
    with Counting(BrokerAccess(url)) as client:
        questions = Questions(client, PROVIDER)
        started = time.monotonic()
        found = questions.pacts()
        for number in versions:
            version = ProviderVersion(number, "main", "deployed")
            for asked in [found] if at_once else [[one] for one in found]:
                lacking += [(one.consumer, number) for one in questions.lacking(asked, version)]
        return client.requests, time.monotonic() - started, sorted(lacking)


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pacts", type=int, default=200)
    parser.add_argument("--versions", type=int, default=20)
    parser.add_argument("--quick", action="store_true", help="20 pacts and 4 versions")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    pacts, count = (20, 4) if options.quick else (options.pacts, options.versions)
    versions = [f"{number:040x}" for number in range(count)]
    with tempfile.TemporaryDirectory() as folder, BrokerProcess(Path(folder)) as broker:
        fill(broker, pacts, versions)
        each = look(broker.url, versions, at_once=False)
        once = look(broker.url, versions, at_once=True)
    assert each[2] == once[2]
    assert len(once[2]) == pacts * (count // 2)
    table = Table(title=f"{pacts} pacts, {count} versions")
    for column in ("asked for", "requests", "seconds"):
        table.add_column(column)
    table.add_row("each pact of each version", str(each[0]), f"{each[1]:.2f}")
    table.add_row("all pacts of a version", str(once[0]), f"{once[1]:.2f}")
    Console().print(table)
    if options.json:
        figures = {"each": {"requests": each[0], "seconds": each[1]}}
        figures["once"] = {"requests": once[0], "seconds": once[1]}
        options.json.write_text(json.dumps(figures), encoding="utf-8")


if __name__ == "__main__":
    main()
