"""The sign of life of a worker, and the command that looks at it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from app import cli
from app.process import sign_of_life
from app.process.sign_of_life import FOLDER, FORGOTTEN_SECONDS, SignOfLife, signs

if TYPE_CHECKING:
    from pathlib import Path

GIVE = "import sys; from pathlib import Path; from app.process.sign_of_life import SignOfLife; "
GIVE += "SignOfLife(Path(sys.argv[1]), sys.argv[2]).give(30); print(flush=True); sys.stdin.read()"
"""A process that gives its sign of life, and waits."""


def grow_old(data_dir: Path, name: str, seconds: float) -> None:
    then = time.time() - seconds
    os.utime(data_dir / FOLDER / name, (then, then))


def test_a_worker_is_alive_until_its_sign_is_too_old(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["alive", "--data-dir", str(tmp_path)]
    assert cli.main(asked) == 1
    assert "no worker uses" in capsys.readouterr().err

    sign = SignOfLife(tmp_path, "host:7")
    sign.give(30)
    assert (cli.main(asked), capsys.readouterr().out) == (0, "alive: host:7\n")

    grow_old(tmp_path, "host:7", 31)
    assert cli.main(asked) == 1
    assert "host:7 was last heard of 31 s ago (30 s are allowed)" in capsys.readouterr().err
    sign.give(30)
    assert cli.main(asked) == 0

    sign.withdraw()
    assert signs(tmp_path) == []


def test_a_new_limit_counts_at_once(tmp_path: Path) -> None:
    sign = SignOfLife(tmp_path, "host:7")
    sign.give(30)
    sign.give(90)
    assert [one.seconds for one in signs(tmp_path)] == [90]


def test_one_worker_of_several_is_enough_and_killed_ones_are_forgotten(tmp_path: Path) -> None:
    SignOfLife(tmp_path, "host:1").give(30)
    SignOfLife(tmp_path, "host:2").give(30)
    grow_old(tmp_path, "host:1", FORGOTTEN_SECONDS + 1)
    grow_old(tmp_path, "host:2", 60)
    SignOfLife(tmp_path, "host:3").give(30)
    assert [(one.name, one.is_recent) for one in signs(tmp_path)] == [("host:3", True), ("host:2", False)]
    assert cli.main(["alive", "--data-dir", str(tmp_path)]) == 0


def test_the_data_directory_of_the_configuration_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("PACT_DISPATCH_DATA_DIR", raising=False)
    config = tmp_path / "pact-dispatch.toml"
    config.write_text('data_dir = "here"\n[broker]\nurl = "http://broker.example.org"\n', encoding="utf-8")
    asked = ["alive", "--config", str(config)]
    assert cli.main(asked) == 2
    assert "providers" in capsys.readouterr().err
    provider = '[[providers]]\nname = "A"\nrepository = "a/b"\nbase_url = "http://localhost"\nversion = "1"\n'
    config.write_text(config.read_text(encoding="utf-8") + provider, encoding="utf-8")
    SignOfLife(tmp_path / "here", "host:7").give(30)
    assert cli.main(asked) == 0


def given_by_a_process(data_dir: Path, name: str) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        [sys.executable, "-c", GIVE, str(data_dir), name], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdout.readline()
    return process


def test_a_worker_that_was_killed_is_dead_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["alive", "--data-dir", str(tmp_path)]
    with given_by_a_process(tmp_path, "host:7") as process:
        assert cli.main(asked) == 0
        process.kill()
        os.waitid(
            os.P_PID, process.pid, os.WEXITED | os.WNOWAIT
        )  # what started it has not asked for its end yet
        assert cli.main(asked) == 1
        assert "host:7 has ended without taking leave" in capsys.readouterr().err
    assert cli.main(asked) == 1

    SignOfLife(tmp_path, "host:8").give(30)
    assert [one.name for one in signs(tmp_path)] == ["host:8"]
    assert cli.main(asked) == 0


@pytest.mark.parametrize(
    ("changed", "to", "is_alive"),
    [
        (0, "9" * 30, True),  # a damaged file shows nothing
        (1, "17", False),  # the id is another process's by now
        (2, "another-start-of-the-machine", True),  # or another machine, with the same data directory
        (3, "pid:[1]", True),  # another container
    ],
)
def test_a_process_is_dead_before_its_time_only_where_that_is_certain(
    tmp_path: Path, changed: int, to: str, *, is_alive: bool
) -> None:
    SignOfLife(tmp_path, "host:7").give(30)
    file = tmp_path / FOLDER / "host:7"
    seconds, process = file.read_text(encoding="utf-8").splitlines()
    words = process.split(" ")
    assert words[0] == str(os.getpid())
    words[changed] = to
    file.write_text(f"{seconds}\n{' '.join(words)}\n", encoding="utf-8")
    assert [one.is_recent for one in signs(tmp_path)] == [is_alive]


def test_signs_of_earlier_versions_and_of_machines_that_show_no_process_count_for_their_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sign = SignOfLife(tmp_path, "host:8")
    sign.give(30)
    (tmp_path / FOLDER / "host:7").write_text("30\n", encoding="utf-8")
    monkeypatch.setattr(sign_of_life, "PROC", tmp_path / "none")
    SignOfLife(tmp_path, "host:9").give(30)
    assert [one.is_recent for one in signs(tmp_path)] == [True] * 3
