"""The examples of docs/receiver-api.md do what the text says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import yaml

from app.dispatch import MAX_EVENT_TYPE, MAX_MESSAGE, MAX_PROPERTIES, MAX_REPOSITORY, MAX_URL, PUSH
from app.intake.redacted_payload import MAX_DEPTH
from app.records.deliveries import LONGEST, LONGEST_GITHUB_ID
from app.web.dispatches import IGNORED_EVENTS, MAX_BYTES, MAX_DELIVERED_BYTES, MAX_PUSH_BYTES
from app.web.paging import DELIVERY_FILTERS, RUN_FILTERS
from broker.http.names import LONGEST_NAME
from tests.support.history_rows import add_history
from tests.support.paths import DOCS
from tests.support.receiver import API_TOKEN, TOKEN, LocalReceiver, configuration

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
    assert "# TYPE pact_dispatch_runs_waiting" in second


def test_the_filters_are_those_that_there_are() -> None:
    for path, filters in (("runs", RUN_FILTERS), ("deliveries", DELIVERY_FILTERS)):
        (row,) = re.findall(rf"^\| `/api/{path}` \| (.*) \|$", DOCUMENT, re.MULTILINE)
        assert re.findall(r"`(\w+)`", row) == [one.name for one in filters]
        for one in filters:
            if one.choices:
                assert f"`{one.name}` ({', '.join(one.choices)})" in row


def test_the_bounds_are_those_that_hold() -> None:
    table = DOCUMENT.partition("## What a request may have")[2].partition("\n## ")[0]
    rows = dict(re.findall(r"^\| `?([\w./ -]+?)`? \| (.*) \|$", table, re.MULTILINE))
    numbers = {field: [int(number) for number in re.findall(r"\d+", text)] for field, text in rows.items()}
    assert numbers["the body"][:2] == [MAX_BYTES // 1024, MAX_DEPTH]
    delivered = [MAX_DELIVERED_BYTES // 1024, MAX_BYTES // 1024, MAX_PUSH_BYTES // 1024**2]
    assert numbers["the body"][-3:] == delivered
    assert set(re.findall(r"`(\w+)`", rows["X-GitHub-Event"])) == {
        "repository_dispatch",
        PUSH,
        *IGNORED_EVENTS,
    }
    assert numbers["event_type"] == [1, MAX_EVENT_TYPE]
    assert numbers["client_payload"] == [MAX_PROPERTIES]
    assert numbers["client_payload.pact_url"] == [MAX_URL]
    assert numbers["client_payload.branch"] == [1, LONGEST_NAME]
    assert numbers["client_payload.message"] == [MAX_MESSAGE]
    assert numbers["X-GitHub-Delivery"] == [1, LONGEST_GITHUB_ID]
    assert numbers["User-Agent"] == [LONGEST["user_agent"]]
    assert numbers["filters of a list"] == [1, LONGEST_NAME, MAX_REPOSITORY, MAX_URL]


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
            "TOKEN": TOKEN,
            "PACT_URL": PACT,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
