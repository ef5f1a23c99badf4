"""A provider that changes, from a push to `can-i-deploy`: real processes all the way."""

from __future__ import annotations

import hashlib
import hmac
import json
import subprocess
import sys
from shlex import quote as quoted
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.broker_records import publish, results
from tests.support.origin import Origin
from tests.support.pacts import interaction, pact
from tests.support.paths import ROOT
from tests.support.processes import BIN, TIME_LIMIT, EmbeddedBroker
from tests.support.receiver import API_TOKEN, TOKEN, ReceiverProcess, configuration

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SECRET = "the-secret-of-the-webhook"
GOOD = interaction("a thing", "/things/1", body={"id": 1, "name": "thing"})
BROKEN = interaction("a thing", "/things/1", body={"id": 1, "price": 9.5})
SOURCE = (ROOT / "tests" / "support" / "scripted_provider.py").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedBroker]:
    with EmbeddedBroker(tmp_path_factory.mktemp("broker")) as started:
        yield started


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("receiver")


@pytest.fixture(scope="module")
def origins(folder: Path) -> dict[str, Origin]:
    return {name: Origin(folder / "git" / name) for name in ("Things", "Dying", "Slow")}


@pytest.fixture(scope="module")
def server(
    folder: Path, origins: dict[str, Origin], broker: EmbeddedBroker, module_database_url: str
) -> Iterator[ReceiverProcess]:
    options = {"Dying": " --die-after 1", "Slow": f" --holds-on {folder / 'held'}"}
    config = configuration(
        broker.url,
        *(
            {
                "name": name,
                "repository": f"acme/{name.lower()}",
                "checkout": {
                    "url": origin.url,
                    "command": f"{quoted(sys.executable)} provider.py{options.get(name, '')}",
                },
                "health_path": "/health",
            }
            for name, origin in origins.items()
        ),
        worker={"retry_seconds": [0.2, 0.2], "stalled_seconds": 5.0},
        server={"processes": 1, "public_url": "https://receiver.example.org/pacts"},
    )
    with ReceiverProcess(
        folder,
        config,
        database_url=module_database_url,
        environment={"PACT_DISPATCH_WEBHOOK_SECRET": SECRET},
    ) as started:
        yield started


def push(server: ReceiverProcess, repository: str, sha: str) -> None:
    """Deliver a push as GitHub does."""
    body = json.dumps(
        {
            "ref": "refs/heads/main",
            "after": sha,
            "deleted": False,
            "repository": {"full_name": repository, "default_branch": "main"},
        }
    ).encode()
    signature = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    answer = server.session.post(
        f"{server.url}/github/events",
        data=body,
        headers={
            "Content-Type": "application/json",
            "X-GitHub-Event": "push",
            "X-Hub-Signature-256": f"sha256={signature}",
        },
        timeout=TIME_LIMIT,
    )
    assert answer.status_code == 204, answer.text


def deploy(broker: EmbeddedBroker, *consumers: str) -> None:
    """Make an environment, and record that the consumers' versions 1 are deployed there."""
    made = broker.request("POST", "/environments", json={"name": "production", "production": True}).json()
    for consumer in consumers:
        path = f"/pacticipants/{consumer}/versions/1/deployed-versions/environment/{made['uuid']}"
        assert broker.request("POST", path, json={}).status_code == 201


def parent(server: ReceiverProcess, provider: str, status: str = "finished") -> dict[str, Any]:
    """Wait until the run for every pact of a provider has a status, and all of its results are told."""

    def found() -> dict[str, Any] | None:
        rows = server.rows(
            "SELECT * FROM runs WHERE provider = %s AND pact_url IS NULL AND status = %s "
            "AND NOT EXISTS (SELECT 1 FROM runs m WHERE m.parent_id = runs.id AND m.publishing = 'pending')",
            provider,
            status,
        )
        return rows[0] if rows else None

    run: dict[str, Any] = server.wait_until(found, f"the run of {provider} is {status}")
    return run


def api(server: ReceiverProcess, path: str) -> Any:
    answer = server.session.get(
        f"{server.url}{path}", headers={"Authorization": f"Bearer {API_TOKEN}"}, timeout=TIME_LIMIT
    )
    assert answer.status_code == 200, answer.text
    return answer.json() if "json" in answer.headers["Content-Type"] else answer.text


