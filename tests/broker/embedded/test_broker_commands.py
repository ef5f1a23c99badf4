"""Every command of the official `pact broker`: each ends, against the broker at home, as its words say."""

from __future__ import annotations

import json
import os
import re
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.support.pacts import interaction, pact
from tests.support.processes import BIN, EmbeddedBroker

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

UUID = "0f0e0d0c-0b0a-4909-8807-060504030201"
HOOK = ("http://127.0.0.1:1/x", "--request", "POST", "--contract-published")
NOT_OURS = {"ruby", "docker", "help", "generate-uuid"}
"""Commands that ask no broker."""
STEPS = (
    (
        "publish {file} --consumer-app-version 1 --branch main",
        0,
        "Pact successfully published for Foo version 1",
    ),
    ("publish {file} --consumer-app-version 1 --branch main", 0, "republished .* with no content changes"),
    ("publish {other} --consumer-app-version 1", 1, "(?i)cannot change the content of the pact|conflict"),
    ("list-latest-pact-versions", 0, '"Foo"'),
    ("get-pacts --provider Bar", 0, "Pact between Foo"),
    ("get-pacts --provider Nobody", 1, "404 Not Found"),
    ("provider-states list --provider Bar", 0, "there is a thing"),
    ("create-environment --name prod --production", 0, "Created prod environment"),
    ("create-environment --name prod --production", 1, "name 'prod' is already used"),
    ("list-environments", 0, "prod"),
    ("describe-environment --uuid {environment}", 0, "Name: prod"),
    ("update-environment --uuid {environment} --name live --production", 0, "Updated live environment"),
    ("record-deployment --pacticipant Foo --version 1 --environment live", 0, "Recorded deployment of Foo"),
    ("record-deployment --pacticipant Foo --version 9 --environment live", 1, "404 Not Found"),
    ("record-undeployment --pacticipant Foo --environment live", 0, "Undeployed Foo"),
    ("record-undeployment --pacticipant Foo --environment live", 1, "is not currently deployed to live"),
    ("record-release --pacticipant Foo --version 1 --environment live", 0, "Recorded release of Foo"),
    ("record-support-ended --pacticipant Foo --version 1 --environment live", 0, "Recorded support ended"),
    (
        "can-i-deploy --pacticipant Foo --version 1 --to-environment live",
        1,
        "no version is currently recorded",
    ),
    ("can-i-deploy --pacticipant Foo --version 1 --to-environment live --ignore Bar", 0, "Computer says yes"),
    ("can-i-deploy --pacticipant Foo --version 1 --to-environment nowhere", 1, "'nowhere' does not exist"),
    ("can-i-merge --pacticipant Foo --version 1", 1, "Computer says no"),
    ("create-or-update-pacticipant --name New --main-branch main", 0, "created successfully"),
    ("create-or-update-pacticipant --name New --main-branch trunk", 0, "(?i)updated"),
    ("describe-pacticipant --name New", 0, "Main Branch: trunk"),
    ("describe-pacticipant --name Nobody", 1, "404 Not Found"),
    ("list-pacticipants", 0, '"New"'),
    ("create-version-tag --pacticipant Foo --version 1 --tag t", 0, "Success"),
    ("describe-version --pacticipant Foo --version 1", 0, "┆ t "),
    ("delete-version-tag --pacticipant Foo --version 1 --tag t", 0, "Successfully deleted tag 't'"),
    ("create-or-update-version --pacticipant Foo --version 2 --branch main", 0, "for version '2'"),
    ("delete-branch --pacticipant Foo --branch main", 0, "Successfully deleted branch 'main'"),
    ("delete-branch --pacticipant Foo --branch nope", 0, "was not found"),
    ("create-webhook {hook} --description other", 0, "pb:execute"),
    ("create-or-update-webhook {hook} --uuid {uuid}", 0, "{uuid}"),
    ("test-webhook --uuid {uuid}", 0, "Executing webhook"),
    ("delete-webhook --uuid {uuid}", 0, "successfully deleted"),
    ("delete-webhook --uuid {uuid}", 0, "was not found"),
    ("delete-environment --uuid {environment}", 0, "deleted successfully"),
)
"""A command's words, its exit code, and what it says."""


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedBroker]:
    options = ("--webhook-hosts", "127.0.0.1", "--webhook-schemes", "http")
    with EmbeddedBroker(tmp_path_factory.mktemp("broker"), *options) as running:
        yield running


def run(*words: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PACT_")}
    return subprocess.run(
        [str(BIN / "pact"), "broker", *words],
        capture_output=True,
        text=True,
        check=False,
        env=environment | {"PACT_DO_NOT_TRACK": "true"},
    )


def test_each_command_ends_as_its_words_say(broker: EmbeddedBroker, tmp_path: Path) -> None:
    places = {"uuid": UUID, "hook": " ".join(HOOK)}
    for name, path in (("file", "/things/1"), ("other", "/things/2")):
        document = pact(
            interaction("a thing", path, state="there is a thing"), consumer="Foo", provider="Bar"
        )
        (tmp_path / f"{name}.json").write_text(json.dumps(document), encoding="utf-8")
        places[name] = str(tmp_path / f"{name}.json")
    wrong = []
    for words, code, said in STEPS:
        if "{environment}" in words:
            known = broker.get("/environments").json()["_embedded"]["environments"]
            places["environment"] = known[0]["uuid"]
        done = run(*words.format(**places).split(), "--broker-base-url", broker.url)
        text = done.stdout + done.stderr
        if done.returncode != code or not re.search(said.replace("{uuid}", UUID), text):
            wrong.append((words, done.returncode, text[:500]))
    assert wrong == []


def test_no_command_is_left_out() -> None:
    listed = re.findall(r"^  ([a-z-]+)  +\S", run("--help").stdout.partition("Options:")[0], re.MULTILINE)
    assert len(listed) > 25
    assert {words.split()[0] for words, _, _ in STEPS} == set(listed) - NOT_OURS
