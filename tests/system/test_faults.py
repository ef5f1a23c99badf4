"""What may go wrong around the receiver, with real processes: nothing that was accepted is lost."""

from __future__ import annotations

import os
import random
import shutil
import signal
import socket
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from app.database.connections import database
from tests.support.dispatch_storm import (
    STEPS,
    NotingProvider,
    WorkerKiller,
    aftermath,
    noting_providers,
    publish_pacts,
    send,
)
from tests.support.faulty_broker import Fault, FaultyBroker
from tests.support.processes import BIN, EmbeddedBroker
from tests.support.receiver import TOKEN, ReceiverProcess, configuration, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

QUICK = {"stalled_seconds": 5.0, "retry_seconds": [0.2] * 20, "publish_retry_seconds": [0.2]}
LONG = 80.0


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[EmbeddedBroker]:
    folder = tmp_path / "broker"
    folder.mkdir()
    with EmbeddedBroker(folder) as started:
        yield started


def configured(broker_url: str, providers: list[NotingProvider], **worker: Any) -> str:
    return configuration(
        broker_url,
        *(provider.settings for provider in providers),
        worker={**QUICK, **worker},
        server={"processes": 1},
    )


def test_nothing_is_lost_and_nothing_overlaps_while_workers_are_killed(
    tmp_path: Path, database_url: str, broker: EmbeddedBroker
) -> None:
    with noting_providers(tmp_path, 2) as providers:
        asked = publish_pacts(broker, providers, 60)
        config = configured(broker.url, providers, stalled_seconds=2.0)
        with (
            ReceiverProcess(tmp_path, config, "--workers", "2", database_url=database_url) as receiver,
            ThreadPoolExecutor(1) as beside,
        ):
            with WorkerKiller(receiver, every=0.6, most=3) as killer:
                sending = beside.submit(
                    send, receiver.url, asked, clients=4, deadline=time.monotonic() + LONG
                )
                receiver.wait_until(lambda: killer.over, "three workers were killed", within=LONG)
                sending.result()
            receiver.wait_for_runs(len(asked), within=LONG)
            found = aftermath(receiver, broker, providers, asked)

    assert found.lost == ()
    assert found.overlaps == ()


