"""What a process printed is read whole, whoever keeps its pipe open, and however busy the machine is."""

from __future__ import annotations

import errno
import os
import socket
import subprocess
import threading
from typing import IO, TYPE_CHECKING, Any
from unittest.mock import Mock

import pytest

from tests.support.receiver import wait_until
from verifier import output_reader
from verifier.output_reader import OutputReader

if TYPE_CHECKING:
    from collections.abc import Iterator

PRINTED = "".join(f"{number} {'x' * 100}\n" for number in range(500))


class Listener:
    """Takes lines when it may: a thread that waits for its turn."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.ended = threading.Event()
        self.turn = threading.Event()

    def take(self, line: str) -> None:
        self.turn.wait(60)
        self.lines.append(line)


@pytest.fixture
def listener() -> Listener:
    return Listener()


@pytest.fixture
def pipe(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[int, int]]:
    """A pipe that somebody keeps open for ever."""
    monkeypatch.setattr(output_reader, "END_SECONDS", 0.0)
    reading, writing = os.pipe()
    yield reading, writing
    os.close(writing)


def test_all_that_was_printed_is_waited_for(pipe: tuple[int, int], listener: Listener) -> None:
    os.write(pipe[1], PRINTED.encode())
    reader = OutputReader(os.fdopen(pipe[0], "rb"), listener.take, listener.ended.set)
    finished: list[bool] = []
    finishing = threading.Thread(target=lambda: finished.append(reader.finish()))
    finishing.start()
    finishing.join(0.1)
    assert finishing.is_alive()
    listener.turn.set()
    finishing.join(60)
    assert finished == [True]
    assert listener.lines == PRINTED.splitlines()
    assert listener.ended.is_set()


def test_a_line_without_an_end_is_one_too(pipe: tuple[int, int], listener: Listener) -> None:
    listener.turn.set()
    reader = OutputReader(os.fdopen(pipe[0], "rb"), listener.take)
    os.write(pipe[1], b"one\ntwo")
    assert reader.finish()
    assert listener.lines == ["one", "two"]


def test_output_that_can_not_be_read_in_time_is_not_whole(
    pipe: tuple[int, int], listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(output_reader, "READ_SECONDS", 0.1)
    os.write(pipe[1], b"one\n")
    reader = OutputReader(os.fdopen(pipe[0], "rb"), listener.take)
    assert not reader.finish()
    listener.turn.set()


def test_a_process_that_goes_on_printing_is_not_read_for_ever(listener: Listener) -> None:
    listener.turn.set()
    command = 'echo own; exec setsid sh -c "while echo more; do :; done"'
    with subprocess.Popen(["sh", "-c", command], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        reader = OutputReader(process.stdout, listener.take, listener.ended.set)
        wait_until(lambda: listener.lines, "it prints")  # what it prints later isn't waited for
        assert reader.finish()  # which closes the pipe, by which it ends
    assert listener.lines[0] == "own"
    assert set(listener.lines[1:-1]) <= {"more"}
    assert listener.ended.is_set()


@pytest.fixture
def unread() -> Iterator[IO[bytes]]:
    """A pipe that nobody reads yet."""
    reading, writing = os.pipe()
    yield os.fdopen(reading, "rb")
    os.close(writing)


@pytest.mark.parametrize(
    ("module", "name", "error"),
    [
        (threading.Thread, "start", RuntimeError("can't start new thread")),
        (socket, "socketpair", OSError(errno.EMFILE, "Too many open files")),
    ],
)
def test_output_that_nobody_can_read_is_an_error_of_the_system(
    unread: IO[bytes],
    listener: Listener,
    monkeypatch: pytest.MonkeyPatch,
    module: Any,
    name: str,
    error: Exception,
) -> None:
    monkeypatch.setattr(module, name, Mock(side_effect=error))
    with pytest.raises(OSError, match=r"unavailable|Too many"):
        OutputReader(unread, listener.take)
    assert unread.closed


def test_ctrl_c_leaves_the_pipe_to_a_thread_that_has_begun(
    unread: IO[bytes], listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = threading.Thread.start

    def interrupted(thread: threading.Thread) -> None:
        start(thread)
        raise KeyboardInterrupt

    monkeypatch.setattr(threading.Thread, "start", interrupted)
    with pytest.raises(KeyboardInterrupt):
        OutputReader(unread, listener.take)
    assert not unread.closed


def test_the_end_of_the_output_is_noticed_by_itself(listener: Listener) -> None:
    listener.turn.set()
    with subprocess.Popen(["printf", "a\\nb"], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        reader = OutputReader(process.stdout, listener.take)
        assert reader.wait(60)
    assert listener.lines == ["a", "b"]
    assert reader.finish()
