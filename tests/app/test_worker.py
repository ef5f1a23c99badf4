"""From an accepted dispatch to a result in the broker, and what may come between: all of it with real processes."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import sys
from contextlib import closing
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from tests.app.origin import Origin
from tests.faulty_broker import Fault, FaultyBroker
from tests.pacts import interaction, pact
from tests.processes import EmbeddedBroker
from tests.receiver import API_TOKEN, ReceiverProcess, configuration, wait_until
from tests.system.running import PROVIDER, ROOT, scripted_provider

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

VERSION = "3f2c9d1e5a7b8c9d0e1f2a3b4c5d6e7f8a9b0c1d"
GOOD = pact(interaction("a thing", "/things/1", body={"id": 1, "name": "thing"}), provider="Products")
BROKEN = pact(interaction("a thing", "/things/1", body={"id": 2}), provider="Products")
HANGING = pact(interaction("a thing that never comes", "/hang"), provider="Products")
RUNNING = {"version": VERSION, "branch": "main", "health_path": "/health"}
QUICK = {"stalled_seconds": 3.0, "retry_seconds": [0.2, 0.2], "publish_retry_seconds": [0.2]}


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedBroker]:
    with EmbeddedBroker(tmp_path_factory.mktemp("broker")) as started:
        yield started


@pytest.fixture(scope="module")
def provider() -> Iterator[str]:
    with scripted_provider() as url:
        yield url


def publish(broker: EmbeddedBroker, document: dict[str, Any], consumer: str, version: str = "1") -> str:
    """Publish a pact of another consumer, with content of its own; gives the URL that a webhook would have."""
    interactions = [
        {**each, "description": f"{each['description']} ({consumer})"} for each in document["interactions"]
    ]
    document = {**document, "consumer": {"name": consumer}, "interactions": interactions}
    broker.publish(document, version, branch="main")
    path = f"/pacts/provider/{document['provider']['name']}/consumer/{consumer}/version/{version}"
    return f"{broker.url}{path}"


def results(broker: EmbeddedBroker, pact_url: str) -> dict[str, Any] | None:
    """Ask the broker for the latest result of a pact."""
    links = broker.get(pact_url).json()["_links"]
    answer = broker.get(links["pb:latest-verification-results"]["href"])
    document: dict[str, Any] | None = answer.json() if answer.status_code == 200 else None
    return document


def count_results(broker: EmbeddedBroker, pact_url: str) -> int:
    """Count the results that were recorded for a pact's content."""
    sha = broker.get(pact_url).json()["_links"]["pb:pact-version"]["href"].rsplit("/", 1)[1]
    with closing(sqlite3.connect(broker.database)) as database:
        [count] = database.execute(
            "SELECT count(*) FROM verification_results JOIN pact_versions ON pact_versions.id = pact_version_id "
            "WHERE sha = ?",
            [sha],
        ).fetchone()
    return int(count)


def receiver(
    folder: Path, database_url: str, broker_url: str, *providers: dict[str, Any], **worker: Any
) -> ReceiverProcess:
    config = configuration(broker_url, *providers, worker={**QUICK, **worker}, server={"processes": 1})
    return ReceiverProcess(folder, config, database_url=database_url)


def test_a_dispatch_becomes_a_result_in_the_broker(
    tmp_path: Path, database_url: str, broker: EmbeddedBroker, provider: str
) -> None:
    good, broken = publish(broker, GOOD, "Good"), publish(broker, BROKEN, "Broken")
    with receiver(tmp_path, database_url, broker.url, {"base_url": provider, **RUNNING}) as server:
        assert server.dispatch(good).status_code == 204
        assert server.dispatch(broken).status_code == 204
        passed, failed = server.wait_for_runs(2)

    assert (passed["outcome"], failed["outcome"]) == ("passed", "failed")
    recorded = results(broker, good)
    assert recorded is not None
    assert (recorded["success"], recorded["providerApplicationVersion"]) == (True, VERSION)
    assert passed["result_url"] == recorded["_links"]["self"]["href"]
    assert (passed["consumer"], passed["consumer_version"], passed["interactions"]) == ("Good", "1", 1)
    recorded = results(broker, broken)
    assert recorded is not None
    assert recorded["success"] is False
    assert failed["attempt"] == 1  # a broken contract doesn't heal
    [log] = server.rows("SELECT text FROM run_logs WHERE run_id = %s", failed["id"])
    assert "failed: a thing" in log["text"]


