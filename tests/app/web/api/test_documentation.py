"""The examples of docs/receiver-api.md do what the text says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import yaml

from app.web.api.paging import DELIVERY_FILTERS, RUN_FILTERS
from tests.support.history_rows import add_history
from tests.support.paths import DOCS
from tests.support.receiver import API_TOKEN, LocalReceiver, configuration

DOCUMENT = (DOCS / "receiver-api.md").read_text(encoding="utf-8")
BROKER = "http://broker.example.org/base"
PACT = f"{BROKER}/pacts/provider/Products/consumer/Storefront/latest"


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", DOCUMENT, re.DOTALL)


def test_examples_work_as_they_stand(tmp_path: Path, database_url: str) -> None:
    config = configuration(BROKER, {"base_url": "http://127.0.0.1:1", "version": "abc"})
    with LocalReceiver(tmp_path, config, command="web", database_url=database_url) as web:
        add_history(database_url, runs=3)
        start, *steps = [block.replace("http://127.0.0.1:8000", web.url) for block in blocks("sh")]
        first = run(start + "".join(steps[:3]))
        web.dispatch(PACT)
        second = run(start + "".join(steps[3:]))
    assert '"interactions": [' in first
    assert '"outcome": "passed"' in first
    assert '"source": "redelivery"' in second
    assert '"status": "cancelled"' in second
    assert '"ready": false' in second
    described = re.findall(r"`(pact_dispatch_\w+)", DOCUMENT)
    assert sorted(described) == sorted(re.findall(r"# TYPE (\w+)", second))


def test_the_filters_are_those_that_there_are() -> None:
    for path, filters in (("runs", RUN_FILTERS), ("deliveries", DELIVERY_FILTERS)):
        (row,) = re.findall(rf"^\| `/api/{path}` \| (.*) \|$", DOCUMENT, re.MULTILINE)
        assert re.findall(r"`(\w+)`", row) == [one.name for one in filters]
        for one in filters:
            if one.choices:
                assert f"`{one.name}` ({', '.join(one.choices)})" in row


def test_the_scrape_configuration_is_one() -> None:
    (example,) = blocks("yaml")
    (job,) = yaml.safe_load(example)["scrape_configs"]
    assert job["job_name"] == "pact-dispatch"


def run(script: str) -> str:
    done = subprocess.run(
        ["bash", "-eu", "-o", "pipefail", "-c", script],
        env={
            **os.environ,
            "API_TOKEN": API_TOKEN,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
