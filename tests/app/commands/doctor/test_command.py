"""`pact-dispatch doctor` names the first broken link: with a real broker and a loopback that plays GitHub."""

from __future__ import annotations

import json
import random
import re
from datetime import UTC, datetime, timedelta, timezone
from itertools import count
from typing import TYPE_CHECKING, Any
from unittest.mock import patch
from urllib.parse import quote

import jsonschema
import pytest

from app.commands.doctor import pact_state
from broker.client import BrokerClient
from broker.client.pact_results import results_of
from tests.support.diagnosis import (
    CHANGED,
    GITHUB_TOKEN,
    RECEIVER_TOKEN,
    REPOSITORY,
    REQUIRING,
    VERSION,
    Patient,
    doctor,
)
from tests.support.github_api import Fault, GitHubApi
from tests.support.github_state import READ, WRITE, Repository, Token
from tests.support.loopback import Loopback, Received, Reply, closed_port
from tests.support.paths import ROOT
from tests.support.processes import EmbeddedBroker
from tests.support.webhook_documents import OPEN

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from broker.client.pact_results import Result

WORKFLOW = "on:\n  repository_dispatch:\n    types: [pact_changed]\n"
PATH = ".github/workflows/pact_changed.yml"
OK = ("broker", "pact", "main-branch", "provider-versions", "webhook", "webhook-enabled", "webhook-event")
SCHEMA = json.loads((ROOT / "app" / "commands" / "doctor" / "doctor.schema.json").read_text(encoding="utf-8"))
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
def patient(broker: EmbeddedBroker) -> Iterator[Patient]:
    """A pact with a provider of its own: the broker is the whole module's."""
    with Patient(broker, f"Things-{next(numbers)}") as made:
        yield made


@pytest.fixture
def github() -> Iterator[GitHubApi]:
    """GitHub with one repository, whose workflow listens."""
    repository = Repository(REPOSITORY, files={PATH: WORKFLOW})
    with GitHubApi(repository, tokens=(Token(GITHUB_TOKEN),)) as api:
        yield api
        assert {asked.method for asked in api.asked if "/dispatches" not in asked.path} <= {"GET"}


@pytest.fixture
def with_github(patient: Patient, github: GitHubApi) -> Patient:
    """A pact whose webhook dispatches to GitHub, before it is published."""
    patient.put_on_branch()
    patient.add_webhook(f"{github.url}/repos/{REPOSITORY}/dispatches")
    patient.options = ("--github-url", github.url)
    patient.variables = {"PACT_DISPATCH_GITHUB_TOKEN": GITHUB_TOKEN}
    return patient


def repository_of(github: GitHubApi) -> Repository:
    return github.repositories[REPOSITORY]


# --- nothing is broken


def test_a_chain_that_holds_has_no_broken_link(with_github: Patient, github: GitHubApi) -> None:
    with_github.publish()
    with_github.wait_until_delivered()
    with_github.publish_result()
    done = with_github.diagnose()
    jsonschema.validate(done.report, SCHEMA)
    assert (done.code, done.first) == (0, None), done.out
    assert set(done.statuses.values()) == {"ok"}, done.out
    assert list(done.statuses)[7:] == [
        "delivery",
        "github-token",
        "github-repository",
        "workflow",
        "workflow-runs",
        "result",
    ]
    assert len([asked for asked in github.asked if asked.method == "POST"]) == 1  # the broker's
    text = with_github.diagnose(as_json=False)
    assert (text.code, "No broken link was found\n" in text.out) == (0, True)


def test_without_a_token_github_is_not_asked_and_what_is_needed_is_said(
    with_github: Patient, github: GitHubApi
) -> None:
    with_github.variables = {}
    with_github.publish()
    with_github.wait_until_delivered()
    with_github.publish_result()
    asked = len(github.asked)
    done = with_github.diagnose()
    assert done.code == 0
    assert done.check("workflow")["status"] == "unknown"
    assert "PACT_DISPATCH_GITHUB_TOKEN" in done.check("workflow")["todo"]
    assert len(github.asked) == asked


