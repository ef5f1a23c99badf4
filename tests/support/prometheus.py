"""A real Prometheus, on loopback, which scrapes a receiver of the tests."""

from __future__ import annotations

import json
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
import requests

from release.tools import tool
from tests.support.loopback import closed_port
from tests.support.processes import TIME_LIMIT
from tests.support.receiver import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

JOB = "pact-dispatch"


def needed(name: str) -> Path:
    """Return the path of `prometheus` or `promtool`; the test is skipped where there is none."""
    found = tool(name)
    if found is None:
        pytest.skip(f"there is no {name} (make platform)")
    return found


def promtool(*words: str, text: str | None = None) -> subprocess.CompletedProcess[str]:
    """Run promtool."""
    command = [str(needed("promtool")), *words]
    return subprocess.run(command, input=text, capture_output=True, text=True, check=False)


class Prometheus:
    """A Prometheus that runs.

    Attributes:
        url: Where it listens.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self._session = requests.Session()
        self._session.trust_env = False

    def ask(self, path: str, **parameters: str) -> Any:
        """Return what its API answers."""
        answer = self._session.get(f"{self.url}/api/v1/{path}", params=parameters, timeout=TIME_LIMIT)
        document = answer.json()
        assert document["status"] == "success", (parameters, document)
        return document["data"]

    def figures(self, query: str) -> list[dict[str, Any]]:
        """Return what a query finds, as soon as it finds any."""
        found: list[dict[str, Any]] = wait_until(lambda: self.ask("query", query=query)["result"], query)
        return found

    def close(self) -> None:
        """Close its connections."""
        self._session.close()


@contextmanager
def scraping(folder: Path, receiver: str, token: str, *rules: Path) -> Iterator[Prometheus]:
    """Run a Prometheus that scrapes a receiver every two seconds, and yield it when it has been answered twice.

    A scrape has no more time than there is between two, and one that gets no answer in time hides all figures until the
    next one: what is asked for them is asked until they are there.
    """
    (folder / "token").write_text(token, encoding="utf-8")
    config = {
        "global": {"scrape_interval": "2s", "evaluation_interval": "1s"},
        "rule_files": [str(rule) for rule in rules],
        "scrape_configs": [
            {
                "job_name": JOB,
                "authorization": {"credentials_file": str(folder / "token")},
                "static_configs": [{"targets": [receiver.removeprefix("http://")]}],
            }
        ],
    }
    (folder / "prometheus.yml").write_text(json.dumps(config), encoding="utf-8")  # JSON is YAML
    address = f"127.0.0.1:{closed_port()}"
    command = [str(needed("prometheus")), f"--config.file={folder / 'prometheus.yml'}"]
    command += [
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address={address}",
        "--log.level=warn",
    ]
    log = folder / "prometheus.log"
    with log.open("w") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, cwd=folder)
    found = Prometheus(f"http://{address}")

    def has_scraped() -> bool:
        assert process.poll() is None, log.read_text()
        try:
            [target] = found.ask("targets")["activeTargets"]
            answered = found.ask("query", query=f'sum_over_time(up{{job="{JOB}"}}[1m])')["result"]
        except (requests.ConnectionError, ValueError):
            return False
        return target["health"] == "up" and bool(answered) and float(answered[0]["value"][1]) >= 2

    try:
        wait_until(has_scraped, "Prometheus has scraped the receiver", context=log.read_text)
        yield found
    finally:
        found.close()
        process.terminate()
        process.wait(TIME_LIMIT)
