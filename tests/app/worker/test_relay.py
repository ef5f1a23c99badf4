"""The relay, with real processes: dispatches reach GitHub as they came, or it is seen why not."""

from __future__ import annotations

import hmac
import json
import subprocess
import threading
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from app.config.file import load
from app.config.values import ConfigurationError
from app.records import counters
from app.records.counters import Series
from broker.text.secret_names import STARS
from tests.support.github_api import Fault, GitHubApi
from tests.support.github_state import READ, WRITE, Repository, Token
from tests.support.processes import BIN
from tests.support.receiver import API_TOKEN, LocalReceiver, ReceiverProcess, configuration
from tests.support.running import environment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SECRET = "ghp_relayed0123456789abcdefghijklmnop"
BROKER = "http://127.0.0.1:9"
PACT = f"{BROKER}/pacts/provider/Products/consumer/Storefront/pact-version/1/metadata/x"
SHA = "0123456789" * 4
GITHUB_EVENT = "contract_requiring_verification_published"


@pytest.fixture
def api() -> Iterator[GitHubApi]:
    with GitHubApi(Repository("acme/products"), Repository("acme/ci"), tokens=(Token(SECRET),)) as server:
        yield server


def receiver(
    folder: Path,
    api: GitHubApi,
    database_url: str,
    kind: type[ReceiverProcess] = LocalReceiver,
    command: str = "serve",
    **provider: Any,
) -> ReceiverProcess:
    """A receiver that relays; nobody answers at its broker."""
    config = configuration(
        BROKER,
        {"relay": True, **provider},
        github={"api_url": api.url, "retry_seconds": [0.2, 0.5]},
        worker={"stalled_seconds": 5.0, "warm": 0},
        server={"processes": 1},
        reconcile={"minutes": 0},
    )
    secrets = {"PACT_DISPATCH_GITHUB_TOKEN": SECRET, "PACT_DISPATCH_WEBHOOK_SECRET": "shared"}
    return kind(folder, config, command=command, database_url=database_url, environment=secrets)


def test_a_dispatch_is_passed_on_as_it_came(api: GitHubApi, database_url: str, tmp_path: Path) -> None:
    payload: dict[str, Any] = {
        "zeta": 1.5,
        "sha": SHA,
        "branch": "main",
        "message": "caf\u00e9 \0 \ud83d",
        "deep": {"b": [None], "a": {}},
    }
    with receiver(tmp_path, api, database_url) as server:
        assert server.dispatch(PACT, event_type=GITHUB_EVENT, **payload).status_code == 204
        [run] = server.wait_for_runs()
        assert (run["status"], run["outcome"], run["error"]) == ("finished", None, None)
        [dispatch] = api.repository("acme/products").dispatches
        assert dispatch == {"event_type": GITHUB_EVENT, "client_payload": {"pact_url": PACT, **payload}}
        assert list(dispatch["client_payload"]) == ["pact_url", *payload]
        [relayed] = server.rows("SELECT * FROM relays")
        assert (relayed["repository"], relayed["event_type"]) == ("acme/products", GITHUB_EVENT)
        assert relayed["request_id"] == "ABCD:1"
        with psycopg.connect(database_url) as connection:
            ended = list(counters.read(connection).named(counters.ENDED))
        assert ended == [(Series.of(counters.ENDED, provider="Products", outcome="relayed"), 1)]
        server.wait_until(lambda: server.logged("passed on"), "it is logged, which comes after it is stored")
        [entry] = server.logged("passed on")
        assert entry["repository"] == "acme/products"
        assert SECRET not in server.output()


