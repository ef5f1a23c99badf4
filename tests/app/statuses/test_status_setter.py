"""Commit statuses, with real processes: GitHub gets each of them, in order, and a run never fails for them."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from app.records.run_changes import RunChanges
from tests.support.github_api import Fault, GitHubApi
from tests.support.github_state import READ, Repository, Token
from tests.support.pacts import interaction, pact
from tests.support.processes import EmbeddedBroker
from tests.support.receiver import LocalReceiver, ReceiverProcess, configuration
from tests.support.running import scripted_provider

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SECRET = "ghp_statuses0123456789abcdefghijklmno"
SHA = "0123456789" * 4
REPOSITORY = "acme/things"
CONTEXT = "pact/Storefront"
GOOD = interaction("a thing", "/things/1", body={"id": 1})
SOON_DEAD = {"stalled_seconds": 2.0}
BROKEN = interaction("another thing", "/things/2", body={"id": "two"})


@pytest.fixture
def api() -> Iterator[GitHubApi]:
    repository = Repository(REPOSITORY, commits={SHA})
    with GitHubApi(repository, tokens=(Token(SECRET),)) as server:
        yield server


@pytest.fixture(scope="module")
def provider() -> Iterator[str]:
    with scripted_provider() as url:
        yield url


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedBroker]:
    with EmbeddedBroker(tmp_path_factory.mktemp("broker")) as server:
        yield server


def pact_url(broker: EmbeddedBroker, version: str, *interactions: dict[str, Any]) -> str:
    broker.publish(pact(*interactions), version)
    return f"{broker.url}/pacts/provider/Things/consumer/Storefront/version/{version}"


def receiver(
    folder: Path,
    api: GitHubApi,
    broker: EmbeddedBroker,
    database_url: str,
    base_url: str,
    kind: type[ReceiverProcess] = LocalReceiver,
    **more: Any,
) -> ReceiverProcess:
    worker = {"retry_seconds": [0.3], "stop_seconds": 0.5, **more.pop("worker", {})}
    provider = {
        "name": "Things",
        "repository": REPOSITORY,
        "base_url": base_url,
        "health_path": "/health",
        "version": SHA,
        **more,
    }
    config = configuration(
        broker.url,
        provider,
        github={"api_url": api.url, "statuses": True, "retry_seconds": [0.3]},
        worker=worker,
        server={"processes": 1, "public_url": "https://pacts.acme.example/"},
        reconcile={"minutes": 0},
    )
    secrets = {"PACT_DISPATCH_GITHUB_TOKEN": SECRET}
    return kind(folder, config, database_url=database_url, environment=secrets)


def dispatch(server: ReceiverProcess, url: str) -> None:
    assert server.dispatch(url, repository=REPOSITORY, sha=SHA).status_code == 204


def states(api: GitHubApi) -> list[str]:
    return [status["state"] for status in api.repository(REPOSITORY).statuses]


def results(server: ReceiverProcess) -> list[tuple[str, str]]:
    rows = server.rows("SELECT state, result FROM commit_statuses ORDER BY id")
    return [(row["state"], row["result"]) for row in rows]


def sightings(server: ReceiverProcess) -> dict[str, Any]:
    return {row["name"]: row["found"] for row in server.rows("SELECT name, found FROM sightings")}


def wait_until_done(server: ReceiverProcess, number: int = 2) -> None:
    def done() -> bool:
        found = results(server)
        return len(found) >= number and all(result != "waiting" for _, result in found)

    server.wait_until(done, f"{number} statuses are done with", within=60)


def test_a_commit_is_pending_while_its_run_runs(
    api: GitHubApi, broker: EmbeddedBroker, provider: str, database_url: str, tmp_path: Path
) -> None:
    with receiver(tmp_path, api, broker, database_url, provider, request_timeout=100) as server:
        dispatch(server, pact_url(broker, "0.1", interaction("no answer", "/hang")))
        api.wait_for(lambda: states(api) == ["pending"])
        [run] = server.runs()
        assert run["status"] == "running"
        [pending] = api.repository(REPOSITORY).statuses
        assert pending == {
            "sha": SHA,
            "context": CONTEXT,
            "state": "pending",
            "description": "The pact with Storefront is being verified",
            "target_url": f"https://pacts.acme.example/runs/{run['id']}",
        }


def test_a_commit_has_the_result_of_its_last_run(
    api: GitHubApi, broker: EmbeddedBroker, provider: str, database_url: str, tmp_path: Path
) -> None:
    with receiver(tmp_path, api, broker, database_url, provider) as server:
        dispatch(server, pact_url(broker, "1.0", GOOD))
        api.wait_for(lambda: "success" in states(api))
        dispatch(server, pact_url(broker, "1.1", GOOD, BROKEN))
        api.wait_for(lambda: "failure" in states(api))
        wait_until_done(server, 4)
        assert [state for state in states(api) if state != "pending"] == ["success", "failure"]
        assert states(api)[-1] == "failure"
        texts = [status["description"] for status in api.repository(REPOSITORY).statuses]
        assert "1 interaction of Storefront 1.0 passed" in texts
        assert texts[-1] == "1 of 2 interactions of Storefront 1.1 failed"
        assert {result for _, result in results(server)} <= {"set", "superseded"}
        # what the dashboard tells of the broker and of the token, without asking either
        seen = {"broker": {"error": None}, "github-token": {"expires": None}}
        server.wait_until(lambda: sightings(server) == seen, "both were seen")
        assert SECRET not in server.output()


def test_a_provider_that_is_down_is_an_error_and_no_failure(
    api: GitHubApi, broker: EmbeddedBroker, database_url: str, tmp_path: Path
) -> None:
    with receiver(tmp_path, api, broker, database_url, "http://127.0.0.1:9", wait=0.1) as server:
        dispatch(server, pact_url(broker, "2.0", GOOD))
        server.wait_for_runs()
        wait_until_done(server)
        assert states(api)[-1] == "error"
        assert "Could not verify" in api.repository(REPOSITORY).statuses[-1]["description"]


def test_a_status_waits_for_a_github_that_is_away_and_the_run_does_not(
    api: GitHubApi, broker: EmbeddedBroker, provider: str, database_url: str, tmp_path: Path
) -> None:
    api.stop()
    with receiver(tmp_path, api, broker, database_url, provider) as server:
        dispatch(server, pact_url(broker, "3.0", GOOD))
        [run] = server.wait_for_runs()
        assert (run["outcome"], run["publishing"], run["error"]) == ("passed", "published", None)
        query = "SELECT error FROM commit_statuses WHERE attempts > 1"
        server.wait_until(lambda: server.rows(query), "it was tried again")
        api.start()
        wait_until_done(server)
        # what was overtaken while GitHub was away is left out
        assert results(server) == [("pending", "superseded"), ("success", "set")]
        assert api.repository(REPOSITORY).status_of(SHA, CONTEXT) == "success"


@pytest.mark.parametrize("status", [401, 404])
def test_a_refusal_is_kept_and_does_not_fail_the_run(
    api: GitHubApi, broker: EmbeddedBroker, provider: str, database_url: str, tmp_path: Path, status: int
) -> None:
    token = api.tokens[0]
    token.revoked, token.classic, token.rights = status == 401, True, {"contents": READ}
    with receiver(tmp_path, api, broker, database_url, provider) as server:
        dispatch(server, pact_url(broker, f"4.{status}", GOOD))
        [run] = server.wait_for_runs()
        assert (run["outcome"], run["error"]) == ("passed", None)
        wait_until_done(server)
        assert ("success", "refused") in results(server)
        [kept] = server.rows("SELECT error FROM commit_statuses WHERE state = 'success'")
        assert f"GitHub answered {status}" in kept["error"]
        server.wait_until(lambda: server.logged("commit status not set"), "it is logged")
        [entry, *_] = server.logged("commit status not set")
        assert entry["retry_in"] is None
        assert not states(api)
        assert SECRET not in server.output() + str(server.rows("SELECT * FROM commit_statuses"))


def test_a_pending_that_is_late_does_not_stand_in_the_place_of_the_result(
    api: GitHubApi, broker: EmbeddedBroker, provider: str, database_url: str, tmp_path: Path
) -> None:
    answered = threading.Event()
    held = Fault("POST", "/statuses/", 502, times=1, until=answered)
    api.faults.append(held)
    with receiver(tmp_path, api, broker, database_url, provider) as server:
        dispatch(server, pact_url(broker, "5.0", GOOD))
        server.wait_for_runs()
        server.wait_until(lambda: held.times == 0, "GitHub was asked")
        assert not states(api)
        answered.set()
        wait_until_done(server)
        assert results(server) == [("pending", "superseded"), ("success", "set")]
        assert states(api) == ["success"]


def test_a_status_outlives_the_worker_that_was_setting_it(
    api: GitHubApi, broker: EmbeddedBroker, provider: str, database_url: str, tmp_path: Path
) -> None:
    answered = threading.Event()
    api.faults.append(Fault("POST", "/statuses/", 0, until=answered))
    with receiver(tmp_path, api, broker, database_url, provider, ReceiverProcess, worker=SOON_DEAD) as server:
        dispatch(server, pact_url(broker, "6.0", GOOD))
        server.wait_for_runs()
        for worker in server.workers():
            worker.kill()
        api.faults.clear()
        answered.set()
        wait_until_done(server)
        assert results(server) == [("pending", "superseded"), ("success", "set")]
        assert states(api) == ["success"]
        assert SECRET not in server.output()


def test_a_pending_of_a_worker_that_was_frozen_gives_way_again(
    api: GitHubApi, broker: EmbeddedBroker, provider: str, database_url: str, tmp_path: Path
) -> None:
    answered = threading.Event()
    held = Fault("POST", "/statuses/", 201, times=1, after=True, until=answered)
    api.faults.append(held)
    with receiver(tmp_path, api, broker, database_url, provider, ReceiverProcess, worker=SOON_DEAD) as server:
        url = pact_url(broker, "6.1", interaction("no answer", "/hang"))
        dispatch(server, url)
        server.wait_until(lambda: held.times == 0, "the pending status is on its way")
        frozen = server.workers()
        for worker in frozen:
            worker.suspend()
        second = tmp_path / "second"
        second.mkdir()
        with ReceiverProcess(
            second,
            server.config.read_text(encoding="utf-8"),
            command="worker",
            database_url=database_url,
            environment={"PACT_DISPATCH_GITHUB_TOKEN": SECRET},
        ):
            try:
                api.wait_for(lambda: "failure" in states(api) or "error" in states(api))
                answered.set()
                api.wait_for(lambda: states(api)[-1] == "pending")
            finally:
                for worker in frozen:
                    worker.resume()
            api.wait_for(lambda: states(api)[-1] != "pending")


def test_a_provider_may_do_without_statuses(
    api: GitHubApi, broker: EmbeddedBroker, provider: str, database_url: str, tmp_path: Path
) -> None:
    with receiver(tmp_path, api, broker, database_url, provider, statuses=False) as server:
        dispatch(server, pact_url(broker, "7.0", GOOD))
        server.wait_for_runs()
        assert not results(server)
        assert not api.asked


def test_a_run_that_is_cancelled_between_its_attempts_does_not_stay_pending(
    api: GitHubApi, broker: EmbeddedBroker, database_url: str, tmp_path: Path
) -> None:
    late = {"retry_seconds": [1000]}
    with receiver(tmp_path, api, broker, database_url, "http://127.0.0.1:9", wait=0.1, worker=late) as server:
        dispatch(server, pact_url(broker, "8.0", GOOD))
        api.wait_for(lambda: states(api) == ["pending"])
        server.wait_until(lambda: server.runs()[0]["retry_at"], "it waits for its next attempt")
        with psycopg.connect(database_url) as connection:
            RunChanges().cancel(connection, server.runs()[0]["id"])
        api.wait_for(lambda: states(api) == ["pending", "error"])
        assert api.repository(REPOSITORY).statuses[-1]["description"] == "The verification was cancelled"
