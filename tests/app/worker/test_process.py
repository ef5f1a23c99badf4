"""From an accepted dispatch to a result in the broker, and what may come between: all of it with real processes."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import signal
import sys
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from app.database.connections import open_pool
from app.records.run_changes import RunChanges
from tests.support.broker_records import count_results, publish
from tests.support.databases import away
from tests.support.faulty_broker import Fault, FaultyBroker
from tests.support.pacts import interaction, pact
from tests.support.processes import EmbeddedBroker
from tests.support.receiver import LocalReceiver, ReceiverProcess, configuration, wait_until
from tests.support.running import PROVIDER, scripted_provider

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

VERSION = "3f2c9d1e5a7b8c9d0e1f2a3b4c5d6e7f8a9b0c1d"
GOOD = pact(interaction("a thing", "/things/1", body={"id": 1, "name": "thing"}), provider="Products")
BROKEN = pact(interaction("a thing", "/things/1", body={"id": 2}), provider="Products")
HANGING = pact(interaction("a thing that never comes", "/hang"), provider="Products")
RUNNING = {"version": VERSION, "branch": "main", "health_path": "/health"}
QUICK = {
    "stalled_seconds": 3.0,
    "stop_seconds": 1.0,
    "retry_seconds": [0.2, 0.2],
    "publish_retry_seconds": [0.2],
}


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedBroker]:
    with EmbeddedBroker(tmp_path_factory.mktemp("broker")) as started:
        yield started


@pytest.fixture(scope="module")
def provider() -> Iterator[str]:
    with scripted_provider() as url:
        yield url


def receiver(
    folder: Path,
    database_url: str,
    broker_url: str,
    *providers: dict[str, Any],
    kind: type[ReceiverProcess] = LocalReceiver,
    **worker: Any,
) -> ReceiverProcess:
    config = configuration(broker_url, *providers, worker={**QUICK, **worker}, server={"processes": 1})
    return kind(folder, config, database_url=database_url)


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


def hang(server: ReceiverProcess, broker: EmbeddedBroker, consumer: str) -> tuple[dict[str, Any], Path]:
    """Have a run under way that doesn't end by itself; gives it, and the file with its grandchild's id."""
    server.dispatch(publish(broker, HANGING, consumer))
    pid_file = server.folder / "grandchild"
    server.wait_until(
        lambda: "Verifying" in "".join(row["text"] for row in server.rows("SELECT text FROM run_log_chunks")),
        "the run is under way",
    )
    return server.runs()[-1], pid_file


PROCESSES = "SELECT name, version FROM worker_processes"


def hanging(folder: Path) -> dict[str, Any]:
    grandchild = folder / "grandchild"
    return {"command": f"{PROVIDER} --grandchild {grandchild}", "request_timeout": 600.0, **RUNNING}


def gone(pid_file: Path) -> bool:
    pid = int(pid_file.read_text())
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def test_a_run_is_cancelled_waiting_or_running(
    tmp_path: Path, database_url: str, broker: EmbeddedBroker
) -> None:
    with receiver(tmp_path, database_url, broker.url, hanging(tmp_path)) as server:
        running, pid_file = hang(server, broker, "Cancelled")
        server.dispatch(publish(broker, GOOD, "CancelledWaiting"))
        waiting = server.runs()[-1]
        with open_pool(database_url, size=1) as pool:
            for run in (waiting, running):
                with pool.connection() as connection:
                    RunChanges().cancel(connection, run["id"])  # as /api does
        found = server.wait_for_runs(2, within=10)
        wait_until(lambda: gone(pid_file), "the provider is gone", within=10)

    assert [run["status"] for run in found] == ["cancelled", "cancelled"]
    assert [run["outcome"] for run in found] == [None, None]


def test_a_run_whose_worker_is_killed_is_taken_up_by_another_and_nothing_survives(
    tmp_path: Path, database_url: str, broker: EmbeddedBroker
) -> None:
    with receiver(tmp_path, database_url, broker.url, hanging(tmp_path), kind=ReceiverProcess) as server:
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
    with receiver(
        tmp_path, database_url, broker.url, hanging(tmp_path), kind=ReceiverProcess, stop_seconds=0.5
    ) as server:
        run, pid_file = hang(server, broker, "HandedBack")
        server.wait_until(lambda: len(server.rows(PROCESSES)) == 2, "it tells which process it is")
        assert {row["version"] for row in server.rows(PROCESSES)} == {version("pact-dispatch")}
        assert {row["name"] for row in server.rows(PROCESSES)} == {run["worker"]}
        assert server.stop() == 0
        assert gone(pid_file)
        assert server.rows(PROCESSES) == []
        [handed_back] = server.runs()
        assert (handed_back["status"], handed_back["attempt"]) == ("waiting", 1)
        server.start()
        server.wait_until(lambda: server.runs()[0]["attempt"] == 2, "it goes on")
        assert server.runs()[0]["id"] == run["id"]


def test_a_short_absence_of_the_database_ends_no_verification(
    tmp_path: Path, database_url: str, broker: EmbeddedBroker, postgres: str
) -> None:
    flag = tmp_path / "go"
    slow = f"sh -c 'while ! test -e {flag}; do sleep 0.05; done; exec {PROVIDER}'"
    with receiver(
        tmp_path, database_url, broker.url, {"command": slow, **RUNNING}, stalled_seconds=20
    ) as server:
        server.dispatch(publish(broker, GOOD, "Absence"))
        server.wait_until(lambda: server.runs() and server.runs()[0]["status"] == "running", "it runs")
        workers = [worker.pid for worker in server.workers()]
        with away(postgres, database_url):
            flag.touch()
            wait_until(lambda: not any(_provides(child) for child in server.descendants()), "it has verified")
        [run] = server.wait_for_runs()
        assert [worker.pid for worker in server.workers()] == workers
        assert not server.logged("worker left")

    assert (run["outcome"], run["publishing"], run["attempt"]) == ("passed", "published", 1)


def test_a_killed_supervisor_leaves_nothing_behind(
    tmp_path: Path, database_url: str, broker: EmbeddedBroker
) -> None:
    with receiver(
        tmp_path, database_url, broker.url, hanging(tmp_path), kind=ReceiverProcess, stop_seconds=0.5
    ) as server:
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
    command = shlex.join(["sh", "-c", f"{shlex.quote(sys.executable)} {script}; exec {PROVIDER}"])
    secrets = {
        "PACT_BROKER_USERNAME": "who",
        "PACT_BROKER_PASSWORD": "secret-of-the-broker",
        "PROVIDER_KEY": "key",
        "PGPASSWORD": "secret-of-the-database",
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
    hidden = {*secrets, "PACT_DISPATCH_TOKENS"}
    assert not hidden & set(environment)
    assert not [line for line in lines if "secret-of-the-broker" in line]
    assert "secret-of-the-broker" not in server.output()


def test_a_secret_that_is_missing_for_a_while_is_waited_for(
    tmp_path: Path, database_url: str, broker: EmbeddedBroker, provider: str
) -> None:
    key = tmp_path / "key"
    key.write_text("the-key-of-the-provider", encoding="utf-8")
    keyed = {"base_url": provider, "headers": {"X-Api-Key": {"file": str(key)}}, **RUNNING}
    waits: dict[str, Any] = {"retry_seconds": [0.2] * 20}
    with receiver(tmp_path, database_url, broker.url, keyed, **waits) as server:
        key.unlink()
        server.dispatch(publish(broker, GOOD, "Keyed"))
        server.wait_until(lambda: server.runs()[0]["error_kind"] == "configuration", "it is missed")
        assert str(key) in server.runs()[0]["error"]
        key.write_text("the-key-of-the-provider", encoding="utf-8")
        [run] = server.wait_for_runs()

    assert (run["outcome"], run["publishing"]) == ("passed", "published")
    assert "Traceback" not in server.output()


def _provides(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return "scripted_provider" in " ".join(process.cmdline())
    return False


def _alive(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


def _alive_pid(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