def test_a_token_goes_to_no_address_that_only_the_broker_names(
    with_github: Patient, github: GitHubApi
) -> None:
    enterprise = GitHubApi(Repository(REPOSITORY), tokens=(Token(GITHUB_TOKEN),), prefix="/api/v3")
    with enterprise, Loopback(lambda _: Reply(404)) as elsewhere:
        with_github.add_webhook(f"{enterprise.url}/repos/{REPOSITORY}/dispatches", CHANGED)
        for uuid in _uuids(with_github, github.url):
            with_github.broker.request("DELETE", f"/webhooks/{uuid}")
        with_github.options = ()
        with_github.publish()
        with_github.wait_until_delivered()
        asked = len(enterprise.asked)
        done = with_github.diagnose("--receiver-url", elsewhere.url)
        assert f"--github-url {enterprise.url}" in done.check("github-repository")["todo"]
        assert len(enterprise.asked) == asked
        assert elsewhere.received == []


def test_what_is_under_way_is_no_broken_link(with_github: Patient, github: GitHubApi) -> None:
    repository_of(github).next_run = ("in_progress", None)
    with_github.publish()
    with_github.wait_until_delivered()
    done = with_github.diagnose()
    assert (done.code, done.first) == (0, None)
    assert done.statuses["workflow-runs"] == done.statuses["result"] == "warning"


# --- the broker


def test_a_broker_that_is_away_can_not_be_asked() -> None:
    done = doctor(f"http://127.0.0.1:{closed_port()}", "--provider", "Products")
    assert (done.code, done.first) == (3, "broker")
    jsonschema.validate(done.report, SCHEMA)


def test_wrong_credentials_are_the_first_broken_link(tmp_path: Path) -> None:
    access = tmp_path / "access.toml"
    access.write_text('[[users]]\nname = "ci"\npassword = "rw-passw0rd"\naccess = "read-write"\n')
    access.chmod(0o600)
    variables = {"PACT_BROKER_USERNAME": "ci", "PACT_BROKER_PASSWORD": "rw-passw0rd-old"}
    with EmbeddedBroker(tmp_path, "--access", str(access)) as broker:
        done = doctor(broker.url, "--provider", "Products", variables=variables)
        assert (done.code, done.first) == (3, "broker")
        assert "401" in done.found
        right = doctor(
            broker.url,
            "--provider",
            "Products",
            variables={**variables, "PACT_BROKER_PASSWORD": "rw-passw0rd"},
        )
        assert (right.code, right.first) == (1, "pact")


# --- the pact


def test_a_name_that_is_misspelled_is_told_by_one_that_is_like_it(patient: Patient) -> None:
    patient.publish()
    done = patient.diagnose("--provider", patient.provider.lower())
    assert (done.code, done.first) == (1, "pact")
    assert patient.provider in done.found


def test_a_version_that_was_not_published_is_the_first_broken_link(patient: Patient) -> None:
    patient.publish("0.9.0")
    done = patient.diagnose()
    assert (done.code, done.first) == (1, "pact")
    assert "its latest is" in done.found


def test_a_version_that_has_no_pact_with_the_provider_is_told_from_an_unknown_one(patient: Patient) -> None:
    patient.publish("0.9.0")
    patient.broker.request(
        "PUT", f"/pacticipants/{quote(patient.consumer)}/branches/x/versions/1.0.0", json={}
    )
    done = patient.diagnose()
    assert (done.code, done.first) == (1, "pact")
    assert "has no pact with" in done.found


def test_a_provider_without_pacts(patient: Patient) -> None:
    patient.broker.request("POST", "/pacticipants", json={"name": patient.provider})
    done = patient.diagnose("--provider", patient.provider)
    assert (done.code, done.first) == (1, "pact")
    assert "no consumer has a pact" in done.found


# --- the provider's versions