def test_a_run_has_a_page_for_people(
    tmp_path: Path, database_url: str, broker: EmbeddedBroker, provider: str
) -> None:
    evil = pact(interaction("<script>alert(1)</script>", "/things/1", body={"id": 2}), provider="Products")
    running = {"base_url": provider, **RUNNING}
    down = {
        "name": "Down",
        "repository": "acme/down",
        "base_url": "http://127.0.0.1:1",
        "wait": 0.1,
        **RUNNING,
    }
    with receiver(tmp_path, database_url, broker.url, running, down, retry_seconds=[600]) as server:
        server.dispatch(publish(broker, evil, "Page"))
        server.wait_for_runs()
        server.dispatch(
            publish(broker, {**GOOD, "provider": {"name": "Down"}}, "Page"), repository="acme/down"
        )
        server.wait_until(lambda: server.runs()[-1]["retry_at"], "the second one waits")
        failed, waiting = (f"{server.url}/runs/{run['id']}" for run in server.runs())

        asked = server.session.get(failed, timeout=30)
        wrong = server.session.get(failed, auth=("me", "wrong-password"), timeout=30)
        page = server.session.get(failed, auth=("me", API_TOKEN), timeout=30)
        later = server.session.get(waiting, auth=("me", API_TOKEN), timeout=30)
        nothing = server.session.get(
            f"{server.url}/runs/{'0' * 8}-{'0' * 4}-{'0' * 4}-{'0' * 4}-{'0' * 12}",
            auth=("", API_TOKEN),
            timeout=30,
        )

    assert (asked.status_code, wrong.status_code, nothing.status_code) == (401, 401, 404)
    assert asked.headers["WWW-Authenticate"].startswith("Basic ")
    assert page.status_code == 200
    assert "Failed: 1 of 1 interaction" in page.text
    assert "&lt;script&gt;alert(1)" in page.text
    assert "<script" not in page.text
    assert "Published, confirmed" in page.text
    assert 'http-equiv="refresh"' not in page.text
    assert "Waiting for the next attempt" in later.text
    assert "did not become ready" in later.text
    assert 'http-equiv="refresh"' in later.text


def test_a_provider_that_is_started_is_stopped_again(
    tmp_path: Path, database_url: str, broker: EmbeddedBroker
) -> None:
    url = publish(broker, GOOD, "Started")
    command = {
        "command": f"sh -c 'echo it is $GREETING; exec {PROVIDER}'",
        "environment": {"GREETING": {"env": "THE_SECRET"}},
        **RUNNING,
    }
    config = configuration(broker.url, command, worker=QUICK, server={"processes": 1})
    environment = {"THE_SECRET": "never-to-be-seen"}
    with ReceiverProcess(tmp_path, config, database_url=database_url, environment=environment) as server:
        server.dispatch(url)
        [run] = server.wait_for_runs()
        assert not [child for child in server.descendants() if "scripted_provider" in str(child.cmdline())]
        assert "never-to-be-seen" not in server.output()

    assert run["outcome"] == "passed"
    [log] = server.rows("SELECT text FROM run_logs")
    assert "provider: listening on" in log["text"]
    assert "provider: it is ***" in log["text"]
    assert "never-to-be-seen" not in log["text"]


def test_an_outage_of_the_provider_is_tried_again_and_published_as_nothing(
    tmp_path: Path, database_url: str, broker: EmbeddedBroker
) -> None:
    url = publish(broker, GOOD, "Outage")
    down = {"base_url": "http://127.0.0.1:1", "wait": 0.2, **RUNNING}
    with receiver(tmp_path, database_url, broker.url, down) as server:
        server.dispatch(url)
        [run] = server.wait_for_runs()

    assert (run["outcome"], run["error_kind"], run["attempt"]) == ("error", "provider-not-ready", 3)
    assert results(broker, url) is None


