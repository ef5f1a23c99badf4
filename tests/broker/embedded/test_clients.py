"""Clients that nobody here wrote: the `pact broker` command, and pact-python's verifier."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.loopback import Loopback, Reply
from tests.support.processes import BIN, BrokerProcess, EmbeddedBroker

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ENVIRONMENT = {**os.environ, "PACT_DO_NOT_TRACK": "true", "no_proxy": "127.0.0.1"}

# The verifier runs in a process of its own: its native library keeps state and threads.
VERIFY = """
import sys
from pact import Verifier

broker_url, provider_url, version, branch, *selectors = sys.argv[1:]
verifier = Verifier("Bar", host="127.0.0.1").add_transport(url=provider_url)
if selectors:
    source = verifier.broker_source(broker_url, selector=True)
    for name in selectors:
        source = {
            "main": lambda: source.consumer_version(main_branch=True),
            "branch": lambda: source.consumer_version(branch="feat/x"),
            "tag": lambda: source.consumer_version(tag="dev", latest=True),
            "consumer": lambda: source.consumer_version(consumer="Foo", latest=True),
        }[name]()
    source.provider_branch(branch).build()
else:
    verifier.broker_source(broker_url)
verifier.set_publish_options(version, url="https://ci.example.org/1", branch=branch)
verifier.verify()
"""


@pytest.fixture
def provider_url() -> Iterator[str]:
    with Loopback(
        lambda asked: Reply(200, {"id": 1}) if asked.path == "/thing" else Reply(404, {})
    ) as server:
        yield server.url


def client(broker: EmbeddedBroker, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [str(BIN / "pact"), "broker", *arguments, "--broker-base-url", broker.url]
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        env=ENVIRONMENT,
        timeout=60,
        check=False,
        cwd=broker.directory,
    )


def publish(broker: EmbeddedBroker, pact: dict[str, Any], version: str, *options: str) -> str:
    file = broker.directory / "pact.json"
    file.write_text(json.dumps(pact))
    done = client(broker, "publish", str(file), "--consumer-app-version", version, *options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def verified(
    broker: EmbeddedBroker, version: str, *, success: bool, consumer_version: str = "latest"
) -> dict[str, Any]:
    path = "latest" if consumer_version == "latest" else f"version/{consumer_version}"
    pact = broker.get(f"/pacts/provider/Bar/consumer/Foo/{path}").json()
    answer = broker.request(
        "POST",
        pact["_links"]["pb:publish-verification-results"]["href"],
        json={"success": success, "providerApplicationVersion": version},
    )
    assert answer.status_code == 201
    result: dict[str, Any] = answer.json()
    return result


def test_publish_shows_the_notices(broker: EmbeddedBroker, pact: dict[str, Any]) -> None:
    shown = publish(
        broker, pact, "1.0.0", "--branch", "main", "--tag", "dev", "--build-url", "https://ci.example.org"
    )

    assert "Created Foo version 1.0.0 with branch main and tags dev" in shown
    assert "Pact successfully published for Foo version 1.0.0 and provider Bar." in shown
    version = broker.get("/pacticipants/Foo/versions/1.0.0").json()
    assert version["buildUrl"] == "https://ci.example.org"
    assert [branch["name"] for branch in version["_embedded"]["branchVersions"]] == ["main"]


def test_publish_of_changed_content_of_the_same_version_fails(
    broker: EmbeddedBroker, pact: dict[str, Any]
) -> None:
    publish(broker, pact, "1.0.0")
    pact["interactions"][0]["response"]["status"] = 201
    (broker.directory / "pact.json").write_text(json.dumps(pact))

    done = client(broker, "publish", "pact.json", "--consumer-app-version", "1.0.0")

    assert done.returncode == 1
    assert "Cannot change the content of the pact" in done.stdout + done.stderr


def test_can_i_deploy_one_version(broker: EmbeddedBroker, pact: dict[str, Any]) -> None:
    publish(broker, pact, "1.0.0", "--branch", "main")
    question = ("can-i-deploy", "--pacticipant", "Foo", "--version", "1.0.0")

    assert client(broker, *question).returncode == 1

    verified(broker, "bar-1", success=True)
    done = client(broker, *question)
    assert done.returncode == 0
    assert "All required verification results are published and successful" in done.stdout + done.stderr

    verified(broker, "bar-2", success=False)
    done = client(broker, *question)
    assert done.returncode == 1
    assert "failed" in done.stdout + done.stderr


def test_can_i_deploy_two_pacticipants(broker: EmbeddedBroker, pact: dict[str, Any]) -> None:
    publish(broker, pact, "1.0.0")
    question = (
        "can-i-deploy",
        "--pacticipant",
        "Foo",
        "--version",
        "1.0.0",
        "--pacticipant",
        "Bar",
        "--version",
    )

    assert client(broker, *question, "bar-1").returncode == 1
    verified(broker, "bar-1", success=True)
    verified(broker, "bar-2", success=False)

    assert client(broker, *question, "bar-1").returncode == 0
    assert client(broker, *question, "bar-2").returncode == 1


def test_can_i_deploy_the_latest(broker: EmbeddedBroker, pact: dict[str, Any]) -> None:
    publish(broker, pact, "1.0.0", "--tag", "dev")
    verified(broker, "bar-1", success=True)
    question = ("can-i-deploy", "--pacticipant", "Foo", "--latest")
    assert client(broker, *question).returncode == 0

    pact["interactions"][0]["response"]["status"] = 201
    publish(broker, pact, "2.0.0")

    assert client(broker, *question).returncode == 1
    assert client(broker, *question, "dev").returncode == 0
    assert client(broker, *question, "no-such-tag").returncode == 1


def test_can_i_deploy_to_a_tag(broker: EmbeddedBroker, pact: dict[str, Any]) -> None:
    publish(broker, pact, "1.0.0")
    verified(broker, "bar-1", success=True)
    verified(broker, "bar-2", success=False)
    question = ("can-i-deploy", "--pacticipant", "Foo", "--version", "1.0.0", "--to", "prod")

    assert client(broker, *question).returncode == 1, "no version of Bar is in prod"
    assert client(broker, "create-version-tag", "-a", "Bar", "-e", "bar-1", "--tag", "prod").returncode == 0
    assert client(broker, *question).returncode == 0
    assert client(broker, "create-version-tag", "-a", "Bar", "-e", "bar-2", "--tag", "prod").returncode == 0
    assert client(broker, *question).returncode == 1


def test_a_provider_can_be_deployed_only_where_it_satisfies_the_consumers_there(
    broker: EmbeddedBroker, pact: dict[str, Any]
) -> None:
    publish(broker, pact, "1.0.0", "--tag", "prod")
    verified(broker, "bar-1", success=True)
    verified(broker, "bar-2", success=False)

    for version, expected in (("bar-1", 0), ("bar-2", 1)):
        done = client(broker, "can-i-deploy", "--pacticipant", "Bar", "--version", version, "--to", "prod")
        assert done.returncode == expected, done.stdout + done.stderr
    done = client(broker, "can-i-deploy", "--pacticipant", "Bar", "--version", "bar-2", "--to", "test")
    assert done.returncode == 0, "no consumer is in test"


def test_can_i_deploy_waits_for_an_unknown_result(tmp_path: Path, pact: dict[str, Any]) -> None:
    with BrokerProcess(tmp_path, "--log-level", "info") as broker:
        publish(broker, pact, "1.0.0")
        command = [str(BIN / "pact"), "broker", "can-i-deploy", "--pacticipant", "Foo", "--version", "1.0.0"]
        command += ["--retry-while-unknown", "100", "--retry-interval", "1", "--broker-base-url", broker.url]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=ENVIRONMENT) as asking:
            broker.wait_for_output("GET /matrix")
            verified(broker, "bar-1", success=True)
            shown, _ = asking.communicate(timeout=60)

    assert asking.returncode == 0, shown


def test_versions_pacticipants_and_pacts_are_listed(broker: EmbeddedBroker, pact: dict[str, Any]) -> None:
    publish(broker, pact, "1.0.0", "--branch", "main", "--tag", "dev")

    for arguments, expected in (
        (("describe-version", "--pacticipant", "Foo", "--version", "1.0.0"), "1.0.0"),
        (("describe-version", "--pacticipant", "Foo"), "1.0.0"),
        (("describe-version", "--pacticipant", "Foo", "--latest", "dev"), "1.0.0"),
        (("describe-pacticipant", "--name", "Foo"), "Main Branch: main"),
        (("list-latest-pact-versions",), '"1.0.0"'),
        (("list-pacticipants",), '"Bar"'),
    ):
        done = client(broker, *arguments)
        assert done.returncode == 0, (arguments, done.stdout + done.stderr)
        assert expected in done.stdout, arguments


def test_pacticipants_versions_and_branches_are_changed(broker: EmbeddedBroker) -> None:
    for arguments in (
        ("create-or-update-pacticipant", "--name", "Baz/1", "--main-branch", "trunk"),
        ("create-or-update-pacticipant", "--name", "Baz/1", "--repository-url", "https://example.org/baz"),
        (
            "create-or-update-version",
            "--pacticipant",
            "Baz/1",
            "--version",
            "3",
            "--branch",
            "feat/x",
            "--tag",
            "t",
        ),
        ("delete-version-tag", "--pacticipant", "Baz/1", "--version", "3", "--tag", "t"),
        ("delete-branch", "--pacticipant", "Baz/1", "--branch", "feat/x"),
    ):
        done = client(broker, *arguments)
        assert done.returncode == 0, (arguments, done.stdout + done.stderr)
    pacticipant = broker.get("/pacticipants/Baz%2F1").json()
    assert (pacticipant["mainBranch"], pacticipant["repositoryUrl"]) == ("trunk", "https://example.org/baz")
    assert broker.get("/pacticipants/Baz%2F1/versions/3").json()["_embedded"] == {
        "branchVersions": [],
        "tags": [],
    }


@pytest.mark.parametrize(
    "selectors", [[], ["main"], ["branch"], ["tag"], ["consumer"], ["main", "branch", "tag"]]
)
def test_pact_python_verifies_and_publishes(
    broker: EmbeddedBroker, pact: dict[str, Any], provider_url: str, tmp_path: Path, selectors: list[str]
) -> None:
    broker.publish(pact, "1", branch="main", tags=("dev",))
    broker.publish(pact, "2", branch="feat/x")
    script = tmp_path / "verify.py"
    script.write_text(VERIFY)

    def verify(version: str) -> int:
        command = [sys.executable, str(script), broker.url, provider_url, version, "main", *selectors]
        return subprocess.run(command, env=ENVIRONMENT, timeout=60, check=False).returncode

    assert verify("good") == 0
    latest = broker.get("/verification-results/consumer/Foo/version/1/latest").json()
    assert latest["success"] is True
    result = latest["_embedded"]["verificationResults"][0]
    assert (result["providerApplicationVersion"], result["buildUrl"]) == ("good", "https://ci.example.org/1")
    assert result["testResults"]
    assert broker.get("/pacticipants/Bar/branches/main/latest-version").json()["number"] == "good"

    pact["interactions"][0]["request"]["path"] = "/nothing"
    broker.publish(pact, "3", branch="main", tags=("dev",))
    broker.publish(pact, "4", branch="feat/x")
    assert verify("bad") != 0
    latest = broker.get("/verification-results/consumer/Foo/version/4/latest").json()
    assert latest["providerSummary"] == {"successful": [], "failed": ["Bar"], "unknown": []}


def test_pact_python_verifies_the_url_of_a_webhook(
    broker: EmbeddedBroker, pact: dict[str, Any], provider_url: str
) -> None:
    """The form of URL that a real broker's webhook carries: the content, and the consumer version as metadata."""
    broker.publish(pact, "1.0.1", branch="main")
    content = broker.get("/pacts/provider/Bar/consumer/Foo/latest").json()["_links"]["pb:pact-version"][
        "href"
    ]
    code = (
        "import sys; from pact import Verifier\n"
        "verifier = Verifier('Bar', host='127.0.0.1').add_transport(url=sys.argv[2]).add_source(sys.argv[1])\n"
        "verifier.set_publish_options('v1', branch='main'); verifier.verify()"
    )
    url = f"{content}/metadata/Y3ZuPTEuMC4xJnc9dHJ1ZQ"

    done = subprocess.run(
        [sys.executable, "-c", code, url, provider_url], env=ENVIRONMENT, timeout=60, check=False
    )

    assert done.returncode == 0