def test_a_provider_without_a_main_branch_is_never_asked_to_verify(
    patient: Patient, github: GitHubApi
) -> None:
    patient.add_webhook(f"{github.url}/repos/{REPOSITORY}/dispatches")
    patient.publish()
    done = patient.diagnose("--github-url", github.url)
    assert (done.code, done.first) == (1, "main-branch")
    assert "--main-branch" not in done.todo  # it has no branch that could be the main one


def test_a_main_branch_without_versions_is_never_asked_to_verify(patient: Patient, github: GitHubApi) -> None:
    patient.add_webhook(f"{github.url}/repos/{REPOSITORY}/dispatches")
    patient.broker.request("PATCH", f"/pacticipants/{patient.provider}", json={"mainBranch": "main"})
    patient.publish()
    done = patient.diagnose("--github-url", github.url)
    assert (done.code, done.first) == (1, "provider-versions")


def test_other_events_need_no_provider_version(patient: Patient, github: GitHubApi) -> None:
    patient.add_webhook(f"{github.url}/repos/{REPOSITORY}/dispatches", CHANGED)
    patient.publish()
    patient.wait_until_delivered()
    done = patient.diagnose("--github-url", github.url)
    assert (done.code, done.first, done.statuses["result"]) == (0, None, "warning")  # a run may be under way
    assert done.statuses["main-branch"] == done.statuses["provider-versions"] == "warning"


# --- the webhook


def test_without_a_webhook_nobody_is_told(patient: Patient) -> None:
    patient.put_on_branch()
    patient.publish()
    done = patient.diagnose()
    assert (done.code, done.first) == (1, "webhook")
    assert f"pact-dispatch setup --provider {patient.provider} --repository" in done.todo


def test_a_webhook_for_another_consumer_is_none(patient: Patient, github: GitHubApi) -> None:
    patient.put_on_branch()
    patient.add_webhook(f"{github.url}/repos/{REPOSITORY}/dispatches", consumer="Mobile")
    patient.publish()
    assert patient.diagnose().first == "webhook"


def test_a_webhook_that_tells_a_chat_asks_for_no_verification(patient: Patient, github: GitHubApi) -> None:
    patient.put_on_branch()
    patient.add_webhook(f"{github.url}/chat", CHANGED, body={"text": "it changed"}, enabled=False)
    patient.publish()
    done = patient.diagnose()
    assert done.first == "webhook"
    assert "neither a dispatch" in done.found


def test_a_disabled_webhook_is_the_first_broken_link(patient: Patient, github: GitHubApi) -> None:
    patient.put_on_branch()
    uuid = patient.add_webhook(f"{github.url}/repos/{REPOSITORY}/dispatches", enabled=False)
    patient.publish()
    done = patient.diagnose("--github-url", github.url)
    assert (done.code, done.first) == (1, "webhook-enabled")
    assert done.todo == f"pact-dispatch webhooks update {uuid} --enable"


def test_a_webhook_for_results_alone_is_the_first_broken_link(patient: Patient, github: GitHubApi) -> None:
    patient.put_on_branch()
    uuid = patient.add_webhook(
        f"{github.url}/repos/{REPOSITORY}/dispatches", "provider_verification_published"
    )
    patient.publish()
    done = patient.diagnose("--github-url", github.url)
    assert (done.code, done.first) == (1, "webhook-event")
    assert done.todo == f"pact-dispatch webhooks update {uuid} --event {REQUIRING}"


# --- the delivery


def test_a_webhook_that_was_made_too_late_did_not_fire(with_github: Patient, github: GitHubApi) -> None:
    for uuid in _uuids(with_github, github.url):
        with_github.broker.request("DELETE", f"/webhooks/{uuid}")
    with_github.publish()
    uuid = with_github.add_webhook(f"{github.url}/repos/{REPOSITORY}/dispatches")
    done = with_github.diagnose()
    assert (done.code, done.first) == (1, "delivery")
    assert f"webhooks test {uuid}" in done.todo