def test_a_provider_that_comes_back_is_verified_after_all(
    tmp_path: Path, database_url: str, broker: EmbeddedBroker
) -> None:
    url = publish(broker, GOOD, "ComesBack")
    flag = tmp_path / "up"
    command = f"sh -c 'test -e {flag} && exec {PROVIDER}'"
    started = {"command": command, "wait": 5.0, **RUNNING}
    with receiver(tmp_path, database_url, broker.url, started, retry_seconds=[0.3] * 20) as server:
        server.dispatch(url)
        # a provider that ends at once can't be waited for, and isn't tried again
        [run] = server.wait_for_runs()
        assert (run["outcome"], run["error_kind"]) == ("error", "provider-died")
        flag.touch()
        server.dispatch(url)
        _, run = server.wait_for_runs(2)

    assert run["outcome"] == "passed"


def test_a_broker_that_is_away_is_waited_for(
    tmp_path: Path, database_url: str, broker: EmbeddedBroker, provider: str
) -> None:
    path = publish(broker, GOOD, "BrokerAway").removeprefix(broker.url)
    with FaultyBroker(broker.url, Fault("POST", "verification-results", status=0, times=3)) as proxy:
        proxy.rewrite = lambda body: body.replace(broker.url.encode(), proxy.url.encode())
        with receiver(tmp_path, database_url, proxy.url, {"base_url": provider, **RUNNING}) as server:
            server.dispatch(f"{proxy.url}{path}")
            [run] = server.wait_for_runs()

    assert (run["outcome"], run["publishing"], run["attempt"]) == ("passed", "published", 1)
    assert count_results(broker, f"{broker.url}{path}") == 1


def test_a_result_that_the_broker_refuses_is_no_success(
    tmp_path: Path, database_url: str, broker: EmbeddedBroker, provider: str
) -> None:
    path = publish(broker, GOOD, "Refused").removeprefix(broker.url)
    with FaultyBroker(broker.url, Fault("POST", "verification-results", status=403)) as proxy:
        proxy.rewrite = lambda body: body.replace(broker.url.encode(), proxy.url.encode())
        with receiver(tmp_path, database_url, proxy.url, {"base_url": provider, **RUNNING}) as server:
            server.dispatch(f"{proxy.url}{path}")
            [run] = server.wait_for_runs()

    assert (run["outcome"], run["publishing"], run["error_kind"]) == ("passed", "refused", "not-published")
    assert "403" in run["error"]


def test_another_version_than_the_one_asked_for_is_an_error_and_nothing_is_published(
    tmp_path: Path, database_url: str, broker: EmbeddedBroker, provider: str
) -> None:
    url = publish(broker, GOOD, "OtherVersion")
    with receiver(tmp_path, database_url, broker.url, {"base_url": provider, **RUNNING}) as server:
        server.dispatch(url, sha="0" * 40)
        server.dispatch(url, sha=VERSION[:10])
        other, same = server.wait_for_runs(2)

    assert (other["outcome"], other["error_kind"]) == ("error", "other-version")
    assert "0" * 40 in other["error"]
    assert VERSION in other["error"]
    assert same["outcome"] == "passed"
    assert count_results(broker, url) == 1


def test_the_version_is_what_the_provider_says(
    tmp_path: Path, database_url: str, broker: EmbeddedBroker, provider: str
) -> None:
    url = publish(broker, GOOD, "AskedVersion")
    asked = {
        "base_url": provider,
        "version_url": f"{provider}/things/7",
        "version_pointer": "/id",
        "health_path": "/health",
    }
    with receiver(tmp_path, database_url, broker.url, asked) as server:
        server.dispatch(url)
        [run] = server.wait_for_runs()

    assert (run["outcome"], run["provider_version"]) == ("passed", "7")


def test_the_dispatched_commit_is_checked_out_verified_and_published_for(
    tmp_path: Path, database_url: str, broker: EmbeddedBroker
) -> None:
    origin = Origin(tmp_path / "git" / "products")
    source = (ROOT / "tests" / "scripted_provider.py").read_text(encoding="utf-8")
    good = origin.commit({"provider.py": source})
    newer = origin.commit({"provider.py": source.replace('"name": "thing"', '"name": 7')})
    url = publish(broker, GOOD, "CheckedOut")
    checkout = {"url": origin.url, "command": f"{sys.executable} provider.py"}
    with receiver(
        tmp_path, database_url, broker.url, {"checkout": checkout, "health_path": "/health"}
    ) as server:
        server.dispatch(url, sha=good, branch="release")
        server.dispatch(url)
        server.dispatch(url, sha="0" * 40)
        runs = server.wait_for_runs(3)

    assert [(run["outcome"], run["provider_version"]) for run in runs] == [
        ("passed", good),
        ("failed", newer),
        ("error", None),
    ]
    assert (runs[0]["provider_branch"], runs[2]["error_kind"]) == ("release", "no-such-commit")
    matrix = broker.get("/matrix/provider/Products/consumer/CheckedOut").json()["matrix"]
    recorded = {
        row["provider"]["version"]["number"]: row["verificationResult"]["success"]
        for row in matrix
        if row["verificationResult"]
    }
    assert recorded == {good: True, newer: False}


