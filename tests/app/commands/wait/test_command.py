"""`pact-dispatch wait`: its verdicts beside those of the real client, and what it says while it waits."""

from __future__ import annotations

import json
import os
import re
import subprocess
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest

from app.commands.wait import command
from tests.support.commands import pact_dispatch
from tests.support.diagnosis import Patient
from tests.support.loopback import Loopback, Reply, closed_port
from tests.support.paths import EXCHANGES
from tests.support.processes import BIN, TIME_LIMIT, EmbeddedBroker
from tests.support.running import environment
from tests.support.webhook_documents import OPEN

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from subprocess import CompletedProcess

    from tests.support.loopback import Received

numbers = count(1)
ANSWERS = {
    path.stem: answer
    for folder in ("pacts", "deployments")
    for path in sorted((EXCHANGES / folder).glob("*.json"))
    if isinstance(answer := json.loads(path.read_text())["response"].get("body"), dict)
    and isinstance(answer.get("summary"), dict)
    and "deployable" in answer["summary"]
}
"""What a real Pact Broker 2.120.0 answered to questions of `can-i-deploy`."""


def wait(url: str, *options: str, name: str = "Foo", version: str = "1.0.0") -> CompletedProcess[str]:
    asked = ("--pacticipant", name, "--version", version, "--to-environment", "production")
    return pact_dispatch("wait", *asked, *options, environment=environment(PACT_BROKER_BASE_URL=url))


def real_client(url: str, name: str = "Foo", version: str = "1.0.0") -> int:
    asked = ("--pacticipant", name, "--version", version, "--to-environment", "production")
    return subprocess.run(
        [str(BIN / "pact"), "broker", "can-i-deploy", *asked, "--broker-base-url", url],
        capture_output=True,
        env={**os.environ, "PACT_DO_NOT_TRACK": "true", "no_proxy": "127.0.0.1"},
        timeout=TIME_LIMIT,
        check=False,
    ).returncode


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedBroker]:
    with EmbeddedBroker(tmp_path_factory.mktemp("wait"), *OPEN) as started:
        made = {"name": "production", "displayName": "Production", "production": True}
        started.request("POST", "/environments", json=made).raise_for_status()
        yield started


@pytest.fixture
def patient(broker: EmbeddedBroker) -> Iterator[Patient]:
    with Patient(broker, f"Awaited-{next(numbers)}") as made:
        yield made


def deploy(patient: Patient, version: str) -> None:
    broker, path = patient.broker, f"/pacticipants/{patient.provider}/versions/{version}"
    broker.request("PUT", path)
    [found] = broker.get("/environments").json()["_embedded"]["environments"]
    answer = broker.request("POST", f"{path}/deployed-versions/environment/{found['uuid']}", json={})
    assert answer.status_code == 201


@pytest.mark.parametrize("name", ANSWERS)
def test_the_verdict_on_a_real_brokers_answer_is_that_of_the_real_client(name: str) -> None:
    def answer(request: Received) -> Reply:
        return Reply(200, ANSWERS[name]) if request.path.startswith("/matrix") else Reply(404, {})

    summary = ANSWERS[name]["summary"]
    with Loopback(answer) as broker:
        done = wait(broker.url, "--timeout", "0")
        theirs = real_client(broker.url)
        ours, other = (one for one in broker.received if one.path.startswith("/matrix"))
    assert (done.returncode == 0) == (theirs == 0)
    expected = 0 if summary["deployable"] else 1 if summary["failed"] else 3
    assert done.returncode == expected, done.stdout + done.stderr
    if not summary["deployable"]:
        assert summary["reason"].splitlines()[0] in done.stdout
    assert ours.path.replace("%5B", "[").replace("%5D", "]") == other.path