def test_what_was_passed_on_is_kept_without_its_secrets(
    api: GitHubApi, database_url: str, tmp_path: Path
) -> None:
    payload: dict[str, Any] = {
        "zeta": 1.5,
        "deploy_token": "hidden-value",
        "message": f"with {SECRET}",
        "alpha": [1],
    }
    with receiver(tmp_path, api, database_url) as server:
        secret = server.dispatch(PACT, **payload).headers["X-GitHub-Request-Id"]
        plain = server.dispatch(f"{PACT}y", message="nothing to hide").headers["X-GitHub-Request-Id"]
        server.wait_for_runs(2)
        sent = [dispatch["client_payload"] for dispatch in api.repository("acme/products").dispatches]
        assert {"pact_url": PACT, **payload} in sent  # GitHub got it whole
        rows = server.rows("SELECT client_payload::text AS text, redacted FROM relays ORDER BY redacted")
        assert [row["redacted"] for row in rows] == [False, True]
        assert json.loads(rows[1]["text"]) == {
            "pact_url": PACT,
            "zeta": 1.5,
            "deploy_token": STARS,
            "message": f"with {STARS}",
            "alpha": [1],
        }
        for table in ("relays", "deliveries", "runs", "run_log_chunks"):
            stored = str(server.rows(f"SELECT * FROM {table}"))
            assert "hidden-value" not in stored
            assert SECRET not in stored

        # what is not whole any more is not passed on a second time, what is whole is
        answers = [
            server.session.post(
                f"{server.url}/api/deliveries/{delivery}/redeliver",
                headers={"Authorization": f"Bearer {API_TOKEN}"},
                timeout=60,
            )
            for delivery in (secret, plain)
        ]
        assert [answer.status_code for answer in answers] == [409, 201]
        assert answers[0].json()["message"] == (
            "it can't be delivered again: it was passed on, and what may be a secret in it was not kept since. "
            "Send the webhook again"
        )
        server.wait_for_runs(3)
        assert [one["client_payload"] for one in api.repository("acme/products").dispatches].count(
            {"pact_url": f"{PACT}y", "message": "nothing to hide"}
        ) == 2


def test_it_may_go_to_another_repository_as_another_event(
    api: GitHubApi, database_url: str, tmp_path: Path
) -> None:
    relay = {"repository": "acme/ci", "event_type": "verify"}
    with receiver(tmp_path, api, database_url, relay=relay) as server:
        server.dispatch(PACT)
        server.wait_for_runs()
        assert api.repository("acme/ci").dispatches == [
            {"event_type": "verify", "client_payload": {"pact_url": PACT}}
        ]


INPUTS = "{pact-url: {required: true}, sha: {}, branch: {}}"


@pytest.mark.parametrize("ref", [None, "trunk"])
def test_it_may_start_a_workflow_with_a_token_that_can_not_push(
    api: GitHubApi, database_url: str, tmp_path: Path, ref: str | None
) -> None:
    repository = api.repository("acme/products")
    repository.default_branch = "trunk"
    repository.files[".github/workflows/pact.yml"] = f"on: {{workflow_dispatch: {{inputs: {INPUTS}}}}}"
    api.tokens[0].rights = {"actions": WRITE, "contents": READ, "metadata": READ}
    relay = {"workflow": "pact.yml", **({"ref": ref} if ref else {})}
    with receiver(tmp_path, api, database_url, relay=relay) as server:
        server.dispatch(PACT, sha=SHA, branch="main", message="not an input")
        [run] = server.wait_for_runs()
        assert (run["status"], run["error"]) == ("finished", None)
    [started] = repository.started
    assert (started["workflow"], started["ref"]) == (".github/workflows/pact.yml", "trunk")
    assert started["inputs"] == {"pact-url": PACT, "sha": SHA, "branch": "main"}
    assert repository.dispatches == []


def test_a_workflow_that_can_not_be_started_is_an_error_that_says_why(
    api: GitHubApi, database_url: str, tmp_path: Path
) -> None:
    api.repository("acme/products").files[".github/workflows/pact.yml"] = "on: push"
    api.tokens[0].rights = {"actions": WRITE, "contents": READ, "metadata": READ}
    with receiver(tmp_path, api, database_url, relay={"workflow": "pact.yml"}) as server:
        server.dispatch(PACT)
        [run] = server.wait_for_runs()
    assert (run["outcome"], run["error_kind"]) == ("error", "github-refused")
    assert "could not start the workflow pact.yml of acme/products: GitHub answered 422" in run["error"]
    assert "'workflow_dispatch' trigger" in run["error"]