def test_runs_of_one_provider_are_never_at_once_and_others_are(
    tmp_path: Path, database_url: str, broker: EmbeddedBroker
) -> None:
    others = {**GOOD, "provider": {"name": "Others"}}
    urls = [publish(broker, GOOD, f"Queued{number}") for number in range(3)]
    with receiver(
        tmp_path,
        database_url,
        broker.url,
        {"command": PROVIDER, **RUNNING},
        {"name": "Others", "repository": "acme/others", "command": PROVIDER, **RUNNING},
    ) as server:
        for url in urls:
            server.dispatch(url)
        server.dispatch(publish(broker, others, "Beside"), repository="acme/others")
        runs = server.wait_for_runs(4)

    assert {run["outcome"] for run in runs} == {"passed"}
    mine = [run for run in runs if run["provider"] == "Products"]
    for earlier, later in pairwise(mine):
        assert earlier["finished_at"] <= later["started_at"]
    [beside] = [run for run in runs if run["provider"] == "Others"]
    assert beside["started_at"] < mine[-1]["started_at"]


def hang(server: ReceiverProcess, broker: EmbeddedBroker, consumer: str) -> tuple[dict[str, Any], Path]:
    """Have a run under way that doesn't end by itself; gives it, and the file with its grandchild's id."""
    server.dispatch(publish(broker, HANGING, consumer))
    pid_file = server.folder / "grandchild"
    server.wait_until(
        lambda: "Verifying" in "".join(row["text"] for row in server.rows("SELECT text FROM run_logs")),
        "the run is under way",
    )
    return server.runs()[-1], pid_file


def hanging(folder: Path) -> dict[str, Any]:
    grandchild = folder / "grandchild"
    return {"command": f"{PROVIDER} --grandchild {grandchild}", "request_timeout": 600.0, **RUNNING}


def gone(pid_file: Path) -> bool:
    pid = int(pid_file.read_text())
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def test_a_run_is_cancelled_waiting_or_running(
    tmp_path: Path, database_url: str, broker: EmbeddedBroker
) -> None:
    from app import runs  # noqa: PLC0415 - the function that /api calls
    from app.database import open_pool  # noqa: PLC0415

    with receiver(tmp_path, database_url, broker.url, hanging(tmp_path)) as server:
        running, pid_file = hang(server, broker, "Cancelled")
        server.dispatch(publish(broker, GOOD, "CancelledWaiting"))
        waiting = server.runs()[-1]
        with open_pool(database_url, size=1) as pool:
            for run in (waiting, running):
                with pool.connection() as connection:
                    runs.cancel(connection, run["id"])
        found = server.wait_for_runs(2, within=10)
        wait_until(lambda: gone(pid_file), "the provider is gone", within=10)

    assert [run["status"] for run in found] == ["cancelled", "cancelled"]
    assert [run["outcome"] for run in found] == [None, None]


def test_a_run_whose_worker_is_killed_is_taken_up_by_another_and_nothing_survives(
    tmp_path: Path, database_url: str, broker: EmbeddedBroker
) -> None:
    with receiver(tmp_path, database_url, broker.url, hanging(tmp_path)) as server:
        run, pid_file = hang(server, broker, "Killed")
        [worker] = server.workers()[:1]
        below = worker.children(recursive=True)
        first = pid_file.read_text()
        worker.kill()
        wait_until(lambda: not any(_alive(child) for child in below), "no child survives", within=10)
        assert not _alive_pid(int(first))
        server.wait_until(lambda: server.runs()[-1]["attempt"] == 2, "it is taken up again", within=30)
        server.wait_until(lambda: pid_file.read_text() != first, "its provider is started again")
        assert server.runs()[-1]["id"] == run["id"]