def test_a_token_that_github_does_not_know_is_told_by_the_answer(
    with_github: Patient, github: GitHubApi
) -> None:
    github.tokens[0].revoked = True
    with_github.publish()
    with_github.wait_until_delivered("failure")
    done = with_github.diagnose()
    assert (done.code, done.first) == (1, "delivery")
    assert "401" in done.found
    assert "GitHub doesn't know the token" in done.todo
    assert done.statuses["github-token"] == "broken"


def test_a_token_without_the_right_is_told_by_the_answer(with_github: Patient, github: GitHubApi) -> None:
    github.tokens[0].rights["contents"] = READ
    with_github.publish()
    with_github.wait_until_delivered("failure")
    done = with_github.diagnose()
    assert (done.code, done.first) == (1, "delivery")
    assert "403" in done.found
    assert "contents: write" in done.todo


def test_a_repository_that_is_not_there_is_told_by_the_answer(patient: Patient, github: GitHubApi) -> None:
    patient.put_on_branch()
    patient.add_webhook(f"{github.url}/repos/acme/prodcuts/dispatches")
    patient.publish()
    patient.wait_until_delivered("failure")
    done = patient.diagnose("--github-url", github.url, PACT_DISPATCH_GITHUB_TOKEN=GITHUB_TOKEN)
    assert (done.code, done.first) == (1, "delivery")
    assert "404" in done.found
    assert done.statuses["github-repository"] == "broken"
    assert done.statuses["github-token"] != "broken"


def test_a_target_that_nobody_listens_at_is_told(patient: Patient) -> None:
    patient.put_on_branch()
    patient.add_webhook(f"http://127.0.0.1:{closed_port()}/repos/{REPOSITORY}/dispatches")
    patient.publish()
    patient.wait_until_delivered("failure")
    done = patient.diagnose()
    assert (done.code, done.first) == (1, "delivery")
    assert "Nothing listens" in done.todo


def test_a_delivery_that_failed_is_a_warning_once_the_result_is_there(
    with_github: Patient, github: GitHubApi
) -> None:
    github.tokens[0].revoked = True
    with_github.publish()
    with_github.wait_until_delivered("failure")
    github.tokens[0].revoked = False
    with_github.publish_result()
    done = with_github.diagnose()
    assert (done.code, done.first) == (0, None)
    assert done.statuses["delivery"] == "warning"


# --- GitHub


def test_a_token_that_has_expired_since_is_the_first_broken_link(
    with_github: Patient, github: GitHubApi
) -> None:
    header = {"GitHub-Authentication-Token-Expiration": "2020-01-02 03:04:05 UTC"}
    github.faults.append(Fault("POST", "/dispatches", 204, headers=header))
    with_github.variables = {}
    with_github.publish()
    with_github.wait_until_delivered()
    done = with_github.diagnose()
    assert (done.code, done.first) == (1, "github-token")
    assert "2020-01-02" in done.found


@pytest.mark.parametrize(
    ("expires", "status"),
    [
        (timedelta(days=-2), "broken"),
        (timedelta(0), "warning"),  # GitHub took it at that moment
        (timedelta(days=3), "warning"),
        (timedelta(days=30), "ok"),
    ],
)
@pytest.mark.parametrize("form", ["%Y-%m-%d %H:%M:%S UTC", "%Y-%m-%d %H:%M:%S +0200"])
def test_the_end_of_the_webhooks_token_is_read_in_each_form(
    with_github: Patient, github: GitHubApi, expires: timedelta, status: str, form: str
) -> None:
    zone = timezone(timedelta(hours=2)) if form.endswith("+0200") else UTC
    header = {"GitHub-Authentication-Token-Expiration": f"{datetime.now(zone) + expires:{form}}"}
    github.faults.append(Fault("POST", "/dispatches", 204, headers=header))
    with_github.publish()
    with_github.wait_until_delivered()
    assert with_github.diagnose().statuses["github-token"] == status