@pytest.mark.parametrize(
    ("relay", "said"),
    [
        ({"workflow": "pact.yml", "event_type": "x"}, "give one"),
        ({"ref": "main"}, "there is no workflow"),
        ({"workflow": "../x.yml"}, "workflow"),
    ],
)
def test_a_relay_goes_one_way(tmp_path: Path, relay: dict[str, str], said: str) -> None:
    file = tmp_path / "pact-dispatch.toml"
    file.write_text(configuration(BROKER, {"relay": relay}))
    with pytest.raises(ConfigurationError, match=said):
        load(file, {})


def test_a_github_that_is_away_gets_every_dispatch_when_it_is_back(
    api: GitHubApi, database_url: str, tmp_path: Path
) -> None:
    with receiver(tmp_path, api, database_url) as server:
        api.stop()
        for number in range(5):
            assert server.dispatch(PACT, message=f"number {number}").status_code == 204

        tried: dict[Any, str] = {}

        def all_were_tried() -> bool:
            tried.update(
                {run["id"]: run["error"] for run in server.runs() if run["error_kind"] == "github-away"}
            )
            return len(tried) == 5

        server.wait_until(all_were_tried, "each was tried")
        assert all("can't be reached" in error for error in tried.values())
        api.start()
        server.wait_for_runs(5)
        got = {
            dispatch["client_payload"]["message"] for dispatch in api.repository("acme/products").dispatches
        }
        assert got == {f"number {number}" for number in range(5)}
        assert {run["outcome"] for run in server.runs()} == {None}


def test_the_same_dispatch_while_one_waits_is_passed_on_once(
    api: GitHubApi, database_url: str, tmp_path: Path
) -> None:
    with receiver(tmp_path, api, database_url) as server:
        api.stop()
        server.dispatch(PACT, message="the same")
        server.wait_until(lambda: server.runs()[0]["retry_at"], "it waits for its next attempt")
        for _ in range(3):
            assert server.dispatch(PACT, message="the same").status_code == 204
        api.start()
        assert 1 <= len(server.wait_for_runs()) <= 4
        assert len(server.rows("SELECT * FROM deliveries")) == 4


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault("POST", "/dispatches", 401, "Bad credentials"), "was revoked or has expired: make a new one"),
        (Fault("POST", "/dispatches", 404, "Not Found"), "Contents: write"),
    ],
    ids=["401", "404"],
)
def test_a_refusal_is_seen_in_history_and_log(
    api: GitHubApi, database_url: str, tmp_path: Path, fault: Fault, error: str
) -> None:
    api.faults.append(fault)
    with receiver(tmp_path, api, database_url) as server:
        server.dispatch(PACT)
        [run] = server.wait_for_runs()
        assert (run["status"], run["outcome"], run["error_kind"]) == ("finished", "error", "github-refused")
        assert error in run["error"]
        assert run["error"].startswith("could not pass a dispatch on to acme/products: GitHub answered")
        server.wait_until(
            lambda: server.logged("not passed on"), "it is logged, which comes after it is stored"
        )
        [entry] = server.logged("not passed on")
        assert entry["level"] == "error"
        assert api.count("POST", "/dispatches") == 1
        assert SECRET not in server.output() + str(server.rows("SELECT * FROM runs, run_log_chunks"))


def test_a_rate_limit_is_waited_for_as_github_says(api: GitHubApi, database_url: str, tmp_path: Path) -> None:
    api.faults.append(Fault.secondary_rate_limit(2))
    with receiver(tmp_path, api, database_url) as server:
        server.dispatch(PACT)
        server.wait_for_runs()
        server.wait_until(
            lambda: server.logged("not passed on"), "it is logged, which comes after it is stored"
        )
        [entry] = server.logged("not passed on")
        assert entry["retry_in"] == 2
        assert [asked.answered for asked in api.asked] == [403, 204]


def test_a_dispatch_outlives_the_worker_that_was_passing_it_on(
    api: GitHubApi, database_url: str, tmp_path: Path
) -> None:
    answered = threading.Event()
    api.faults.append(Fault("POST", "/dispatches", 0, times=1, until=answered))
    with receiver(tmp_path, api, database_url, ReceiverProcess) as server:
        server.dispatch(PACT, message="kept")
        server.wait_until(lambda: api.faults[0].times == 0, "GitHub was asked")
        for worker in server.workers():
            worker.kill()
        answered.set()
        [run] = server.wait_for_runs()
        assert run["outcome"] is None
        assert run["attempt"] > 1
        [dispatch] = api.repository("acme/products").dispatches
        assert dispatch["client_payload"]["message"] == "kept"
        assert SECRET not in server.output()


