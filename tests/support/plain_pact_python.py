"""Whole pact files verified by pact-python alone: `python -m tests.support.plain_pact_python ORDERS RESULTS`.

In a process of its own, since the core prints to descriptor 1. ORDERS and RESULTS are JSON files, each with a list.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.support.paths import ROOT


def plain_results(folder: Path, orders: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Verify pacts as pact-python does, each as one source, and return its results.

    Each order has `document`, `base_url`, `transports`, `states_url` and `teardown`.
    """
    file, results = folder / "orders.json", folder / "results.json"
    file.write_text(json.dumps(orders), encoding="utf-8")
    subprocess.run(
        [sys.executable, "-m", "tests.support.plain_pact_python", str(file), str(results)],
        cwd=ROOT,
        env={**os.environ, "PACT_DO_NOT_TRACK": "true"},
        capture_output=True,
        timeout=60,
        check=True,
    )
    found: list[dict[str, Any]] = json.loads(results.read_text(encoding="utf-8"))
    return found


def main() -> None:
    orders, results = map(Path, sys.argv[1:])
    found = [
        _verify(order, orders.with_name("plain.json"))
        for order in json.loads(orders.read_text(encoding="utf-8"))
    ]
    results.write_text(json.dumps(found), encoding="utf-8")


def _verify(order: dict[str, Any], source: Path) -> Any:
    from pact import Verifier  # noqa: PLC0415 - the process that gives the orders needs none of it

    source.write_text(json.dumps(order["document"]), encoding="utf-8")
    parts = urlsplit(order["base_url"])
    verifier = Verifier("the name doesn't matter", host="127.0.0.1")
    verifier.add_transport(protocol="http", port=parts.port, path=parts.path or "/", scheme="http")
    for transport in order["transports"]:
        verifier.add_transport(**transport)
    if order["states_url"]:
        verifier.state_handler(order["states_url"], teardown=order["teardown"], body=True)
    verifier.set_coloured_output(enabled=False)
    verifier.add_source(source)
    with contextlib.suppress(RuntimeError):  # a broken contract: the results tell
        verifier.verify()
    return verifier.results


if __name__ == "__main__":
    main()
