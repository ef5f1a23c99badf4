"""Files that a killed run has left are removed by a later one, and nothing else."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import psutil
import pytest

from tests.support.loopback import Loopback, Reply
from tests.support.pacts import interaction, pact
from tests.support.processes import BIN
from tests.support.receiver import wait_until
from tests.support.running import environment, scripted_provider
from verifier.engine.abandoned import OLD_SECONDS, OUTPUT, remove_abandoned

if TYPE_CHECKING:
    from pathlib import Path

NAME = "pact-dispatch-0123456789abcdef"


def left(place: Path, name: str = NAME, *, age: float = 2 * OLD_SECONDS, output: bool = True) -> Path:
    """Make a folder as a killed run leaves it."""
    folder = place / name
    folder.mkdir(mode=0o700)
    moment = time.time() - age
    if output:
        (folder / OUTPUT).write_text("x", encoding="utf-8")
        os.utime(folder / OUTPUT, (moment, moment))
    os.utime(folder, (moment, moment))
    return folder


@pytest.mark.parametrize("output", [True, False])
def test_an_old_folder_that_nobody_uses_is_removed(tmp_path: Path, *, output: bool) -> None:
    folder = left(tmp_path, output=output)
    remove_abandoned(str(tmp_path), but={str(folder)})
    assert folder.exists()
    remove_abandoned(str(tmp_path))
    assert not folder.exists()


def test_what_is_young_or_no_engines_or_another_accounts_stays(tmp_path: Path) -> None:
    kept = [
        left(tmp_path, age=60),
        left(tmp_path, "pact-dispatch-report-abcdefgh"),
        left(tmp_path, "pact-dispatch-data"),
        left(tmp_path, "pact-dispatch-0123456789abcdeg"),
        left(tmp_path, "something"),
    ]
    readable = left(tmp_path, "pact-dispatch-1123456789abcdef")
    readable.chmod(0o755)
    link = tmp_path / "pact-dispatch-2123456789abcdef"
    link.symlink_to(left(tmp_path, "elsewhere"))
    if os.geteuid() == 0:
        others = left(tmp_path, "pact-dispatch-3123456789abcdef")
        os.chown(others, 12345, 12345)
        kept.append(others)
    remove_abandoned(str(tmp_path))
    remove_abandoned(str(tmp_path / "nowhere"))
    assert all(one.exists() for one in [*kept, readable, link, tmp_path / "elsewhere" / OUTPUT])


def test_a_folder_that_its_run_removes_meanwhile_is_no_mistake(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left(tmp_path, output=False)
    look = os.lstat

    def look_too_late(path: str) -> os.stat_result:
        os.rmdir(path)  # noqa: PTH106
        return look(path)

    monkeypatch.setattr("verifier.engine.abandoned.os.lstat", look_too_late)
    remove_abandoned(str(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_an_old_folder_that_a_process_uses_stays(tmp_path: Path) -> None:
    folder = left(tmp_path)
    program = (
        "import os, sys; f = os.open(sys.argv[1], os.O_RDWR); os.lockf(f, os.F_TLOCK, 0)\n"
        "print(1, flush=True); input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(folder / OUTPUT)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as user:
        assert user.stdout is not None
        user.stdout.readline()
        remove_abandoned(str(tmp_path))
        assert folder.exists()
        user.communicate(b"\n")
    remove_abandoned(str(tmp_path))
    assert not folder.exists()


def test_a_run_that_was_killed_with_its_engine_is_cleared_up_by_a_later_one(tmp_path: Path) -> None:
    place = tmp_path / "tmp"
    place.mkdir()
    file = tmp_path / "pact.json"
    file.write_text(json.dumps(pact(interaction("a thing", "/things/1", body={"id": 1}))), encoding="utf-8")

    def verify(url: str) -> subprocess.Popen[bytes]:
        command = [
            str(BIN / "verify"),
            "--pact-url",
            str(file),
            "--provider-base-url",
            url,
            "--request-timeout",
            "60",
        ]
        return subprocess.Popen(
            command,
            env=environment(TMPDIR=str(place)),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    hanging = Loopback(lambda asked: Reply(200) if asked.path == "/" else Reply(hang=True))
    with hanging, verify(hanging.url) as killed:
        wait_until(lambda: any(one.path != "/" for one in hanging.received), "the provider is asked")
        killed.send_signal(signal.SIGSTOP)  # so that it doesn't see its child end
        for child in psutil.Process(killed.pid).children(recursive=True):
            child.kill()
        killed.kill()
    [folder] = place.iterdir()
    for one in (folder, folder / OUTPUT):
        os.utime(one, (0, 0))
    with scripted_provider() as url, verify(url) as later:
        assert later.wait() == 0
    assert list(place.iterdir()) == []