def test_a_worker_that_is_stopped_finishes_what_it_is_passing_on(
    api: GitHubApi, database_url: str, tmp_path: Path
) -> None:
    answered = threading.Event()
    held = Fault("POST", "/dispatches", 204, times=1, after=True, until=answered)
    api.faults.append(held)
    with receiver(tmp_path, api, database_url) as server:
        server.dispatch(PACT)
        server.wait_until(lambda: held.times == 0, "GitHub was asked")
        for worker in server.workers():
            worker.terminate()
        answered.set()
        [run] = server.wait_for_runs()
        assert (run["outcome"], run["attempt"]) == (None, 1)
        assert len(api.repository("acme/products").dispatches) == 1


def test_what_was_passed_on_is_not_passed_on_again(api: GitHubApi, database_url: str, tmp_path: Path) -> None:
    with receiver(tmp_path, api, database_url, command="web") as server:
        headers = {"Authorization": "Bearer a-token-of-the-broker", "User-Agent": "pact-dispatch relay"}
        body = {"event_type": "pact_changed", "client_payload": {"pact_url": PACT}}
        response = server.session.post(
            f"{server.url}/repos/acme/products/dispatches", json=body, headers=headers, timeout=60
        )
        assert response.status_code == 422
        assert "isn't passed on a second time" in response.text
        assert not server.runs()


def test_an_event_of_the_repository_that_is_relayed_to_is_refused(
    api: GitHubApi, database_url: str, tmp_path: Path
) -> None:
    with receiver(tmp_path, api, database_url, command="web") as server:
        document = {"action": "pact_changed", "client_payload": {"pact_url": PACT}}
        body = json.dumps({**document, "repository": {"full_name": "acme/Products"}}).encode()
        signature = hmac.new(b"shared", body, "sha256").hexdigest()
        headers = {"X-GitHub-Event": "repository_dispatch", "X-Hub-Signature-256": f"sha256={signature}"}
        headers["Content-Type"] = "application/json"
        url = f"{server.url}/github/events"
        response = server.session.post(url, data=body, headers=headers, timeout=60)
        assert response.status_code == 422
        [delivery] = server.rows("SELECT * FROM deliveries")
        assert delivery["refusal"] == "loop"
        assert not server.runs()


def configured(folder: Path, **sections: Any) -> str:
    provider = {"relay": True, **sections.pop("provider", {})}
    (folder / "pact-dispatch.toml").write_text(configuration(BROKER, provider, **sections), encoding="utf-8")
    with pytest.raises(ConfigurationError) as caught:
        load(folder / "pact-dispatch.toml", {})
    return str(caught.value)


def test_a_relayed_provider_has_nothing_to_verify_with(tmp_path: Path) -> None:
    assert "base_url and relay" in configured(tmp_path, provider={"base_url": "http://p"})
    assert "version is for verifying" in configured(tmp_path, provider={"version": "1"})
    assert "must be true, or a table" in configured(tmp_path, provider={"relay": "yes"})
    assert "none of them" in configured(tmp_path, provider={"relay": False})
    assert "must be OWNER/REPO" in configured(tmp_path, provider={"relay": {"repository": "products"}})


def test_a_receiver_that_would_relay_to_itself_does_not_start(tmp_path: Path) -> None:
    mistake = configured(
        tmp_path,
        github={"api_url": "https://pacts.acme.example"},
        server={"public_url": "https://pacts.acme.example/"},
    )
    assert "to this receiver itself" in mistake


def test_a_relay_without_credentials_does_not_start(database_url: str, tmp_path: Path) -> None:
    (tmp_path / "pact-dispatch.toml").write_text(configuration(BROKER, {"relay": True}), encoding="utf-8")
    command = [str(BIN / "pact-dispatch"), "serve", "--bind", "127.0.0.1:0", "--data-dir", str(tmp_path)]
    done = subprocess.run(
        [*command, "--config", str(tmp_path / "pact-dispatch.toml")],
        env=environment(DATABASE_URL=database_url),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 2
    assert "(Products).relay needs credentials for GitHub" in done.stderr
