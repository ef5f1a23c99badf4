"""The reload in one process: what is read is taken only when it is told to, and what is wrong changes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from structlog.testing import capture_logs

from app.config.file import load
from app.config.settings import Settings
from app.reload.reloader import ReadConfiguration, Reloader
from app.reload.restarts import KEYS, after_reload

if TYPE_CHECKING:
    from pathlib import Path

PROVIDER = {"name": "A", "repository": "a/b", "base_url": "http://127.0.0.1:1", "version": "1"}
FILE = '[broker]\nurl = "http://127.0.0.1:1"\n[[providers]]\nname = "A"\nrepository = "a/b"\nrelay = true\n'


class Process:
    """A process with a configuration in a file."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "pact-dispatch.toml"
        self.file.write_text(FILE)
        self.settings = load(self.file, None)
        self.changes = 0
        self.reloader = Reloader("one", self.file, self.settings.digest, read=self.read, take=self.take)
        self.reloader.on_change = self.note

    def read(self) -> ReadConfiguration[Settings]:
        settings, restart = after_reload(self.settings, load(self.file, None))
        return ReadConfiguration(settings, settings.digest, tuple(restart))

    def take(self, settings: Settings) -> None:
        if settings.retention.days == 13:
            raise OSError("the database is away")
        self.settings = settings

    def note(self) -> None:
        self.changes += 1


@pytest.fixture
def process(tmp_path: Path) -> Process:
    return Process(tmp_path)


def test_what_was_read_is_taken_when_it_is_told_to(process: Process) -> None:
    first = process.reloader.configured.digest
    process.file.write_text(FILE + "[retention]\ndays = 7\n[worker]\nwarm = 3\n")
    checked = process.reloader.answer({"do": "check"})
    assert (checked["restart"], checked["file"]) == (["worker.warm (1, now 3)"], str(process.file))
    assert (process.settings.retention.days, process.reloader.configured.digest) == (30, first)
    process.file.write_text("nothing any more")
    assert process.reloader.answer({"do": "take"})["digest"] == checked["digest"] != first
    assert (process.settings.retention.days, process.settings.worker.warm) == (7, 1)
    assert process.reloader.configured.restart == ("worker.warm (1, now 3)",)
    assert "has read no configuration" in process.reloader.answer({"do": "take"})["error"]
    assert process.changes == 1


def test_what_is_wrong_changes_nothing_and_is_known(process: Process) -> None:
    before = process.settings
    process.file.write_text(FILE + "[retention]\ndays = -1\nweeks = 1\n")
    assert len(process.reloader.answer({"do": "check"})["mistakes"]) == 2
    assert "error" in process.reloader.answer({"do": "take"})
    assert process.settings is before
    assert "retention.days" in str(process.reloader.configured.refused)
    with capture_logs() as logs:
        assert not process.reloader.reload()
    said = [entry["mistake"] for entry in logs if entry["event"] == "a mistake in the configuration"]
    assert len(said) == 2
    process.file.write_text(FILE)
    assert process.reloader.reload()
    assert process.reloader.configured.refused is None


def test_what_was_dropped_is_not_taken(process: Process) -> None:
    process.reloader.answer({"do": "check"})
    process.reloader.answer({"do": "drop"})
    assert "error" in process.reloader.answer({"do": "take"})
    assert "error" in process.reloader.answer({"do": "something else"})
    assert "error" in process.reloader.answer({})


def test_what_can_not_be_taken_is_said(process: Process) -> None:
    process.file.write_text(FILE + "[retention]\ndays = 13\n")
    first = process.reloader.configured
    with capture_logs():
        assert not process.reloader.reload()
        process.reloader.answer({"do": "check"})
        assert "the database is away" in process.reloader.answer({"do": "take"})["error"]
    assert process.reloader.configured is first


def test_a_reading_that_fails_as_nobody_expects_is_said(process: Process) -> None:
    def fail() -> ReadConfiguration[Settings]:
        raise RuntimeError("nobody knows why")

    process.reloader._read = fail
    with capture_logs() as logs:
        assert "RuntimeError" in process.reloader.answer({"do": "check"})["error"]
    assert logs[0]["event"] == "the configuration could not be read"


def test_a_process_that_starts_takes_what_has_changed_since_it_was_read(process: Process) -> None:
    process.reloader.catch_up()
    assert process.changes == 0
    process.file.write_text(FILE + "[retention]\ndays = 7\n")
    process.reloader.catch_up()
    assert process.settings.retention.days == 7


def test_what_needs_a_start_stays_and_is_named() -> None:
    def settings(**sections: dict[str, Any]) -> Settings:
        return Settings.model_validate({"broker": {"url": "http://b"}, "providers": [PROVIDER], **sections})

    sections: dict[str, dict[str, Any]] = {table: dict.fromkeys(keys, 11) for table, keys in KEYS.items()}
    sections["worker"]["retry_seconds"] = []
    running = settings()
    kept, changed = after_reload(running, settings(**sections))
    assert [one.partition(" ")[0] for one in changed] == [
        f"{table}.{key}" for table, keys in KEYS.items() for key in keys
    ]
    assert kept.server == running.server
    assert kept.worker.retry_seconds == ()
    assert kept.worker.model_copy(update={"retry_seconds": running.worker.retry_seconds}) == running.worker
    assert after_reload(running, running)[1] == []
    moved = running.model_copy(update={"data_dir": "elsewhere"})
    assert after_reload(running, moved) == (running, ["data_dir"])
