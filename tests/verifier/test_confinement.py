"""What a confined command may do to processes of its own account, and what it still may do at all."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from tests.support.ordinary_account import ordinary_account
from verifier.confinement import UNCONFINED, Account, Confinement
from verifier.landlock import is_available

TRY = """
import json, os, subprocess, sys
other, folder = int(sys.argv[1]), sys.argv[2]
done = {}
def attempt(name, action):
    try:
        action()
        done[name] = True
    except OSError as error:
        done[name] = error.strerror
os.mkdir(folder + "/from"), os.mkdir(folder + "/to")
open(folder + "/from/file", "w").close()
attempt("move", lambda: os.rename(folder + "/from/file", folder + "/to/file"))
for name in ("environ", "maps", "mem"):
    attempt(name, lambda: open(f"/proc/{other}/{name}", "rb").close())
with subprocess.Popen(["sleep", "60"]) as child:
    attempt("environ of its own", lambda: open(f"/proc/{child.pid}/environ", "rb").close())
    attempt("kill its own", child.kill)
attempt("kill", lambda: os.kill(other, 9))
print(json.dumps(done))
"""
START = """
import subprocess, sys
from verifier import landlock
from verifier.confinement import Confinement
if sys.argv[1] == "before 6.12":
    landlock._WITH_SCOPES = 1000
with subprocess.Popen(["sleep", "60"], env={"SECRET": "x"}) as other:
    words = [sys.executable, "-c", sys.argv[2], str(other.pid), sys.argv[3]]
    Confinement(apart=sys.argv[1] != "not").start(words).wait()
    other.kill()
"""
MAY = {"move": True, "environ of its own": True, "kill its own": True}
REFUSED = "Permission denied"


def attempts(how: str, folder: Path) -> dict[str, Any]:
    """Return what a command could do that was started so."""
    if not is_available():
        pytest.skip("this kernel has no Landlock")
    command = [*ordinary_account(), sys.executable, "-c", START, how, TRY, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def test_a_command_apart_reads_and_kills_no_process_of_its_account(tmp_path: Path) -> None:
    found = attempts("apart", tmp_path)
    refused = {"environ": REFUSED, "maps": REFUSED, "mem": REFUSED}
    assert {**found, "kill": None} == {**MAY, **refused, "kill": None}
    assert found["kill"] in {True, "Operation not permitted"}  # before Linux 6.12 it may


def test_older_kernels_keep_it_from_reading_as_well(tmp_path: Path) -> None:
    found = attempts("before 6.12", tmp_path)
    assert found == {**MAY, "environ": REFUSED, "maps": REFUSED, "mem": REFUSED, "kill": True}


def test_without_it_an_account_reads_its_processes(tmp_path: Path) -> None:
    found = attempts("not", tmp_path)
    assert (found["environ"], found["maps"], found["kill"]) == (True, True, True)


def test_this_process_stays_out_of_the_domain_of_what_it_starts() -> None:
    Confinement(apart=True).start(["true"]).wait()
    assert "NoNewPrivs:\t0" in Path("/proc/self/status").read_text()


def test_what_can_not_be_started_is_told_as_ever(tmp_path: Path) -> None:
    for confinement in (UNCONFINED, Confinement(apart=True)):
        with pytest.raises(FileNotFoundError) as raised:
            confinement.start([str(tmp_path / "missing")])
        assert raised.value.filename == str(tmp_path / "missing")


def test_another_accounts_environment_leads_to_its_own_files() -> None:
    account = Account("ci", 1000, 1000, (1000,), "/home/ci")
    mine = {
        "PATH": "/bin",
        "HOME": "/root",
        "XDG_CACHE_HOME": "/root/.cache",
        "USER": "root",
        "SSH_AUTH_SOCK": "s",
    }
    assert Confinement(account).environment(mine) == {
        "PATH": "/bin",
        "HOME": "/home/ci",
        "USER": "ci",
        "LOGNAME": "ci",
    }
    assert UNCONFINED.environment(mine) == mine


def test_what_was_started_does_not_outlive_an_interruption(monkeypatch: pytest.MonkeyPatch) -> None:
    if not is_available():
        pytest.skip("this kernel has no Landlock")
    result = Future.result
    started: list[subprocess.Popen[bytes]] = []

    def interrupted(future: Future[subprocess.Popen[bytes]]) -> subprocess.Popen[bytes]:
        if not started:
            started.append(result(future))
            raise KeyboardInterrupt
        return result(future)

    monkeypatch.setattr(Future, "result", interrupted)
    with pytest.raises(KeyboardInterrupt):
        Confinement(apart=True).start(["sleep", "600"])
    assert started[0].wait(60) == -signal.SIGKILL
