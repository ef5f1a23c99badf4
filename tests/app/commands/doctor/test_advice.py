"""Each command that the doctor advises is typed as it stands there, and heals what it was advised for."""

from __future__ import annotations

import os
import re
import subprocess
from itertools import count
from typing import TYPE_CHECKING

import pytest

from tests.support.diagnosis import GITHUB_TOKEN, RECEIVER_TOKEN, REPOSITORY, VERSION, Done, Patient
from tests.support.github_api import GitHubApi
from tests.support.github_state import Repository, Token
from tests.support.loopback import closed_port
from tests.support.pacts import interaction, pact
from tests.support.processes import BIN, EmbeddedBroker
from tests.support.receiver import API_TOKEN, LocalReceiver, ReceiverProcess, configuration
from tests.support.running import environment, scripted_provider
from tests.support.webhook_documents import OPEN

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WORKFLOW = "on:\n  repository_dispatch:\n    types: [pact_changed]\n"
RESULTS = "provider_verification_published"
CHANGED = "contract_content_changed"
GOOD = pact(interaction("a thing", "/things/1", body={"id": 1, "name": "thing"}))
OTHER = pact(interaction("another thing", "/things/1", body={"name": "thing"}))
COMMAND = re.compile(r"(?:printf .*? \| )?(?:pact-dispatch|pact broker|verify) .*?(?=$|; or | \(|\. Or )")
numbers = count(1)


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedBroker]:
    with EmbeddedBroker(
        tmp_path_factory.mktemp("doctor"), *OPEN, "--webhook-retry-seconds", "none"
    ) as started:
        for name, value in (("githubToken", GITHUB_TOKEN), ("receiverToken", RECEIVER_TOKEN)):
            secret = {"name": name, "description": "d", "value": value}
            started.request("POST", "/secrets", json=secret).raise_for_status()
        yield started


@pytest.fixture
def github() -> Iterator[GitHubApi]:
    repository = Repository(REPOSITORY, files={".github/workflows/pact_changed.yml": WORKFLOW})
    with GitHubApi(repository, tokens=(Token(GITHUB_TOKEN),)) as api:
        yield api


@pytest.fixture
def patient(broker: EmbeddedBroker, github: GitHubApi) -> Iterator[Patient]:
    """A pact of names that a shell takes apart if they aren't quoted."""
    with Patient(broker, f"Sam's $HOME things {next(numbers)}") as made:
        made.options = ("--github-url", github.url)
        made.variables = {"PACT_DISPATCH_GITHUB_TOKEN": GITHUB_TOKEN}
        yield made


@pytest.fixture
def url(github: GitHubApi) -> str:
    return f"{github.url}/repos/{REPOSITORY}/dispatches"


