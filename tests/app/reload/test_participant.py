"""A process that takes part in reloads no more is neither asked nor shown, whatever its threads are just doing."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from app.records import processes
from app.records.processes import Kind
from app.reload.control import Control, control_sockets
from app.reload.participant import Participant
from app.reload.reloader import Configured
from tests.support.processes import TIME_LIMIT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from uuid import UUID


class Idle:
    """A reloader that has nothing to take."""

    configured = Configured("aaa")

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        return request

    def catch_up(self) -> None:
        """Nothing has changed."""


class Noted:
    """A database in which processes are noted.

    Attributes:
        processes: Those that are.
        noting: Set when one begins to be noted.
        forgotten: Set when one was forgotten.
        closed: Whether nobody should ask for a connection any more.
    """

    def __init__(self) -> None:
        self.processes: set[UUID] = set()
        self.noting, self.forgotten = threading.Event(), threading.Event()
        self.closed = False
        self.asked_too_late = False

    @contextmanager
    def connection(self) -> Iterator[None]:
        self.asked_too_late |= self.closed
        yield

    def note(self, _: None, process: UUID, __: processes.ProcessState) -> None:
        self.noting.set()
        self.forgotten.wait(0.5)  # as a slow database does
        self.asked_too_late |= self.closed
        self.processes.add(process)

    def forget(self, _: None, process: UUID) -> None:
        self.processes.discard(process)
        self.forgotten.set()


@pytest.fixture
def noted(monkeypatch: pytest.MonkeyPatch) -> Noted:
    database = Noted()
    monkeypatch.setattr(processes, "note", database.note)
    monkeypatch.setattr(processes, "forget", database.forget)
    return database


def started(folder: Path, noted: Noted) -> tuple[Participant, threading.Thread]:
    before = set(threading.enumerate())
    participant = Participant(Kind.WORKER, Idle(), data_dir=folder, pool=noted)  # type: ignore[arg-type]
    participant.start()
    thread = next(one for one in threading.enumerate() if one.name == "reloads" and one not in before)
    return participant, thread


def test_a_process_that_stops_while_it_is_noted_is_not_shown_any_more(tmp_path: Path, noted: Noted) -> None:
    participant, thread = started(tmp_path, noted)
    assert noted.noting.wait(TIME_LIMIT)
    participant.stop()
    noted.closed = True
    thread.join(TIME_LIMIT)
    assert not thread.is_alive()
    assert not noted.processes
    assert not noted.asked_too_late


def test_a_process_that_stops_before_it_listens_never_does(
    tmp_path: Path, noted: Noted, monkeypatch: pytest.MonkeyPatch
) -> None:
    beginning, closed = threading.Event(), threading.Event()
    listen, close = Control.open, Control.close

    def late(control: Control) -> None:
        beginning.set()
        assert closed.wait(TIME_LIMIT)
        listen(control)

    def early(control: Control) -> None:
        close(control)
        closed.set()

    monkeypatch.setattr(Control, "open", late)
    monkeypatch.setattr(Control, "close", early)
    before = set(threading.enumerate())
    participant, thread = started(tmp_path, noted)
    assert beginning.wait(TIME_LIMIT)
    participant.stop()
    noted.closed = True
    thread.join(TIME_LIMIT)
    assert not thread.is_alive()
    assert control_sockets(tmp_path) == []
    assert set(threading.enumerate()) <= before
    assert not noted.noting.is_set()
    assert not noted.asked_too_late
