"""How every command ends, and what it says then."""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from types import ModuleType
from typing import TYPE_CHECKING

import pytest

from app.commands import runner
from app.commands.runner import CommandFailed, ExitCode, Messages
from broker.http.errors import BrokerUnreachable
from broker.http.limited_request import send_request
from broker.http.limits import Limits
from broker.http.no_reply import NoReply
from tests.support.loopback import Loopback, Reply, closed_port
from verifier.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

OPTIONS = argparse.Namespace(command="doctor")


def module(run: Callable[[argparse.Namespace, Messages], int]) -> ModuleType:
    made = ModuleType("command")
    made.__dict__["run"] = run
    return made


def ended_by(error: BaseException) -> int:
    def run(_: argparse.Namespace, messages: Messages) -> int:
        messages.hide("s3cret-value")
        raise error

    return runner.run(OPTIONS, lambda: module(run))


@pytest.mark.parametrize(
    ("error", "code", "lines"),
    [
        (UsageError("which broker?"), 2, ["which broker?"]),
        (BrokerUnreachable("it is away"), 3, ["it is away"]),
        (CommandFailed(ExitCode.USAGE, "one", "another"), 2, ["one", "another"]),
        (KeyboardInterrupt(), 130, ["interrupted"]),
        (UsageError("a\n\x1b[2Jb s3cret-value"), 2, ["a\\n\\x1b[2Jb ***"]),
    ],
)
def test_what_ends_a_command_is_told_in_lines_and_by_a_code(
    error: BaseException, code: int, lines: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert ended_by(error) == code
    assert capsys.readouterr().err.splitlines() == [f"pact-dispatch doctor: {line}" for line in lines]


@pytest.mark.parametrize("level", ["", "info", "debug"])
def test_an_error_that_nobody_expected_is_told_in_a_sentence_and_is_no_broken_contract(
    level: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PACT_DISPATCH_LOG_LEVEL", level)
    assert ended_by(ZeroDivisionError("by s3cret-value\nand more")) == 3
    lines = capsys.readouterr().err.splitlines()
    assert all(line.startswith("pact-dispatch doctor: ") for line in lines)
    said = "this is a mistake in pact-dispatch itself: ZeroDivisionError: by ***\\nand more"
    assert lines[-1].partition(": ")[2].startswith(said)
    assert ("Traceback" in lines[0]) == (level == "debug")
    assert (len(lines) > 1) == (level == "debug")
    assert not any("s3cret" in line for line in lines)


def test_requests_are_shown_without_secrets_where_a_command_asks_for_them(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def of(level: str) -> str:
        def run(_: argparse.Namespace, messages: Messages) -> int:
            messages.hide("s3cret-value")
            messages.set_level(level)
            with Loopback(Reply(200)) as server:
                url = server.url.replace("http://", "http://user:pass@")
                send_request("GET", f"{url}/s3cret-value?token=t", limits=Limits(5, 100), token="hidden")
            with pytest.raises(NoReply):
                send_request("GET", f"http://127.0.0.1:{closed_port()}/", limits=Limits(5, 100))
            return 0

        assert runner.run(OPTIONS, lambda: module(run)) == 0
        return capsys.readouterr().err

    answered, not_answered = of("debug").splitlines()
    assert re.search(r"doctor: GET http://127\.0\.0\.1:\d+/\*\*\*\?\.\.\. answered 200 \(\d+ ms\)$", answered)
    assert "no answer: " in not_answered
    assert of("info") == ""


@pytest.mark.usefixtures("capfd")
def test_another_pipe_that_broke_is_an_error() -> None:
    assert ended_by(BrokenPipeError()) == 3  # standard output is well


def test_a_missing_library_of_the_server_is_told_and_another_one_is_not_hidden(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def missing(name: str) -> Callable[[], ModuleType]:
        def load() -> ModuleType:
            raise ModuleNotFoundError(name=name)

        return load

    assert runner.run(OPTIONS, missing("psycopg.rows")) == 3
    assert capsys.readouterr().err == (
        "pact-dispatch doctor: it needs psycopg.rows: pip install 'pact-dispatch[setup]'\n"
    )
    assert runner.run(OPTIONS, missing("app.commands.nothing")) == 3
    assert "a mistake in pact-dispatch itself: ModuleNotFoundError" in capsys.readouterr().err


def test_a_reader_that_leaves_early_is_no_error() -> None:
    program = (
        "import sys, types; from argparse import Namespace; from app.commands import runner\n"
        "command = types.ModuleType('command')\n"
        "command.run = lambda options, messages: print('x' * 1_000_000) or 1\n"
        "sys.exit(runner.run(Namespace(command='doctor'), lambda: command))"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.read(1)
        process.stdout.close()
        assert process.wait(timeout=60) == 1  # what the command has found
        assert process.stderr.read() == b""
