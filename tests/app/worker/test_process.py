"""From an accepted dispatch to a result in the broker, and what may come between: all of it with real processes."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import shlex
import signal
import sys
import threading
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from app.database.connections import open_pool
from app.process.sign_of_life import SignOfLife, signs
from app.records.run_changes import RunChanges
from app.worker import process as worker_process
from tests.support.broker_records import count_results, publish
from tests.support.commands import pact_dispatch
from tests.support.databases import away
from tests.support.faulty_broker import Fault, FaultyBroker
from tests.support.pacts import interaction, pact
from tests.support.processes import EmbeddedBroker
from tests.support.receiver import (
    LocalReceiver,
    ReceiverProcess,
    command_line,
    configuration,
    is_alive,
    wait_until,
    with_providers_as_this_account,
)
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


def test_a_worker_that_is_told_to_stop_as_soon_as_it_starts_does_so_at_once(
    tmp_path: Path, database_url: str
) -> None:
    config = configuration("http://127.0.0.1:1", {"base_url": "http://127.0.0.1:1", **RUNNING})
    with ReceiverProcess(tmp_path, config, command="worker", database_url=database_url) as worker:
        assert worker.stop() == 0
        assert worker.logged("worker stopped")
        assert not worker.logged("worker left")


def test_a_signal_before_a_worker_takes_jobs_stops_it_as_any_other(tmp_path: Path, database_url: str) -> None:
    config = configuration("http://127.0.0.1:1", {"base_url": "http://127.0.0.1:1", **RUNNING})
    slow_start = (
        "import sys, time\n"
        "from app import cli\n"
        "from app.worker.process import Worker\n"
        "run = Worker.run\n"
        "def late(worker):\n"
        "    time.sleep(1)\n"
        "    return run(worker)\n"
        "Worker.run = late\n"
        "sys.exit(cli.main(sys.argv[2:]))\n"
    )
    with ReceiverProcess(
        tmp_path,
        with_providers_as_this_account(config),
        command="worker",
        database_url=database_url,
        prefix=(sys.executable, "-c", slow_start),
    ) as worker:
        assert worker.stop() == 0
        assert worker.logged("worker stopped")


def test_the_end_does_not_wait_for_what_nobody_answers() -> None:
    answered = threading.Event()

    async def ask() -> None:
        asyncio.get_running_loop().set_default_executor(worker_process.Threads(1))
        asked = asyncio.create_task(asyncio.to_thread(answered.wait))
        await asyncio.wait([asked], timeout=0.01)
        asked.cancel()

    ending = threading.Thread(target=lambda: asyncio.run(ask()))
    ending.start()
    try:
        ending.join(60)
        assert not ending.is_alive()
    finally:
        answered.set()
        ending.join()


def test_a_worker_that_leaves_takes_back_its_sign_of_life(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "_exit", sys.exit)
    life = SignOfLife(tmp_path, "host:7")
    life.give(30)
    unused: Any = None
    worker = worker_process.Worker(
        unused, unused, consumer=unused, status_jobs=unused, life=life, on_leave=unused
    )
    with pytest.raises(SystemExit, match=str(worker_process.LOST)):
        worker._leave(worker_process.LOST, "it lost its database")
    assert signs(tmp_path) == []


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
    return not _alive_pid(int(pid_file.read_text()))


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
        found = server.wait_for_runs(2)
        wait_until(lambda: gone(pid_file), "the provider is gone")

    assert [run["status"] for run in found] == ["cancelled", "cancelled"]
    assert [run["outcome"] for run in found] == [None, None]


def test_a_run_whose_worker_is_killed_is_taken_up_by_another_and_nothing_survives(
    tmp_path: Path, database_url: str, broker: EmbeddedBroker
) -> None:
    with receiver(
        tmp_path, database_url, broker.url, hanging(tmp_path), kind=ReceiverProcess, stalled_seconds=5.0
    ) as server:
        run, pid_file = hang(server, broker, "Killed")
        [worker] = server.workers()[:1]
        below = worker.children(recursive=True)
        first = pid_file.read_text()
        worker.kill()
        wait_until(lambda: not any(map(is_alive, below)), "no child survives")
        assert not _alive_pid(int(first))
        server.wait_until(lambda: server.runs()[-1]["attempt"] > 1, "it is taken up again")
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
        wait_until(lambda: gone(pid_file), "the provider is gone")
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
        wait_until(lambda: not any(map(is_alive, below)), "no process survives")
        assert gone(pid_file)


def test_a_frozen_worker_that_comes_back_publishes_nothing_twice(
    tmp_path: Path, database_url: str, broker: EmbeddedBroker
) -> None:
    flag = tmp_path / "go"
    slow = f"sh -c 'while ! test -e {flag}; do sleep 0.05; done; exec {PROVIDER}'"
    url = publish(broker, GOOD, "Frozen")
    with receiver(
        tmp_path, database_url, broker.url, {"command": slow, **RUNNING}, stalled_seconds=5.0
    ) as server:
        server.dispatch(url)
        server.wait_until(lambda: server.runs() and server.runs()[0]["status"] == "running", "it runs")
        [frozen] = server.workers()[:1]
        os.kill(frozen.pid, signal.SIGSTOP)
        config = server.config.read_text()
        other = tmp_path / "other"
        other.mkdir()
        with ReceiverProcess(other, config, command="worker", database_url=database_url):
            server.wait_until(lambda: server.runs()[0]["attempt"] > 1, "another takes it up")
            flag.touch()
            server.wait_for_runs()
            os.kill(frozen.pid, signal.SIGCONT)
            server.wait_until(
                # its child has stopped meanwhile, or ends now
                lambda: re.search("was cut off|has taken this run up|worker left", server.output()),
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
        "FOR_OTHERS": "key",
        "PGPASSWORD": "secret-of-the-database",
    }
    products = {"command": command, "environment": {"DATABASE_URL": "the-providers-own"}, **RUNNING}
    config = configuration(
        broker.url,
        products,
        {
            "name": "Others",
            "repository": "acme/others",
            "base_url": "http://127.0.0.1:1",
            "headers": {"X-Api-Key": {"env": "FOR_OTHERS"}},
            **RUNNING,
        },
        worker=QUICK,
    )
    with ReceiverProcess(tmp_path, config, database_url=database_url, environment=secrets) as server:
        server.dispatch(publish(broker, GOOD, "Environment"))
        server.wait_for_runs()
        lines = [" ".join(command_line(child)) for child in server.descendants()]
        environments = [json.loads(shown.read_text(encoding="utf-8"))]
        # no reload makes what another provider's secret was a variable like others
        without_others = with_providers_as_this_account(configuration(broker.url, products, worker=QUICK))
        server.config.write_text(without_others, encoding="utf-8")
        data_dir = str(server.folder / "data")
        done = pact_dispatch("reload", "--data-dir", data_dir, environment={})
        assert done.returncode == 0, done.stderr
        server.dispatch(publish(broker, GOOD, "EnvironmentAgain"))
        server.wait_for_runs(2)
        environments.append(json.loads(shown.read_text(encoding="utf-8")))

    hidden = {*secrets, "PACT_DISPATCH_TOKENS"}
    for environment in environments:
        assert environment["DATABASE_URL"] == "the-providers-own"
        assert not hidden & set(environment)
    assert not [line for line in lines if "secret-of-the-broker" in line]
    assert "secret-of-the-broker" not in server.output()


def test_a_secret_that_is_missing_for_a_while_is_waited_for(
    tmp_path: Path, database_url: str, broker: EmbeddedBroker, provider: str
) -> None:
    key = tmp_path / "key"
    key.write_text("the-key-of-the-provider", encoding="utf-8")
    keyed = {"base_url": provider, "headers": {"X-Api-Key": {"file": str(key)}}, **RUNNING}
    waits: dict[str, Any] = {"retry_seconds": [0.2] * 10 + [3.0] * 10}
    with receiver(tmp_path, database_url, broker.url, keyed, **waits) as server:
        key.unlink()
        server.dispatch(publish(broker, GOOD, "Keyed"))

        def missed() -> str | None:
            [run] = server.runs()
            return run["error"] if run["error_kind"] == "configuration" else None

        assert str(key) in server.wait_until(missed, "it is missed")
        key.write_text("the-key-of-the-provider", encoding="utf-8")
        [run] = server.wait_for_runs()

    assert (run["outcome"], run["publishing"]) == ("passed", "published")
    assert "Traceback" not in server.output()


def _provides(process: psutil.Process) -> bool:
    return "scripted_provider" in " ".join(command_line(process))


def _alive_pid(pid: int) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return is_alive(psutil.Process(pid))
    return False