def typed(patient: Patient, link: str, done: Done, folder: Path, begins: str = "", **variables: str) -> str:
    """Type the command that is advised for a broken link, the first one that begins so."""
    check = done.check(link)
    assert check["status"] == "broken", done.out
    todo = check["todo"].replace(done.report["broker"], patient.broker.url)  # it was asked through a proxy
    commands = [found[0] for found in COMMAND.finditer(todo) if found[0].startswith(begins)]
    assert commands, check["todo"]
    ran = subprocess.run(
        ["bash", "-c", commands[0]],
        env=environment(
            PATH=f"{BIN}:{os.environ['PATH']}", PACT_BROKER_BASE_URL=patient.broker.url, **variables
        ),
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ran.returncode == 0, (commands[0], ran.stdout, ran.stderr)
    return commands[0]


def healed(patient: Patient, link: str) -> None:
    done = patient.diagnose()
    assert done.check(link)["status"] != "broken", done.out


def test_a_disabled_webhook_is_enabled(patient: Patient, url: str, tmp_path: Path) -> None:
    patient.put_on_branch()
    patient.add_webhook(url, enabled=False)
    patient.publish()
    done = patient.diagnose()
    assert done.statuses["webhook-event"] == "ok"  # it is disabled, and nothing is wrong with its event
    typed(patient, "webhook-enabled", done, tmp_path)
    healed(patient, "webhook-enabled")


@pytest.mark.parametrize("has_versions", [True, False])
def test_a_webhook_gets_an_event_that_happens(
    patient: Patient, url: str, tmp_path: Path, *, has_versions: bool
) -> None:
    if has_versions:
        patient.put_on_branch()
    patient.add_webhook(url, RESULTS)
    patient.publish()
    typed(patient, "webhook-event", patient.diagnose(), tmp_path)
    healed(patient, "webhook-event")
    healed(patient, "provider-versions")
    patient.publish("2.0.0", OTHER)
    patient.wait_until_delivered()


def test_the_main_branch_is_one_that_exists(patient: Patient, url: str, tmp_path: Path) -> None:
    for branch in ("feature/x", "trunk"):
        patient.put_on_branch(branch=branch)
    patient.broker.request("PATCH", patient.pacticipant, json={"mainBranch": None})
    patient.add_webhook(url)
    patient.publish()
    typed(patient, "main-branch", patient.diagnose(), tmp_path)
    assert patient.broker.get(patient.pacticipant).json()["mainBranch"] == "trunk"
    healed(patient, "main-branch")
    healed(patient, "provider-versions")


def test_without_versions_another_event_triggers_the_webhook(
    patient: Patient, url: str, tmp_path: Path
) -> None:
    patient.broker.request("POST", "/pacticipants", json={"name": patient.provider, "mainBranch": "main"})
    patient.add_webhook(url)
    patient.publish()
    typed(patient, "provider-versions", patient.diagnose(), tmp_path, "pact-dispatch")
    healed(patient, "provider-versions")
    patient.publish("2.0.0", OTHER)
    patient.wait_until_delivered()


def test_the_latest_pact_is_sent(patient: Patient, github: GitHubApi, url: str, tmp_path: Path) -> None:
    patient.put_on_branch()
    patient.publish()
    patient.add_webhook(url)  # too late
    typed(patient, "delivery", patient.diagnose(), tmp_path, "pact-dispatch webhooks test")
    [dispatch] = github.repository(REPOSITORY).dispatches
    content = patient.broker.get(f"{patient.pair}/latest").json()["_links"]["pb:pact-version"]["href"]
    assert dispatch["client_payload"]["pact_url"].startswith(content)


def test_a_pact_that_is_not_the_latest_is_verified_itself(
    patient: Patient, github: GitHubApi, url: str, tmp_path: Path
) -> None:
    patient.put_on_branch()
    patient.publish("1.0.0", GOOD)
    patient.publish("2.0.0", OTHER)
    patient.add_webhook(url)
    done = patient.diagnose()
    assert "webhooks test" not in done.todo
    assert "the latest pact, 2.0.0" in done.todo
    with scripted_provider() as provider:
        (tmp_path / "pact-dispatch.toml").write_text(
            f'[verify]\nprovider-base-url = "{provider}"\n',
            encoding="utf-8",
        )
        typed(patient, "delivery", done, tmp_path, "verify", GIT_COMMIT=VERSION)
    assert github.repository(REPOSITORY).dispatches == []
    done = patient.diagnose()
    assert (done.code, done.statuses["result"]) == (0, "ok"), done.out


def test_a_renamed_repository_gets_its_name(
    patient: Patient, github: GitHubApi, url: str, tmp_path: Path
) -> None:
    patient.put_on_branch()
    patient.add_webhook(url)
    patient.publish()
    patient.wait_until_delivered()
    github.repository(REPOSITORY).moved_to = "acme/catalogue"
    done = patient.diagnose()
    github.repositories["acme/catalogue"] = Repository("acme/catalogue")
    typed(patient, "github-repository", done, tmp_path)
    healed(patient, "github-repository")


def test_a_body_without_an_event_type_gets_one(
    patient: Patient, github: GitHubApi, url: str, tmp_path: Path
) -> None:
    patient.put_on_branch()
    patient.add_webhook(url, body={"client_payload": {"pact_url": "${pactbroker.pactUrl}"}})
    patient.publish()
    patient.wait_until_delivered("failure")
    github.problems.clear()  # it was sent no event type
    typed(patient, "workflow", patient.diagnose(), tmp_path)
    healed(patient, "workflow")


def receiver(
    folder: Path, database_url: str, patient: Patient, base_url: str, command: str, wait: float = 30.0
) -> ReceiverProcess:
    how = {
        "name": patient.provider,
        "base_url": base_url,
        "version": VERSION,
        "branch": "main",
        "health_path": "/health",
        "wait": wait,
    }
    worker = {"retry_seconds": [0.2]}
    config = configuration(patient.broker.url, how, worker=worker, server={"processes": 1})
    return LocalReceiver(folder, config, command=command, database_url=database_url)


def test_a_receiver_queues_a_pact_that_is_not_the_latest(
    patient: Patient, tmp_path: Path, database_url: str
) -> None:
    with (
        scripted_provider() as provider,
        receiver(tmp_path, database_url, patient, provider, "serve") as server,
    ):
        patient.put_on_branch()
        patient.publish("1.0.0", GOOD)
        patient.publish("2.0.0", OTHER)
        patient.add_webhook(f"{server.url}/repos/{REPOSITORY}/dispatches", secret="receiverToken")
        patient.options = ("--receiver-url", server.url)
        patient.variables = {"PACT_DISPATCH_API_TOKEN": API_TOKEN}
        begins = "pact-dispatch reconcile"
        typed(patient, "delivery", patient.diagnose(), tmp_path, begins, DATABASE_URL=database_url)
        [run] = server.wait_for_runs()
        assert (run["consumer_version"], run["outcome"]) == ("1.0.0", "passed")
        done = patient.diagnose()
        assert (done.code, done.statuses["result"]) == (0, "ok"), done.out


def test_a_run_is_carried_out_again(patient: Patient, tmp_path: Path, database_url: str) -> None:
    nowhere = f"http://127.0.0.1:{closed_port()}"
    with receiver(tmp_path, database_url, patient, nowhere, "serve", wait=1.0) as server:
        patient.put_on_branch()
        patient.add_webhook(f"{server.url}/repos/{REPOSITORY}/dispatches", secret="receiverToken")
        patient.options = ("--receiver-url", server.url)
        patient.variables = {"PACT_DISPATCH_API_TOKEN": API_TOKEN}
        patient.publish(document=GOOD)
        server.wait_for_runs()
        patient.wait_until_delivered()
        done = patient.diagnose()
        typed(patient, "receiver-runs", done, tmp_path, PACT_DISPATCH_API_TOKEN=API_TOKEN)
        assert len(server.wait_for_runs(2)) == 2
