"""A console that takes nothing, or that nobody reads, changes neither what a command does nor its exit code."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.loopback import Loopback, Reply
from tests.support.pacts import BROKEN, interaction, pact, things
from tests.support.processes import TIME_LIMIT
from tests.support.running import BIN, PROVIDER, READY, environment
from tests.system.test_trustworthy import nothing_published
from tests.system.test_verify import publishing

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from tests.support.processes import EmbeddedBroker

    Publish = Callable[..., str]

LOST = (
    "2>&1 | true",
    "2>&1 | head -1",
    ">/dev/full",
    "2>/dev/full",
    ">/dev/full 2>/dev/full",
    ">&-",
    "2>&-",
    "<&- >&- 2>&-",
)
NO_FULL_DEVICE = "this system has no /dev/full"


def in_shell(command: list[str], redirection: str) -> subprocess.CompletedProcess[str]:
    """Run a command in a pipeline; the exit code is the command's own."""
    if "/dev/full" in redirection and not Path("/dev/full").exists():
        pytest.skip(NO_FULL_DEVICE)
    script = f'"$@" {redirection}; exit "${{PIPESTATUS[0]}}"'
    return subprocess.run(
        ["bash", "-c", script, "bash", *command],
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=TIME_LIMIT,
    )


def verifying(*arguments: object) -> list[str]:
    return [str(BIN / "verify"), *map(str, arguments), "--provider-command", PROVIDER, *READY]


@pytest.mark.parametrize("redirection", LOST)
def test_a_pact_that_passes_is_published_whoever_watches(
    tmp_path: Path, broker: EmbeddedBroker, published: Publish, redirection: str
) -> None:
    path = published(pact(*things(2)))
    reports = ("--json", tmp_path / "report.json", "--junit", tmp_path / "report.xml")
    done = in_shell(verifying(broker.url + path, *publishing(broker.url), *reports, "-v"), redirection)
    assert done.returncode == 0, done
    assert "Traceback" not in done.stdout + done.stderr
    report = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert broker.get(report["published"]["url"]).json()["success"] is True
    assert (tmp_path / "report.xml").exists()


@pytest.mark.parametrize("redirection", ["2>&1 | true", ">/dev/full 2>/dev/full", "2>&-"])
def test_the_exit_code_stays_that_of_what_was_found(tmp_path: Path, redirection: str) -> None:
    broken, file = tmp_path / "broken.json", tmp_path / "no-pact.json"
    broken.write_text(json.dumps(pact(*things(1), BROKEN)), encoding="utf-8")
    file.write_text("[]", encoding="utf-8")
    assert in_shell(verifying(broken), redirection).returncode == 1
    assert in_shell(verifying(file), redirection).returncode == 3
    assert in_shell(verifying(broken, "--nonsense"), redirection).returncode == 2


def test_machine_output_that_is_lost_is_told(broker: EmbeddedBroker, published: Publish) -> None:
    path = published(pact(*things(1)))
    command = verifying(broker.url + path, *publishing(broker.url), "--json", "-")
    closed = in_shell(command, ">&-")
    assert closed.returncode == 2, closed
    assert "--json -: standard output is closed" in closed.stderr
    assert nothing_published(broker, path)
    full = in_shell(command, ">/dev/full")
    assert full.returncode == 0, full
    assert "--json - was not written, or not all of it: No space left on device" in full.stderr
    left = in_shell(command, "| true")
    assert left.returncode == 0, left
    assert "--json - was not written, or not all of it: Broken pipe" in left.stderr


def test_a_terminal_that_is_gone_does_not_end_a_run(tmp_path: Path) -> None:
    """The progress bar is written to it all the time; `nohup` has the run ignore that it hangs up."""
    file, report = tmp_path / "pact.json", tmp_path / "report.json"
    file.write_text(json.dumps(pact(interaction("a thing", "/things/1"))), encoding="utf-8")
    terminal, its_end = pty.openpty()
    is_there = True

    def answer(_: Any) -> Reply:
        nonlocal is_there
        if is_there:
            is_there = False
            os.close(terminal)
            process.send_signal(signal.SIGHUP)
        return Reply(200, {"id": "1"})

    with Loopback(answer) as provider:
        command = [BIN / "verify", file, "--provider-base-url", provider.url, *READY, "--json", report]
        process = subprocess.Popen(
            ["nohup", *map(str, command)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=its_end,
            env=environment(TERM="xterm"),
        )
        os.close(its_end)
        process.wait(TIME_LIMIT)
    assert process.returncode == 0
    assert json.loads(report.read_text(encoding="utf-8"))["outcome"] == "passed"


def test_what_a_command_does_nothing_but_print_must_be_printed(broker: EmbeddedBroker) -> None:
    command = [str(BIN / "pact-dispatch"), "webhooks", "list", "--pact-broker-base-url", broker.url]
    full = in_shell(command, ">/dev/full")
    assert full.returncode == 3, full
    assert full.stderr == (
        "pact-dispatch webhooks: not all that it printed could be written: No space left on device\n"
    )
    left = in_shell(command, "| true")
    assert (left.returncode, left.stderr) == (0, "")
    unseen = in_shell(command, "2>&- | cat")
    assert unseen.returncode == 0, unseen


@pytest.mark.parametrize("redirection", ["2>&1 | true", "2>/dev/full", "2>&-"])
def test_a_mistake_in_the_command_line_stays_one(redirection: str) -> None:
    done = in_shell([str(BIN / "pact-dispatch"), "check-config", "--config", "/no/such/file"], redirection)
    assert done.returncode == 2, done


def test_nothing_is_said_twice_where_progress_and_report_go_to_the_same_place(tmp_path: Path) -> None:
    file = tmp_path / "pact.json"
    file.write_text(json.dumps(pact(*things(2))), encoding="utf-8")
    together = in_shell(verifying(file, "-v"), "2>&1").stdout
    assert together.count("✓") == 2, together
    apart = in_shell(verifying(file, "-v"), "")
    assert (apart.stdout.count("✓"), apart.stderr.count("✓")) == (2, 2), apart