def test_a_token_that_github_has_just_taken_is_not_called_expired(with_github: Patient) -> None:
    with_github.publish()
    with_github.wait_until_delivered()
    with patch.object(GitHubApi, "_headers") as headers:
        headers.return_value = {"GitHub-Authentication-Token-Expiration": "2020-01-02 03:04:05 +0200"}
        token = with_github.diagnose().check("github-token")
    assert token["status"] == "warning"
    assert "valid until 2020-01-02 01:04 UTC: that is now" in token["found"]


def test_deliveries_of_a_broker_with_offsets_are_told_apart_by_their_times(
    with_github: Patient, github: GitHubApi
) -> None:
    github.tokens[0].revoked = True
    with_github.publish()
    with_github.wait_until_delivered("failure")

    def distort(body: bytes) -> bytes:
        # the same moments, as a broker elsewhere writes them
        def moved(match: re.Match[bytes]) -> bytes:
            moment = datetime.fromisoformat(match[0].decode())
            return moment.astimezone(timezone(timedelta(hours=-9, minutes=-30))).isoformat().encode()

        return re.sub(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", moved, body)

    done = with_github.diagnose(distort=distort)
    assert (done.code, done.first) == (1, "delivery")
    assert "401" in done.found


def test_the_verdict_comes_first_and_in_colour_on_a_terminal_alone(patient: Patient) -> None:
    patient.publish()
    plain = patient.diagnose(as_json=False).out
    assert plain.startswith("First broken link: webhook\n  no webhook for")
    assert "To fix it: " in plain.partition("\n\n")[0]
    assert "\x1b" not in plain
    coloured = patient.diagnose(as_json=False, FORCE_COLOR="1", TERM="xterm").out
    assert coloured.startswith("\x1b[1;31mFirst broken link: webhook\x1b[0m\n")
    uncoloured = re.sub(r"\x1b\[[0-9;]*m", "", coloured)
    assert re.sub(r"127\.0\.0\.1:\d+", "", uncoloured) == re.sub(r"127\.0\.0\.1:\d+", "", plain)
    assert "\x1b" not in patient.diagnose(FORCE_COLOR="1").out  # JSON


def test_a_token_that_expires_soon_is_warned_of(with_github: Patient, github: GitHubApi) -> None:
    github.tokens[0].expires = datetime.now(UTC) + timedelta(days=3)
    with_github.publish()
    with_github.wait_until_delivered()
    with_github.publish_result()
    done = with_github.diagnose()
    assert (done.code, done.check("github-token")["status"]) == (0, "warning")


def test_an_archived_repository_is_the_first_broken_link(with_github: Patient, github: GitHubApi) -> None:
    repository_of(github).archived = True
    with_github.publish()
    with_github.wait_until_delivered()
    assert with_github.diagnose().first == "github-repository"


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({}, "no workflow files"),
        ({PATH: WORKFLOW.replace("pact_changed", "contract_changed")}, "contract_changed"),
        ({PATH: "on: push\n"}, PATH),
        ({PATH: "on: [\n"}, "no YAML"),
    ],
)
def test_a_workflow_that_does_not_listen_is_the_first_broken_link(
    with_github: Patient, github: GitHubApi, files: dict[str, str], said: str
) -> None:
    with_github.publish()
    with_github.wait_until_delivered()
    repository_of(github).files = files
    done = with_github.diagnose()
    assert (done.code, done.first) == (1, "workflow")
    assert said in done.found
    assert "types: [pact_changed]" in done.todo


STARTED = "on: {workflow_dispatch: {inputs: {pact-url: {required: true}}}}\n"


@pytest.fixture
def with_workflow(patient: Patient, github: GitHubApi) -> Patient:
    """A pact whose webhook starts a workflow, with a token that can't push, before it is published."""
    patient.put_on_branch()
    url = f"{github.url}/repos/{REPOSITORY}/actions/workflows/pact_changed.yml/dispatches"
    patient.add_webhook(url, body={"ref": "main", "inputs": {"pact-url": "${pactbroker.pactUrl}"}})
    patient.options = ("--github-url", github.url)
    patient.variables = {"PACT_DISPATCH_GITHUB_TOKEN": GITHUB_TOKEN}
    github.tokens[0].rights = {"actions": WRITE, "contents": READ, "metadata": READ}
    repository_of(github).files = {PATH: STARTED}
    return patient


