"""`pact-dispatch reload`: what it says, and how it ends."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from app.reload.control import Control
from tests.support.commands import pact_dispatch

if TYPE_CHECKING:
    from pathlib import Path
    from subprocess import CompletedProcess

    import pytest

CONFIG = 'data_dir = "data"\n[broker]\nurl = "http://b"\n[[providers]]\nname = "A"\nrepository = "a/b"\nrelay = true\n'


def reload(folder: Path, config: str = CONFIG, *options: str, **answers: Any) -> CompletedProcess[str]:
    """Run the command beside a process with these answers, if there are any."""
    (folder / "pact-dispatch.toml").write_text(config)
    (folder / "data").mkdir(exist_ok=True)

    def answer(request: dict[str, Any]) -> dict[str, Any]:
        return {"process": "worker 1", **answers.get(request["do"], {})}

    one = Control(folder / "data", "worker", answer)
    if answers:
        one.open()
    try:
        file = str(folder / "pact-dispatch.toml")
        return pact_dispatch("reload", "--config", file, *options, environment={})
    finally:
        one.close()


def test_what_was_taken_is_told_with_what_waits_for_a_start(tmp_path: Path) -> None:
    done = reload(tmp_path, check={"digest": "abc"}, take={"digest": "abc", "restart": ["data_dir"]})
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "worker 1 has taken the configuration abc; with its next start: data_dir\n"


def test_every_mistake_is_told_also_where_the_data_directory_stands_in_the_same_file(tmp_path: Path) -> None:
    done = reload(tmp_path, f"{CONFIG}\nnonsense = 1\n", check={"mistakes": ["one", "two"]})
    assert (done.returncode, done.stdout) == (2, "")
    assert [line.removeprefix("pact-dispatch reload: ") for line in done.stderr.splitlines()] == [
        "one",
        "two",
        "nothing was reloaded: every process keeps the configuration that it has",
    ]


def test_one_that_has_not_taken_it_is_named(tmp_path: Path) -> None:
    done = reload(tmp_path, check={"digest": "abc"}, take={"error": "the database is away"})
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr == "pact-dispatch reload: worker 1: the database is away\n"


def test_one_that_can_not_read_it_keeps_all_from_it_and_that_is_told(tmp_path: Path) -> None:
    done = reload(tmp_path, check={"error": "it could not"})
    assert (done.returncode, done.stdout) == (3, "")
    assert [line.removeprefix("pact-dispatch reload: ") for line in done.stderr.splitlines()] == [
        "worker 1: it could not",
        "nothing was reloaded: every process keeps the configuration that it has",
    ]


def test_another_file_than_that_of_the_processes_is_told(tmp_path: Path) -> None:
    done = reload(tmp_path, check={"digest": "abc", "file": "/etc/other.toml"}, take={"digest": "abc"})
    assert (done.returncode, done.stdout) == (2, "")
    assert (
        f"no process reads {tmp_path / 'pact-dispatch.toml'}: they were started with /etc/other.toml"
        in done.stderr
    )


def test_programs_are_told_what_came_of_it_in_either_case(tmp_path: Path) -> None:
    done = reload(
        tmp_path, CONFIG, "--json", check={"digest": "abc"}, take={"digest": "abc", "restart": ["data_dir"]}
    )
    assert (done.returncode, done.stderr) == (0, "")
    taken = {
        "process": "worker 1",
        "configuration": "abc",
        "with_its_next_start": ["data_dir"],
        "error": None,
    }
    assert json.loads(done.stdout) == {"mistakes": [], "processes": [taken]}

    done = reload(tmp_path, CONFIG, "--json", check={"digest": "abc"}, take={"error": "the database is away"})
    assert done.returncode == 3
    [process] = json.loads(done.stdout)["processes"]
    assert process["error"] == "the database is away"

    done = reload(tmp_path, CONFIG, "--json", check={"mistakes": ["one", "two"]})
    assert done.returncode == 2
    assert json.loads(done.stdout) == {"mistakes": ["one", "two"], "processes": []}
    assert "nothing was reloaded" in done.stderr


def test_where_nobody_runs_that_is_told_after_the_mistakes(tmp_path: Path) -> None:
    done = reload(tmp_path)
    assert done.returncode == 3
    assert f"no process of a receiver runs here with the data directory {tmp_path / 'data'}" in done.stderr
    done = reload(tmp_path, f"{CONFIG}\n[nonsense]\n")
    assert done.returncode == 2
    assert "nonsense: is no key of the configuration" in done.stderr


def test_a_file_that_can_not_be_read_is_told_once_and_that_nothing_was_reloaded(tmp_path: Path) -> None:
    done = reload(tmp_path, "[broker")
    assert (done.returncode, done.stdout) == (2, "")
    mistake, end = [line.removeprefix("pact-dispatch reload: ") for line in done.stderr.splitlines()]
    assert mistake.startswith(f"{tmp_path / 'pact-dispatch.toml'}: is no TOML: ")
    assert end == "nothing was reloaded: every process keeps the configuration that it has"
    done = reload(tmp_path, "[broker", "--json")
    assert json.loads(done.stdout) == {"mistakes": [mistake], "processes": []}


def test_another_account_is_told_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> Any:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("app.reload.control.os.listdir", refuse)
    done = reload(tmp_path)
    assert done.returncode == 3
    assert "is closed to this account: run it as that of the receiver, or as root" in done.stderr