def test_a_push_has_every_pact_verified_and_can_i_deploy_has_its_answer(
    server: ReceiverProcess, origins: dict[str, Origin], broker: EmbeddedBroker
) -> None:
    sha = origins["Things"].commit({"provider.py": SOURCE})
    urls = {
        name: publish(broker, pact(what), name) for name, what in (("A", GOOD), ("B", BROKEN), ("C", GOOD))
    }
    broker.publish(pact(GOOD, consumer="Elsewhere"), "1", branch="not-merged")
    deploy(broker, "A", "B")

    push(server, "acme/things", sha)
    run = parent(server, "Things")

    assert (run["outcome"], run["provider_version"], run["sha"]) == ("failed", sha, sha)
    whole = api(server, f"/api/runs/{run['id']}")
    assert {one["consumer"]: one["outcome"] for one in whole["pacts"]} == {
        "A": "passed",
        "B": "failed",
        "C": "passed",
    }
    for one in whole["pacts"]:
        recorded = results(broker, urls[one["consumer"]])
        assert recorded is not None
        assert (recorded["providerApplicationVersion"], recorded["success"]) == (
            sha,
            one["outcome"] == "passed",
        )
        assert recorded["buildUrl"] == f"https://receiver.example.org/pacts/runs/{one['run_id']}"
    versions = broker.get(f"/pacticipants/Things/versions/{sha}").json()
    assert [branch["name"] for branch in versions["_embedded"]["branchVersions"]] == ["main"]
    for consumer, code in (("A", 0), ("B", 1)):
        asked = [str(BIN / "pact"), "broker", "can-i-deploy", "--broker-base-url", broker.url]
        asked += ["--pacticipant", "Things", "--version", sha, "--pacticipant", consumer, "--latest"]
        done = subprocess.run(asked, capture_output=True, text=True, check=False)
        assert done.returncode == code, done.stdout + done.stderr

    text = server.wait_until(
        lambda: log if "Can Things" in (log := api(server, f"/api/runs/{run['id']}/log")) else None,
        "the log tells what may be deployed",
    )
    assert text.count("listening on") == 1, "the provider was started once"
    assert f"Can Things {sha} be deployed? production: no, blocked by B 1 (failed)" in text
    assert parent(server, "Things")["publishing"] == "published"
    page = server.session.get(f"{server.url}/runs/{run['id']}", auth=("", API_TOKEN), timeout=TIME_LIMIT).text
    assert "Failed: 1 of 3 pacts" in page


def test_what_was_verified_before_the_provider_died_is_published(
    server: ReceiverProcess, origins: dict[str, Origin], broker: EmbeddedBroker
) -> None:
    urls = [publish(broker, pact(GOOD, provider="Dying"), name) for name in ("D1", "D2", "D3")]
    sha = origins["Dying"].commit({"provider.py": SOURCE})
    answer = server.session.post(
        f"{server.url}/repos/acme/dying/dispatches",
        json={"event_type": "provider_changed"},
        headers={"Authorization": f"Bearer {TOKEN}"},
        timeout=TIME_LIMIT,
    )
    assert answer.status_code == 204, answer.text
    run = parent(server, "Dying")

    assert (run["outcome"], run["error_kind"], run["provider_version"]) == ("error", "not-all-verified", sha)
    assert run["error"].startswith("2 pacts could not be verified. The first: the provider")
    verified = [(recorded := results(broker, url)) and recorded["success"] for url in urls]
    assert verified == [True, None, None]
    members = api(server, f"/api/runs/{run['id']}")["pacts"]
    assert [(one["consumer"], one["outcome"], one["publishing"]) for one in members] == [
        ("D1", "passed", "published"),
        ("D2", "error", "none"),
        ("D3", "error", "none"),
    ]


def test_a_worker_that_is_killed_loses_nothing_that_it_verified(
    server: ReceiverProcess, origins: dict[str, Origin], broker: EmbeddedBroker, folder: Path
) -> None:
    (folder / "held").touch()
    sha = origins["Slow"].commit({"provider.py": SOURCE})
    urls = [publish(broker, pact(GOOD, provider="Slow"), f"S{number}") for number in range(4)]
    push(server, "acme/slow", sha)

    def first_is_stored() -> bool:
        return bool(server.rows("SELECT 1 FROM runs WHERE provider = 'Slow' AND parent_id IS NOT NULL"))

    server.wait_until(first_is_stored, "one pact is verified")
    for worker in server.workers():
        worker.kill()
    (folder / "held").unlink()
    run = parent(server, "Slow")

    assert (run["outcome"], run["attempt"]) == ("passed", 2)
    members = server.rows("SELECT * FROM runs WHERE parent_id = %s", run["id"])
    assert sorted(member["consumer"] for member in members) == ["S0", "S1", "S2", "S3"]
    assert all((recorded := results(broker, url)) and recorded["success"] for url in urls)