def test_a_workflow_dispatch_that_works_has_no_broken_link(with_workflow: Patient, github: GitHubApi) -> None:
    with_workflow.publish()
    with_workflow.wait_until_delivered()
    with_workflow.publish_result()
    done = with_workflow.diagnose()
    assert done.code == 0, done.out
    assert set(done.statuses.values()) == {"ok"}
    assert done.check("workflow")["found"] == f"{PATH} is started by workflow_dispatch"
    assert done.check("workflow-runs")["found"] == "1 since the delivery; the result is there"
    assert [run.event for run in repository_of(github).runs] == ["workflow_dispatch"]


@pytest.mark.parametrize(
    ("files", "disabled", "said"),
    [
        ({}, False, "there is no workflow pact_changed.yml on the default branch"),
        ({PATH: WORKFLOW}, False, "it is not started by workflow_dispatch"),
        ({PATH: "on: {workflow_dispatch: }\n"}, False, "its workflow_dispatch has no input pact-url"),
        ({PATH: STARTED}, True, "is started by workflow_dispatch, and is disabled"),
    ],
)
def test_a_workflow_that_can_not_be_started_is_the_first_broken_link(
    with_workflow: Patient,
    github: GitHubApi,
    files: dict[str, str],
    disabled: bool,  # noqa: FBT001
    said: str,
) -> None:
    with_workflow.publish()
    with_workflow.wait_until_delivered()
    repository_of(github).files = files
    repository_of(github).disabled_workflows = {PATH} if disabled else set()
    done = with_workflow.diagnose()
    assert (done.code, done.first) == (1, "workflow")
    assert said in done.found


def test_a_disabled_workflow_is_the_first_broken_link(with_github: Patient, github: GitHubApi) -> None:
    repository_of(github).disabled_workflows = {PATH}
    with_github.publish()
    with_github.wait_until_delivered()
    done = with_github.diagnose()
    assert (done.code, done.first) == (1, "workflow")
    assert "gh workflow enable pact_changed.yml" in done.todo


def test_a_run_that_failed_is_the_first_broken_link(with_github: Patient, github: GitHubApi) -> None:
    repository_of(github).next_run = ("completed", "failure")
    with_github.publish()
    with_github.wait_until_delivered()
    done = with_github.diagnose()
    assert (done.code, done.first) == (1, "workflow-runs")
    assert "/actions/runs/1" in done.found


# --- the result


def test_a_broken_contract_is_the_last_link(with_github: Patient) -> None:
    with_github.publish()
    with_github.wait_until_delivered()
    with_github.publish_result(success=False)
    done = with_github.diagnose()
    assert (done.code, done.first) == (1, "result")
    assert f"failed for {VERSION}" in done.found


def test_a_run_that_succeeded_and_published_nothing_leaves_the_result_missing(with_github: Patient) -> None:
    with_github.publish()
    with_github.wait_until_delivered()
    done = with_github.diagnose()
    assert (done.code, done.first) == (1, "result")
    assert done.statuses["workflow-runs"] == "warning"
    assert "latest from main branch" in done.found


def test_a_result_of_another_version_is_not_taken_for_it(with_github: Patient) -> None:
    with_github.publish()
    with_github.wait_until_delivered()
    with_github.publish_result("another")
    done = with_github.diagnose()
    assert (done.code, done.first) == (1, "result")
    assert "another (passed)" in done.found


# --- what is asked about