def test_sigterm_hands_runs_back_and_they_go_on_at_the_next_start(
    tmp_path: Path, database_url: str, broker: EmbeddedBroker
) -> None:
    with receiver(tmp_path, database_url, broker.url, hanging(tmp_path), stop_seconds=0.5) as server:
        run, pid_file = hang(server, broker, "HandedBack")
        assert server.stop() == 0
        assert gone(pid_file)
        [handed_back] = server.runs()
        assert (handed_back["status"], handed_back["attempt"]) == ("waiting", 1)
        server.start()
        server.wait_until(lambda: server.runs()[0]["attempt"] == 2, "it goes on")
        assert server.runs()[0]["id"] == run["id"]


def test_a_killed_supervisor_leaves_nothing_behind(
    tmp_path: Path, database_url: str, broker: EmbeddedBroker
) -> None:
    with receiver(tmp_path, database_url, broker.url, hanging(tmp_path), stop_seconds=0.5) as server:
        _, pid_file = hang(server, broker, "Orphan")
        below = server.descendants()
        server.kill()
        wait_until(lambda: not any(_alive(child) for child in below), "no process survives", within=30)
        assert gone(pid_file)


def test_a_frozen_worker_that_comes_back_publishes_nothing_twice(
    tmp_path: Path, database_url: str, broker: EmbeddedBroker
) -> None:
    flag = tmp_path / "go"
    slow = f"sh -c 'while ! test -e {flag}; do sleep 0.05; done; exec {PROVIDER}'"
    url = publish(broker, GOOD, "Frozen")
    with receiver(tmp_path, database_url, broker.url, {"command": slow, **RUNNING}) as server:
        server.dispatch(url)
        server.wait_until(lambda: server.runs() and server.runs()[0]["status"] == "running", "it runs")
        [frozen] = server.workers()[:1]
        os.kill(frozen.pid, signal.SIGSTOP)
        config = server.config.read_text()
        other = tmp_path / "other"
        other.mkdir()
        with ReceiverProcess(other, config, command="worker", database_url=database_url):
            server.wait_until(lambda: server.runs()[0]["attempt"] == 2, "another takes it up", within=30)
            flag.touch()
            server.wait_for_runs()
            os.kill(frozen.pid, signal.SIGCONT)
            server.wait_until(
                lambda: "another worker has taken this run up" in server.output() or not frozen.is_running(),
                "the frozen one comes back",
            )
        [run] = server.runs()

    assert (run["outcome"], run["publishing"], run["publish_attempts"]) == ("passed", "published", 1)
    assert count_results(broker, url) == 1


def test_children_get_none_of_the_receivers_secrets(
    tmp_path: Path, database_url: str, broker: EmbeddedBroker
) -> None:
    shown = tmp_path / "environment.json"
    show = f"import json, os; json.dump(dict(os.environ), open({str(shown)!r}, 'w'))"
    script = tmp_path / "show.py"
    script.write_text(show, encoding="utf-8")
    command = f"sh -c '{sys.executable} {script}; exec {PROVIDER}'"
    secrets = {
        "PACT_BROKER_USERNAME": "who",
        "PACT_BROKER_PASSWORD": "secret-of-the-broker",
        "PROVIDER_KEY": "key",
    }
    config = configuration(
        broker.url,
        {"command": command, "environment": {"DATABASE_URL": "the-providers-own"}, **RUNNING},
        {
            "name": "Others",
            "repository": "acme/others",
            "base_url": "http://127.0.0.1:1",
            "headers": {"X-Api-Key": {"env": "PROVIDER_KEY"}},
            **RUNNING,
        },
        worker=QUICK,
    )
    with ReceiverProcess(tmp_path, config, database_url=database_url, environment=secrets) as server:
        server.dispatch(publish(broker, GOOD, "Environment"))
        server.wait_for_runs()
        lines = [" ".join(child.cmdline()) for child in server.descendants()]

    environment = json.loads(shown.read_text(encoding="utf-8"))
    assert environment["DATABASE_URL"] == "the-providers-own"
    hidden = {"PACT_BROKER_USERNAME", "PACT_BROKER_PASSWORD", "PROVIDER_KEY", "PACT_DISPATCH_TOKENS"}
    assert not hidden & set(environment)
    assert not [line for line in lines if "secret-of-the-broker" in line]
    assert "secret-of-the-broker" not in server.output()


def _alive(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


def _alive_pid(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
