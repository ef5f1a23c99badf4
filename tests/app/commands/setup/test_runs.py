"""`pact-dispatch setup --wait`: a contract that is broken, told from an outage."""

from __future__ import annotations

import json
import subprocess
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from app.commands.finding import State
from app.commands.setup.github_run import GitHubRun
from app.github.repository import Run
from tests.app.commands.setup.conftest import Setup
from tests.support.processes import BIN, EmbeddedBroker
from tests.support.running import environment

if TYPE_CHECKING:
    from tests.support.github_api import GitHubApi


NOW = datetime(2026, 1, 1, tzinfo=UTC)


def publish_result(broker: EmbeddedBroker, version: str, *, success: bool) -> None:
    pact = broker.get("/pacts/provider/Products/consumer/Storefront/latest").json()
    url = pact["_links"]["pb:publish-verification-results"]["href"]
    result = {"success": success, "providerApplicationVersion": version}
    broker.request("POST", url, json=result).raise_for_status()


@pytest.mark.parametrize(
    ("published", "state", "code", "told"),
    [
        (False, "warning", 0, "Everything works. The latest pact fails"),
        (True, "failed", 1, "something else in the workflow failed"),
        (None, "failed", 1, "nothing was verified or published"),
    ],
)
def test_a_broken_contract_is_told_from_an_outage_by_the_result(
    broker: EmbeddedBroker, api: GitHubApi, published: Any, state: str, code: int, told: str
) -> None:
    publish_result(broker, "from-before", success=False)
    repository = api.repository("acme/products")
    repository.next_run = ("in_progress", None)
    arguments = ["--repository", "acme/products", "--provider", "Products", "--github-url", api.url]
    with subprocess.Popen(
        [str(BIN / "pact-dispatch"), "setup", *arguments, "--wait", "100", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(**Setup(broker.url).variables),
    ) as process:
        api.wait_for(lambda: api.count("GET", "/actions/runs/1"))
        if published is not None:
            publish_result(broker, f"of-the-run-{published}", success=published)
        repository.runs[0].status, repository.runs[0].conclusion = "completed", "failure"
        out, err = process.communicate(timeout=110)
    assert process.returncode == code, out + err
    document = json.loads(out)
    step = document["steps"][-1]
    assert (step["name"], step["state"]) == ("run", state)
    assert told in step["to_do"]
    assert step["outcome"] == {True: "passed", False: "failed", None: None}[published]
    assert document["verdict"].startswith("Not set up yet" if code else "Set up: when")


def test_a_run_that_comes_into_the_list_as_a_later_one_is_deleted_is_not_taken_for_the_tests() -> None:
    def a_run(number: int, conclusion: str) -> Run:
        at = NOW + timedelta(minutes=number)
        return Run(number, "a.yml", "e", "completed", conclusion, "c", at, f"run {number}")

    class Runs:
        """A repository that shows the two latest runs."""

        def __init__(self) -> None:
            self.ended = [a_run(number, "failure") for number in (3, 2, 1)]

        def runs(self, _: str, **__: object) -> list[Run]:
            return self.ended[:2]

    repository = Runs()
    run = GitHubRun(repository, "e", now=NOW)  # type: ignore[arg-type]
    run.note_earlier()
    del repository.ended[0]
    said: list[str] = []

    def start(text: str) -> None:
        said.append(text)
        repository.ended.insert(0, a_run(4, "success"))

    found = run.wait(["a.yml"], 10, start, lambda: None)
    assert said == ["no run yet"]
    assert (found.state, found.found) == (State.OK, "run 4 (a.yml) ended: success.")
