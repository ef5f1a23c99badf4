"""What was finished is published and reported, whenever an interruption comes."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest

import verifier.many.deployability
import verifier.many.publisher
import verifier.publishing
from tests.support.loopback import Loopback, Reply
from tests.support.pacts import interaction, pact
from tests.support.processes import EmbeddedBroker
from verifier.command.options import parse_options
from verifier.command.verify import VerifyCommand
from verifier.engine.process import Engine
from verifier.exit_code import ExitCode
from verifier.interruption import interruptible
from verifier.many.publisher import Publisher
from verifier.publishing import publish, publish_by
from verifier.report.console import ConsoleReport

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CONSUMERS = ("One", "Two")


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[EmbeddedBroker]:
    folder = tmp_path / "broker"
    folder.mkdir()
    with EmbeddedBroker(folder) as started:
        for consumer in CONSUMERS:
            started.publish(pact(interaction("anything", "/"), consumer=consumer), "1", branch="main")
        yield started


def interrupt() -> None:
    signal.raise_signal(signal.SIGTERM)


def run(folder: Path, broker: EmbeddedBroker, *pacts: str) -> tuple[int, dict[str, Any]]:
    """Return how `verify` ended, and its JSON report."""
    report = folder / "report.json"
    published = ("--provider-app-version", "7", "--publish-verification-results", "--json", str(report))
    with Loopback(Reply()) as provider, Engine() as engine:
        where = ("--provider-base-url", provider.url, "--pact-broker-base-url", broker.url)
        command = VerifyCommand(parse_options([*pacts, *where, *published]), engine)
        try:
            with interruptible():
                code = command.run()
        except KeyboardInterrupt:
            code = ExitCode.INTERRUPTED
    return code, json.loads(report.read_text(encoding="utf-8")) if report.exists() else {}


def run_one(folder: Path, broker: EmbeddedBroker) -> tuple[int, dict[str, Any]]:
    return run(folder, broker, f"{broker.url}/pacts/provider/Things/consumer/One/latest")


def run_many(folder: Path, broker: EmbeddedBroker) -> tuple[int, dict[str, Any]]:
    return run(folder, broker, "--provider", "Things")


def check_published(report: dict[str, Any]) -> None:
    """Make sure that all of many pacts were published and reported."""
    assert report["interrupted"]
    assert {
        one["consumer"]: one["published"] is not None for one in report["verifications"]
    } == dict.fromkeys(CONSUMERS, True)


def test_what_is_being_published_is_published_and_reported(
    tmp_path: Path, broker: EmbeddedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    finish, finishing = Publisher.finish, threading.Event()

    def publish_later(*args: Any, **options: Any) -> Any:
        assert finishing.wait(60)
        return publish_by(*args, **options)

    def interrupted(*args: Any, **options: Any) -> Any:
        finishing.set()
        interrupt()
        return finish(*args, **options)

    monkeypatch.setattr(verifier.many.publisher, "publish_by", publish_later)
    monkeypatch.setattr(Publisher, "finish", interrupted)
    code, report = run_many(tmp_path, broker)
    assert code == 130
    check_published(report)


def test_an_interruption_while_the_broker_is_asked_what_may_be_deployed_is_reported(
    tmp_path: Path, broker: EmbeddedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hang(*_: Any) -> None:
        interrupt()
        threading.Event().wait(60)
        pytest.fail("it was not interrupted")

    monkeypatch.setattr(verifier.many.deployability, "environment_answers", hang)
    code, report = run_many(tmp_path, broker)
    assert code == 130
    check_published(report)


def test_what_was_given_to_be_published_is_reported(
    tmp_path: Path, broker: EmbeddedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    add = Publisher.add

    def interrupted(*args: Any) -> Any:
        future = add(*args)
        interrupt()
        return future

    monkeypatch.setattr(Publisher, "add", interrupted)
    code, report = run_many(tmp_path, broker)
    assert code == 130
    [one] = report["verifications"]
    assert one["published"]


def test_what_little_time_is_left_for_is_told(
    tmp_path: Path, broker: EmbeddedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    finish, over = Publisher.finish, threading.Event()

    def publish_never(*_: Any, **__: Any) -> None:
        assert over.wait(60)

    def interrupted(*args: Any, **options: Any) -> Any:
        interrupt()
        return finish(*args, **options)

    monkeypatch.setattr(verifier.many.publisher, "INTERRUPTED_SECONDS", 0.1)
    monkeypatch.setattr(verifier.many.publisher, "publish_by", publish_never)
    monkeypatch.setattr(Publisher, "finish", interrupted)
    try:
        code, report = run_many(tmp_path, broker)
    finally:
        over.set()
    assert code == 130
    assert [one["published"] for one in report["verifications"]] == [None, None]
    assert all("before the broker had answered" in one["publish_error"] for one in report["verifications"])


def test_a_pact_that_is_being_published_is_published_and_reported(
    tmp_path: Path, broker: EmbeddedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*args: Any, **options: Any) -> Any:
        interrupt()
        return publish(*args, **options)

    monkeypatch.setattr(verifier.publishing, "publish", interrupted)
    code, report = run_one(tmp_path, broker)
    assert code == 130
    assert report["published"]


def test_a_pact_that_there_is_no_time_to_publish_is_reported(
    tmp_path: Path, broker: EmbeddedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hang(*_: Any, **__: Any) -> None:
        interrupt()
        threading.Event().wait(60)
        pytest.fail("it was not interrupted")

    monkeypatch.setattr("verifier.command.verify.INTERRUPTED_SECONDS", 0.1)
    monkeypatch.setattr(verifier.publishing, "publish", hang)
    code, report = run_one(tmp_path, broker)
    assert code == 130
    assert report["outcome"] == "passed"
    assert "before the broker had answered" in report["publish_error"]


def test_a_report_is_written_to_its_end(
    tmp_path: Path, broker: EmbeddedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = ConsoleReport.write

    def interrupted(*args: Any) -> None:
        interrupt()
        write(*args)

    monkeypatch.setattr(ConsoleReport, "write", interrupted)
    code, report = run_one(tmp_path, broker)
    assert code == 130
    assert report["published"]


@pytest.mark.parametrize("module", ["cli", "github_action"])
def test_an_interruption_before_anything_is_done_is_no_traceback(module: str) -> None:
    code = (
        f"import sys, verifier.cli\nfrom verifier import {module} as command\n"
        "def run(_):\n    raise KeyboardInterrupt\n"
        "command.run = run\nsys.argv[1:] = ['missing.json']\ncommand.main()"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "verify: interrupted\n")