def test_the_verdict_is_that_of_the_real_client_in_each_situation(patient: Patient) -> None:
    broker, consumer = patient.broker, patient.consumer

    def check(expected: int, text: str) -> None:
        done = wait(broker.url, "--timeout", "0", name=consumer)
        assert done.returncode == expected, done.stdout + done.stderr
        assert text in done.stdout
        assert (real_client(broker.url, consumer) == 0) == (expected == 0)

    patient.publish()
    check(3, "a version of")
    deploy(patient, "a")
    check(3, f"There is no verified pact between version 1.0.0 of {consumer}")
    patient.publish_result("b")
    check(3, "There is no verified pact")
    patient.publish_result("a", success=False)
    check(1, "See http")
    patient.publish_result("a")
    check(0, "may be deployed (to production)")
    unknown = wait(broker.url, name=consumer, version="9")
    assert unknown.returncode == 3
    assert "the broker knows no version 9" in unknown.stdout
    assert "its latest is 1.0.0" in unknown.stdout


def test_what_is_not_there_is_said_at_once(broker: EmbeddedBroker) -> None:
    nobody = wait(broker.url, name="Nobody of that name")
    assert (nobody.returncode, "Nobody of that name" in nobody.stderr) == (3, True)
    asked = ("--pacticipant", "X", "--version", "1", "--to-environment", "nowhere")
    nowhere = pact_dispatch("wait", *asked, environment=environment(PACT_BROKER_BASE_URL=broker.url))
    assert nowhere.returncode == 3
    assert wait(broker.url, version="..").returncode == 2
    for seconds in ("-1", "nan", "soon", "inf"):
        assert wait(broker.url, f"--timeout={seconds}").returncode == 2
    assert pact_dispatch("wait", "--version", "1", environment=environment()).returncode == 2


def test_why_a_result_is_missing_is_said_while_it_waits_and_at_the_end(
    patient: Patient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "PATIENCE_SECONDS", 0.0)
    patient.put_on_branch()
    patient.publish()
    deploy(patient, "a")
    done = wait(patient.broker.url, "--timeout", "0.1", name=patient.consumer)
    assert done.returncode == 3
    first, second, third = done.stderr.splitlines()[:3]
    assert f"waiting for the result of {patient.provider}" in first
    assert "There is no verified pact between version 1.0.0" in second
    assert "no webhook for the pact" in third
    assert "To do: create one: pact-dispatch setup --provider" in third
    assert "a result is missing after 0.1 s" in done.stdout
    assert "  To do: create one: pact-dispatch setup --provider" in done.stdout
    assert f"pact-dispatch doctor --consumer '{patient.consumer}' --version '1.0.0'" in done.stdout

    document: dict[str, Any] = json.loads(
        wait(patient.broker.url, "--timeout", "0", "--json", name=patient.consumer).stdout
    )
    assert document["verdict"] == "unknown"
    assert document["matrix"][0]["passed"] is None
    [reason] = document["waiting_for"]
    assert (reason["provider"], reason["link"]) == (patient.provider, "webhook")
    assert "create one" in reason["todo"]


def test_how_much_is_said_while_it_waits_is_chosen(patient: Patient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "PATIENCE_SECONDS", 0.0)
    patient.publish()
    deploy(patient, "a")

    def said(*options: str) -> str:
        done = wait(patient.broker.url, "--timeout", "0.1", *options, name=patient.consumer)
        assert done.returncode == 3
        assert "a result is missing after 0.1 s" in done.stdout
        return done.stderr

    waiting, reason = f"waiting for the result of {patient.provider}", "no webhook for the pact"
    debug = said("--log-level", "debug")
    assert re.search(rf"GET {re.escape(patient.broker.url)}/matrix\?\.\.\. answered 200 \(\d+ ms\)", debug)
    assert (waiting in debug, reason in debug) == (True, True)
    assert "GET " not in said()
    warning = said("--log-level", "warning")
    assert (waiting in warning, reason in warning) == (False, True)
    assert said("--log-level", "error") == ""
    assert wait(patient.broker.url, "--log-level", "loud").returncode == 2


def test_a_provider_that_is_not_in_the_environment_is_to_be_deployed_there_first(patient: Patient) -> None:
    patient.put_on_branch()
    patient.publish()
    done = wait(patient.broker.url, "--timeout", "0", name=patient.consumer)
    assert done.returncode == 3
    assert f"{patient.provider}: no version of it is recorded as deployed in production" in done.stdout
    assert f"record-deployment --pacticipant {patient.provider} --version VERSION" in done.stdout
    deploy(patient, "a")
    assert "record-deployment" not in wait(patient.broker.url, "--timeout", "0", name=patient.consumer).stdout