def test_a_worker_that_stands_still_has_stopped_its_run_before_another_one_takes_it_up(
    tmp_path: Path, database_url: str, broker: EmbeddedBroker
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    with noting_providers(tmp_path, 1, takes=0.2) as [provider]:
        asked = publish_pacts(broker, [provider], 1, steps_of_each=30)
        config = configured(broker.url, [provider], stalled_seconds=4.0)
        with (
            ReceiverProcess(tmp_path, config, database_url=database_url) as receiver,
            ReceiverProcess(other, config, command="worker", database_url=database_url),
        ):
            send(receiver.url, asked, clients=1, deadline=time.monotonic() + LONG)
            receiver.wait_until(provider.lines, "it is verified")
            [run] = receiver.runs()
            at_work = int(run["worker"].rpartition(":")[2])
            os.kill(at_work, signal.SIGSTOP)  # and nobody stops its child
            try:
                receiver.wait_until(
                    lambda: receiver.runs()[0]["attempt"] > run["attempt"], "another takes it up"
                )
                [run] = receiver.wait_for_runs(within=LONG)
            finally:
                os.kill(at_work, signal.SIGCONT)

    assert run["outcome"] == "passed"
    assert provider.overlaps() == []


def test_two_runs_of_one_provider_at_once_would_be_noticed(tmp_path: Path) -> None:
    provider = NotingProvider("Provider0", "http://127.0.0.1:1", tmp_path / "notes")

    def overlaps(*lines: str) -> int:
        provider.notes.write_text("".join(f"1.0 {line}\n" for line in lines), encoding="utf-8")
        return len(provider.overlaps())

    def step(number: int, pact: int) -> tuple[str, str]:
        return f"begin /things/{number}/{pact}", f"end /things/{number}/{pact}"

    assert overlaps(*step(0, 7), *step(1, 7), *step(0, 8), *step(1, 8), *step(0, 7)) == 0
    assert overlaps(*step(0, 7), *step(0, 8), *step(1, 7)) == 1
    assert overlaps(*step(0, 7), *step(0, 7), *step(1, 7), *step(1, 7)) == 1
    assert overlaps(step(0, 7)[0], *step(0, 8)) == 1


def test_while_the_database_is_away_nothing_is_accepted_and_nothing_is_lost(
    tmp_path: Path, data_dir: Path, broker: EmbeddedBroker
) -> None:
    with noting_providers(tmp_path, 1) as providers:
        asked = publish_pacts(broker, providers, 30)
        with database(None, data_dir) as url:
            receiver = ReceiverProcess(tmp_path, configured(broker.url, providers), database_url=url)
            receiver.start()
            send(receiver.url, asked[:20], clients=4, deadline=time.monotonic() + LONG)
        try:
            answer = receiver.dispatch(asked[20].pact_url, repository=asked[20].repository)
            with database(None, data_dir):
                assert send(receiver.url, asked[20:], clients=4, deadline=time.monotonic() + LONG) >= 0
                receiver.wait_for_runs(len(asked), within=LONG)
                found = aftermath(receiver, broker, providers, asked)
                assert receiver.stop() == 0
        finally:
            receiver.stop()

    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert (found.lost, found.overlaps) == ((), ())


def test_an_embedded_database_whose_processes_are_killed_comes_back_by_itself(
    tmp_path: Path, data_dir: Path, broker: EmbeddedBroker
) -> None:
    with noting_providers(tmp_path, 1) as providers:
        asked = publish_pacts(broker, providers, 20)
        with ReceiverProcess(data_dir, configured(broker.url, providers)) as receiver:
            send(receiver.url, asked[:10], clients=4, deadline=time.monotonic() + LONG)
            for process in psutil.process_iter(["cmdline", "name"]):
                words = " ".join(process.info["cmdline"] or ())
                if str(data_dir) in words and "postgres" in (process.info["name"] or ""):
                    with suppress(psutil.NoSuchProcess):  # it has ended with the one before
                        process.kill()
            send(receiver.url, asked[10:], clients=4, deadline=time.monotonic() + LONG)
            wait_until(
                lambda: (
                    set().union(*(each.verified() for each in providers)) == {one.number for one in asked}
                ),
                "all are verified",
                within=LONG,
                context=receiver.output,
            )


@pytest.mark.parametrize("how", ["stopped", "killed"])
def test_a_result_that_a_worker_could_not_publish_is_published_by_the_next_one_without_verifying_again(
    tmp_path: Path, database_url: str, broker: EmbeddedBroker, how: str
) -> None:
    away = Fault("POST", "verification-results")
    with FaultyBroker(broker.url, away) as proxy, noting_providers(tmp_path, 1) as [provider]:
        proxy.rewrite = lambda body: body.replace(broker.url.encode(), proxy.url.encode())
        asked = publish_pacts(broker, [provider], 1)
        config = configured(proxy.url, [provider], stop_seconds=0.5)
        with ReceiverProcess(tmp_path, config, database_url=database_url) as receiver:
            url = asked[0].pact_url.replace(broker.url, proxy.url)
            assert receiver.dispatch(url, repository=asked[0].repository).status_code == 204
            receiver.wait_until(lambda: proxy.count("POST", "verification-results"), "it is being published")
            if how == "stopped":
                assert receiver.stop() == 0
                [run] = receiver.runs()
                assert (run["publishing"], run["publish_error"]) == ("pending", "its worker was stopped")
                receiver.start()
            else:
                receiver.workers()[0].kill()
            receiver.wait_until(
                lambda: receiver.rows(
                    "SELECT 1 FROM runs WHERE attempt + publish_attempts > 1 AND publishing = 'pending'"
                ),
                "another one tries",
            )
            away.times = 0
            [run] = receiver.wait_for_runs(within=LONG)
            found = aftermath(receiver, broker, [provider], [replace(asked[0], pact_url=url)])

    assert (run["outcome"], run["publishing"]) == ("passed", "published")
    assert (found.lost, found.twice) == ((), 0)
    assert len(provider.lines()) == 2 * STEPS


def test_a_provider_does_not_wait_while_the_broker_takes_no_results(
    tmp_path: Path, database_url: str, broker: EmbeddedBroker
) -> None:
    away = Fault("POST", "verification-results", status=503, times=1_000)
    with FaultyBroker(broker.url, away) as proxy, noting_providers(tmp_path, 1) as [provider]:
        proxy.rewrite = lambda body: body.replace(broker.url.encode(), proxy.url.encode())
        asked = [
            replace(one, pact_url=one.pact_url.replace(broker.url, proxy.url))
            for one in publish_pacts(broker, [provider], 2)
        ]
        with ReceiverProcess(
            tmp_path, configured(proxy.url, [provider]), database_url=database_url
        ) as receiver:
            send(receiver.url, asked, clients=1, deadline=time.monotonic() + LONG)
            receiver.wait_until(lambda: provider.verified() == {0, 1}, "both are verified", within=LONG)
            away.times = 0
            receiver.wait_for_runs(2, within=LONG)
            found = aftermath(receiver, broker, [provider], asked)

    assert (found.lost, found.twice) == ((), 0)
    assert len(provider.lines()) == 2 * 2 * STEPS


@contextmanager
def small_disk(folder: Path, megabytes: int, *options: str) -> Iterator[Path]:
    """Have a file system of its own in a folder."""
    folder.mkdir(exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", ",".join((f"size={megabytes}m", *options)), "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode != 0:
        pytest.skip("no file system can be mounted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_with_a_full_disk_nothing_is_accepted_that_could_be_lost(
    tmp_path: Path, data_dir: Path, broker: EmbeddedBroker
) -> None:
    with (
        noting_providers(tmp_path, 1) as [provider],
        small_disk(data_dir / "data", 150) as disk,
        ReceiverProcess(data_dir, configured(broker.url, [provider])) as receiver,
    ):
        asked = publish_pacts(broker, [provider], 40)
        accepted, filling = set(), disk / "filling"
        filling.write_bytes(b"\0" * (shutil.disk_usage(disk).free - 100_000))
        for one in asked[:30]:
            # each with something else to store, and a lot of it
            notes = random.Random(one.number).randbytes(20_000).hex()
            answer = receiver.dispatch(one.pact_url, repository=one.repository, message=notes)
            assert answer.status_code in {204, 503}, answer.text
            if answer.status_code == 204:
                accepted.add(one.number)
            else:
                assert answer.headers["Retry-After"]
        assert len(accepted) < 30
        filling.unlink()
        send(receiver.url, asked[30:], clients=2, deadline=time.monotonic() + LONG)
        accepted |= {one.number for one in asked[30:]}
        receiver.wait_until(lambda: accepted <= provider.verified(), "all accepted are verified", within=LONG)


def serve(*arguments: object) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PACT_")}
    environment.pop("DATABASE_URL", None)
    return subprocess.run(
        [str(BIN / "pact-dispatch"), "serve", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={
            **environment,
            "PACT_DISPATCH_TOKENS": f"broker:{TOKEN}",
            "PACT_DISPATCH_API_TOKENS": "tests:a-token-for-reading-the-api",
        },
    )


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "pact-dispatch.toml"
    file.write_text(
        configuration("http://broker.example.org", {"base_url": "http://127.0.0.1:1", "version": "1"})
    )
    return file


def test_a_data_directory_on_a_read_only_disk_is_named(data_dir: Path, config: Path) -> None:
    with small_disk(data_dir / "disk", 10, "ro") as disk:
        inside = serve("--config", config, "--data-dir", disk / "data", "--bind", "127.0.0.1:0")
        itself = serve("--config", config, "--data-dir", disk, "--bind", "127.0.0.1:0")

    assert (inside.returncode, itself.returncode) == (2, 3)
    for done in (inside, itself):
        *before, last = done.stderr.splitlines()
        assert "Read-only file system" in last
        assert str(disk) in last
        assert all(line.startswith("pact-dispatch serve: data in ") for line in before)


def test_a_port_that_is_taken_is_named(data_dir: Path, config: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        place = f"127.0.0.1:{taken.getsockname()[1]}"
        done = serve("--config", config, "--data-dir", data_dir, "--bind", place)

    assert done.returncode == 3
    assert done.stderr.startswith(f"pact-dispatch serve: Cannot listen on {place}: Address already in use. ")


def test_each_mistake_of_the_configuration_is_named_before_anything_starts(
    data_dir: Path, config: Path
) -> None:
    text = config.read_text(encoding="utf-8").replace("http://broker.example.org", "not-a-url")
    config.write_text(f"{text}\nunknown = 1\n", encoding="utf-8")
    done = serve("--config", config, "--data-dir", data_dir, "--bind", "127.0.0.1:0")

    assert done.returncode == 2
    assert "broker.url" in done.stderr
    assert "unknown" in done.stderr
    assert not list(data_dir.iterdir())