def test_all_pacts_of_a_provider_are_looked_at_and_github_is_asked_once(
    with_github: Patient, github: GitHubApi
) -> None:
    for consumer in ("Storefront", "Mobile"):
        with_github.consumer = consumer
        with_github.publish()
        with_github.wait_until_delivered()
    with_github.publish_result()
    asked = len(github.asked)
    done = with_github.diagnose("--provider", with_github.provider)
    chains = {chain["pact"]["consumer"]: chain["first_broken"] for chain in done.report["chains"]}
    assert chains == {"Storefront": "result", "Mobile": None}
    assert done.report["first_broken"]["pact"]["consumer"] == "Storefront"
    assert sum("/actions/runs" in one.path for one in github.asked[asked:]) == 1
    text = with_github.diagnose("--provider", with_github.provider, as_json=False)
    assert f"First broken link: result (Storefront 1.0.0 -> {with_github.provider})" in text.out


def test_all_providers_of_a_consumer_version_are_looked_at(patient: Patient) -> None:
    patient.publish()
    first, patient.provider = patient.provider, f"{patient.provider}-b"
    patient.publish("1.0.0")
    done = doctor(patient.broker.url, "--consumer", patient.consumer, "--version", "1.0.0")
    assert {chain["pact"]["provider"] for chain in done.report["chains"]} == {first, patient.provider}


@pytest.mark.parametrize("by", ["provider", "version"])
def test_a_pact_that_is_deleted_while_it_is_looked_for_is_none(
    patient: Patient, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    consumer, provider = patient.consumer, patient.provider
    patient.publish()
    if by == "provider":
        patient.consumer += "-b"
    else:
        patient.provider += "-b"
    patient.publish()
    read = BrokerClient.links

    def deleted(client: BrokerClient, document: Any, rel: str) -> list[str]:
        found = read(client, document, rel)
        if rel in {"pb:pacts", "pb:pact-versions"} and len(found) == 2:
            patient.broker.request("DELETE", f"{patient.pair}/version/1.0.0").raise_for_status()
        return found

    monkeypatch.setattr(BrokerClient, "links", deleted)
    asked = ("--provider", provider) if by == "provider" else ("--consumer", consumer, "--version", "1.0.0")
    done = doctor(patient.broker.url, *asked)
    assert [chain["pact"] for chain in done.report["chains"]] == [
        {"consumer": consumer, "consumer_version": "1.0.0", "provider": provider}
    ]
    assert done.code == 1


def test_a_result_of_a_version_that_has_become_the_latest_meanwhile_is_the_one_that_is_needed(
    patient: Patient, monkeypatch: pytest.MonkeyPatch
) -> None:
    patient.put_on_branch()
    patient.publish()

    def meanwhile(*arguments: Any) -> list[Result]:
        monkeypatch.setattr(pact_state, "results_of", results_of)
        patient.put_on_branch("a-later-one")
        patient.publish_result("a-later-one")
        return results_of(*arguments)

    monkeypatch.setattr(pact_state, "results_of", meanwhile)
    asked = ("--consumer", patient.consumer, "--version", "1.0.0", "--provider", patient.provider)
    done = doctor(patient.broker.url, *asked)
    assert done.check("result")["found"] == "passed for a-later-one"


def test_a_delivery_whose_log_is_deleted_while_it_is_looked_at_was_one(
    with_github: Patient, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_github.publish()
    with_github.wait_until_delivered()
    read = BrokerClient.link

    def deleted(client: BrokerClient, document: Any, rel: str, **parameters: str) -> str | None:
        found = read(client, document, rel, **parameters)
        return f"{found}-of-another" if rel == "pb:logs" else found

    monkeypatch.setattr(BrokerClient, "link", deleted)
    assert with_github.diagnose().statuses["delivery"] == "ok"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "what to look at"),
        (("--consumer", "Foo"), "go together"),
        (("--version", "1", "--provider", "P"), "go together"),
        (("--provider", ".."), "another place"),
        (("--provider", "P", "--github-url", "nope"), "--github-url"),
        (("--provider", "P", "--receiver-url", "http://u:p@h"), "--receiver-url"),
    ],
)
def test_a_wrong_command_is_refused(arguments: tuple[str, ...], said: str) -> None:
    done = doctor("http://127.0.0.1:9", *arguments)
    assert (done.code, done.out) == (2, "")
    assert said in done.err