def test_a_run_under_way_at_the_target_is_no_reason_to_mend_anything(
    patient: Patient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "PATIENCE_SECONDS", 0.0)
    with Loopback(Reply(204)) as target:
        patient.put_on_branch()
        patient.add_webhook(f"{target.url}/repos/acme/products/dispatches", secret=None)
        patient.publish()
        deploy(patient, "a")
        patient.wait_until_delivered()
        done = wait(patient.broker.url, "--timeout", "0.1", name=patient.consumer)
    assert done.returncode == 3
    assert patient.provider in done.stderr
    assert "create one" not in done.stderr


def test_a_run_for_every_pact_is_waited_for_as_any_other_one(
    patient: Patient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "PATIENCE_SECONDS", 0.0)
    running = {"id": "7", "provider": patient.provider, "status": "running", "pact_url": None, "sha": None}
    running |= {"parent_id": None, "pact_urls": None, "consumer": None, "started_at": "2026-01-01T00:00:00Z"}

    def answer(request: Received) -> Reply:
        if "status=running" in request.path:
            return Reply(200, {"items": [running], "next": None})
        if request.path.startswith("/api/runs/7"):
            return Reply(200, running)
        return Reply(200, {"items": [], "next": None})

    patient.put_on_branch()
    patient.publish()
    deploy(patient, "a")
    with Loopback(answer) as receiver:
        asked = ("--pacticipant", patient.consumer, "--version", "1.0.0", "--to-environment", "production")
        url = environment(
            PACT_BROKER_BASE_URL=patient.broker.url, PACT_DISPATCH_API_TOKEN="a-token-for-reading-the-api"
        )
        done = pact_dispatch(
            "wait", *asked, "--timeout", "0.1", "--receiver-url", receiver.url, environment=url
        )
    assert done.returncode == 3
    said = (
        f"{patient.provider}: run 7 for every pact of {patient.provider} that the broker asks for is running"
    )
    assert said in done.stderr
    assert said in done.stdout
    assert "create one" not in done.stdout + done.stderr


def test_it_ends_when_the_result_comes(patient: Patient) -> None:
    patient.publish()
    deploy(patient, "a")
    asked = ("--pacticipant", patient.consumer, "--version", "1.0.0", "--to-environment", "production")
    waiting = subprocess.Popen(
        [BIN / "pact-dispatch", "wait", *asked],
        env=environment(PACT_BROKER_BASE_URL=patient.broker.url),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert waiting.stderr is not None
        assert f"waiting for the result of {patient.provider}" in waiting.stderr.readline()
        patient.publish_result("a")
        shown, _ = waiting.communicate(timeout=TIME_LIMIT)
    finally:
        waiting.kill()
    assert waiting.returncode == 0
    assert "may be deployed (to production)" in shown
    assert "passed" in shown


def test_a_broker_that_is_away_for_a_while_does_not_end_the_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "RETRY_SECONDS", 0.0)
    unknown, deployable = ANSWERS["255-can-i-deploy-environment-no"], ANSWERS["62-matrix-query-versions"]
    replies = [Reply(200, unknown), Reply(503, {}), Reply(drop=True), Reply(200, deployable)]
    with Loopback(replies) as broker:
        done = wait(broker.url)
    assert done.returncode == 0, done.stderr
    assert "the broker is away" in done.stderr


def test_a_broker_that_is_not_there_and_a_token_that_is_none_are_said_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(command, "RETRY_SECONDS", 0.0)
    port = closed_port()
    done = wait(f"http://127.0.0.1:{port}")
    assert (done.returncode, done.stdout) == (3, "")
    assert f"http://127.0.0.1:{port}" in done.stderr.splitlines()[-1]
    token = tmp_path / "token"
    token.write_text("not one\n")
    asked = ("--pacticipant", "X", "--version", "1", "--to-environment", "production")
    both = environment(PACT_BROKER_BASE_URL="http://127.0.0.1:1", PACT_DISPATCH_API_TOKEN_FILE=str(token))
    refused = pact_dispatch("wait", *asked, environment=both)
    assert (refused.returncode, "printable ASCII" in refused.stderr) == (2, True)
