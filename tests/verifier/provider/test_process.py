"""The provider under test: started, waited for, stopped with everything that it started."""

from __future__ import annotations

import re
import shlex
import signal
import sys
import threading
import time
from typing import TYPE_CHECKING

import psutil
import pytest

from verifier.errors import CannotVerify
from verifier.provider.process import LONGEST_LINE, OUTPUT_LINES, StartedProvider
from verifier.provider.readiness import wait_until_ready

if TYPE_CHECKING:
    from pathlib import Path

SERVE = """
import http.server, os, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(404)
        self.send_header("Content-Length", "0")
        self.end_headers()
print("started in", os.getcwd(), flush=True)
http.server.HTTPServer((sys.argv[1], int(sys.argv[2])), Handler).serve_forever(0.05)
"""
STUBBORN = """
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", sys.argv[1]]) if len(sys.argv) > 1 else None
print("child", child.pid if child else 0, flush=True)
time.sleep(60)
"""


def python(code: str, *arguments: str) -> str:
    """Write a provider command that runs this code."""
    return shlex.join([sys.executable, "-c", code, *arguments])


def soon() -> float:
    return time.monotonic() + 60


class Heard:
    """The lines that a provider printed, to be waited for."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._changed = threading.Condition()

    def __call__(self, line: str) -> None:
        with self._changed:
            self._lines.append(line)
            self._changed.notify_all()

    def wait_for(self, pattern: str) -> re.Match[str]:
        def found() -> re.Match[str] | None:
            return next((match for line in self._lines if (match := re.match(pattern, line))), None)

        with self._changed:
            match = self._changed.wait_for(found, 60)
            assert match is not None, self._lines
            return match


def wait_until_dead(provider: StartedProvider) -> CannotVerify:
    """Wait until the provider has ended by itself, and give what is said of it."""
    provider._process.wait(60)
    with pytest.raises(CannotVerify) as error:
        provider.check_alive()
    return error.value


def test_started_provider_is_ready_runs_in_its_folder_and_stops(tmp_path: Path) -> None:
    heard = Heard()
    with StartedProvider(python(SERVE, "127.0.0.1", "{port}"), tmp_path, on_output=heard) as provider:
        url = wait_until_ready(
            provider.candidates, "/health", wait=60, deadline=soon(), check_alive=provider.check_alive
        )
        assert url == provider.candidates[0]
        heard.wait_for(f"started in {re.escape(str(tmp_path))}$")
        assert f"started in {tmp_path}" in provider.output()
        process = psutil.Process(provider._process.pid)
        provider.check_alive()
    assert not process.is_running()


def test_provider_gets_its_port_but_no_broker_credentials(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("TOKEN", "USERNAME", "PASSWORD"):
        monkeypatch.setenv(f"PACT_BROKER_{name}", "hidden")
    monkeypatch.setenv("SOMETHING_ELSE", "kept")
    code = "import os; print(*(f'{k}={v}' for k, v in os.environ.items() if k[:4] in 'PORT PACT SOME'), sep='\\n')"
    with StartedProvider(python(code), tmp_path) as provider:
        output = wait_until_dead(provider).output
    lines = output.splitlines()
    assert f"PORT={provider.port}" in lines
    assert "SOMETHING_ELSE=kept" in lines
    assert "hidden" not in output
    assert "PACT_BROKER_" not in output


def test_stop_ends_grandchildren_that_ignore_sigterm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("verifier.provider.process.STOP_SECONDS", 0.3)
    heard = Heard()
    with StartedProvider(python(STUBBORN, STUBBORN), tmp_path, on_output=heard) as provider:
        heard.wait_for("child 0")
        child = heard.wait_for(r"child ([1-9]\d*)")[1]
        family = [psutil.Process(provider._process.pid), psutil.Process(int(child))]
    _, left = psutil.wait_procs(family, timeout=60)
    assert left == []


def test_stop_ends_what_outlives_its_leader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("verifier.provider.process.STOP_SECONDS", 0.3)
    code = (
        "import subprocess, sys; print('orphan', subprocess.Popen([sys.executable, '-c', sys.argv[1]]).pid)"
    )
    heard = Heard()
    with StartedProvider(python(code, STUBBORN), tmp_path, on_output=heard):
        orphan = psutil.Process(int(heard.wait_for(r"orphan (\d+)")[1]))
        heard.wait_for("child 0")
    _, left = psutil.wait_procs([orphan], timeout=60)
    assert left == []


def test_a_provider_that_obeys_is_not_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("verifier.provider.process.STOP_SECONDS", 60.0)
    heard = Heard()
    with StartedProvider(python(SERVE, "127.0.0.1", "{port}"), tmp_path, on_output=heard) as provider:
        heard.wait_for("started")
    assert provider._process.returncode == -signal.SIGTERM


def test_stop_may_come_twice_and_after_the_end(tmp_path: Path) -> None:
    with StartedProvider(python("pass"), tmp_path) as provider:
        wait_until_dead(provider)
        provider.stop()


def test_only_the_last_lines_of_the_output_are_kept(tmp_path: Path) -> None:
    code = "for n in range(5000): print(n, 'x' * 5000)"
    with StartedProvider(python(code), tmp_path) as provider:
        output = wait_until_dead(provider).output
    lines = output.splitlines()
    assert len(lines) == OUTPUT_LINES
    assert lines[-1].startswith("4999 x")
    assert max(map(len, lines)) <= LONGEST_LINE


def test_output_that_is_no_text_is_kept_as_well_as_can_be(tmp_path: Path) -> None:
    code = "import sys; sys.stdout.buffer.write(b'caf\\xe9\\n'); print('to stderr', file=sys.stderr)"
    with StartedProvider(python(code), tmp_path) as provider:
        output = wait_until_dead(provider).output
    assert "caf\N{REPLACEMENT CHARACTER}" in output
    assert "to stderr" in output


@pytest.mark.parametrize(
    ("code", "how"),
    [
        ("import sys; print('no database'); sys.exit(3)", "ended with exit code 3"),
        ("print('no database')", "ended with exit code 0"),
        (
            "import os, signal; print('no database', flush=True); os.kill(os.getpid(), signal.SIGSEGV)",
            "killed by SIGSEGV",
        ),
    ],
)
def test_provider_that_ends_early_is_reported_with_its_output(code: str, how: str, tmp_path: Path) -> None:
    with StartedProvider(python(code), tmp_path) as provider:
        with pytest.raises(CannotVerify, match=how) as error:
            wait_until_ready(
                provider.candidates, "/", wait=60, deadline=soon(), check_alive=provider.check_alive
            )
        assert error.value.kind == "provider-died"
        assert error.value.output == "no database"


@pytest.mark.parametrize("command", ["no-such-program-anywhere --port {port}", "./not-here"])
def test_missing_program_can_not_be_verified(command: str, tmp_path: Path) -> None:
    with pytest.raises(CannotVerify, match="--provider-command") as error:
        StartedProvider(command, tmp_path)
    assert error.value.kind == "provider-not-ready"
    assert "No such file" in str(error.value)


def test_a_provider_whose_output_can_not_be_read_is_not_left_running(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_more(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", no_more)
    before = psutil.Process().children()
    with pytest.raises(CannotVerify, match="unavailable") as error:
        StartedProvider("sleep 600", tmp_path)
    assert error.value.kind == "provider-not-ready"
    assert "None" not in str(error.value)
    assert psutil.Process().children() == before


def test_program_that_may_not_be_run_can_not_be_verified(tmp_path: Path) -> None:
    program = tmp_path / "serve"
    program.write_text("#!/bin/sh\n")
    with pytest.raises(CannotVerify, match="Permission denied"):
        StartedProvider(str(program), tmp_path)