def test_a_broker_must_be_given() -> None:
    done = doctor("", "--provider", "P")
    assert (done.code, "PACT_BROKER_BASE_URL" in done.err) == (2, True)


# --- hostile


def test_hostile_names_move_no_cursor_and_start_no_line(patient: Patient) -> None:
    patient.provider = f"Evil\x1b[2J\r\n::error::x ##[x] {patient.provider}"
    patient.publish()
    text = patient.diagnose(as_json=False)
    assert text.code == 1
    assert "\x1b" not in text.out
    assert "\r" not in text.out
    assert not any(line.lstrip().startswith("::") for line in text.out.splitlines())
    assert "##[" not in text.out
    assert "##[" not in patient.diagnose().out


def test_a_hostile_answer_is_bounded_and_escaped(patient: Patient) -> None:
    def answer(_: Received) -> Reply:
        return Reply(422, {"message": "\x1b[31mno\x07" * 100_000}, {"X-Evil": "y" * 5000})

    with Loopback(answer) as target:
        patient.put_on_branch()
        patient.add_webhook(f"{target.url}/repos/{REPOSITORY}/dispatches", secret=None)
        patient.publish()
        patient.wait_until_delivered("failure")
        done = patient.diagnose()
        assert (done.code, done.first) == (1, "delivery")
        assert len(done.out) < 20_000
        text = patient.diagnose(as_json=False)
        assert "\x1b" not in text.out
        assert "\x07" not in text.out


@pytest.mark.parametrize(
    "document",
    [
        [],
        {},
        {"_links": []},
        {"_links": {"pb:pacticipants": {"href": 1}}},
        {"_links": {"pb:pacticipants": {"href": "http://169.254.169.254/"}}},
        "text",
    ],
)
def test_a_broker_that_answers_nonsense_is_told_of(document: Any) -> None:
    with Loopback(lambda _: Reply(200, document)) as target:
        done = doctor(target.url, "--provider", "P")
    assert (done.code, done.first) == (3, "broker")


NONSENSE: tuple[Any, ...] = (
    None,
    1,
    "",
    "http://[",
    "\x1b[2J" * 1000,
    [],
    {},
    [[]],
    {"a": None},
    {"name": "\u0000"},
    True,
)


@pytest.mark.parametrize("kind", ["links", "members"])
def test_whatever_the_broker_answers_is_no_crash(with_github: Patient, kind: str) -> None:
    with_github.publish()
    with_github.wait_until_delivered()
    chosen = random.Random(kind)

    def distort(body: bytes) -> bytes:
        try:
            document = json.loads(body)
        except ValueError:
            return body
        return json.dumps(_distorted(document, chosen, kind)).encode()

    for _ in range(6):
        done = with_github.diagnose(as_json=False, distort=distort)
        assert done.code in {0, 1, 3}, done
        assert "\x1b" not in done.out


def _distorted(value: Any, chosen: random.Random, kind: str) -> Any:
    """Put nonsense into one of twenty places: the targets of links, or anything else."""
    if isinstance(value, list):
        return [_distorted(one, chosen, kind) for one in value]
    if not isinstance(value, dict):
        return value
    changed = {}
    for name, member in value.items():
        fits = name == "href" if kind == "links" else name not in {"href", "_links"}
        nonsense = fits and chosen.random() < 0.05
        changed[name] = chosen.choice(NONSENSE) if nonsense else _distorted(member, chosen, kind)
    return changed


def _uuids(patient: Patient, url: str) -> list[str]:
    links = patient.broker.get("/webhooks").json()["_links"]["pb:webhooks"]
    found = [patient.broker.get(link["href"]).json() for link in links]
    return [
        one["uuid"]
        for one in found
        if one["request"]["url"].startswith(url) and one.get("provider") == {"name": patient.provider}
    ]
