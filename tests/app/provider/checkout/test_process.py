"""A supervised command leaves nothing behind in the process that started it, however it ends."""

from __future__ import annotations

import os
import signal
import threading
import time
from typing import TYPE_CHECKING

import pytest

from app.provider.checkout.failure import CheckoutFailed
from app.provider.checkout.process import Supervision
from tests.support.abandoning import abandoned_as_something_starts
from verifier.engine.process import Engine

if TYPE_CHECKING:
    from pathlib import Path

ESCAPES = """
trap 'echo told; exit 1' TERM
setsid sh -c 'echo $$; exec sleep 600' &
wait
"""


@pytest.mark.process
def test_a_command_that_takes_too_long_is_read_to_its_end_although_what_it_started_keeps_its_pipes_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines: list[str] = []
    now = time.monotonic
    # time is out once something has left the process group
    monkeypatch.setattr(time, "monotonic", lambda: now() + (60 if lines else 0))
    supervision = Supervision(deadline=now() + 60, guard=lambda _: None)
    threads = set(threading.enumerate())
    try:
        with pytest.raises(CheckoutFailed, match="time ran out"):
            supervision.run(
                ("sh", "-c", ESCAPES),
                doing="it ran",
                folder=tmp_path,
                environment=dict(os.environ),
                on_line=lines.append,
                on_error_line=lines.append,
            )
        assert lines[1:] == ["told"]
        assert set(threading.enumerate()) <= threads  # each has the pipe that it reads
    finally:
        for line in lines[:1]:
            os.kill(int(line), signal.SIGKILL)


@pytest.mark.process
def test_a_command_that_is_just_being_started_is_stopped_with_the_engine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Engine() as engine:
        supervision = Supervision(time.monotonic() + 60, engine.guard, starting=engine.starting)
        with abandoned_as_something_starts(engine, monkeypatch):
            code = supervision.run(
                ("sleep", "600"),
                doing="it ran",
                folder=tmp_path,
                environment=dict(os.environ),
                on_line=print,
            )
    assert code == -signal.SIGTERM
