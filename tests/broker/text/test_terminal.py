"""What is written to a terminal controls nothing there, whatever is in it."""

from __future__ import annotations

import errno
import io
import logging
import subprocess
import sys
from typing import TYPE_CHECKING, cast

import pytest

from broker.text.harmless import one_line
from broker.text.log_lines import OneLineFormatter, format_safely
from broker.text.terminal import LosableStream, TerminalStream, guard_terminal, loss_of, unguarded

if TYPE_CHECKING:
    from pathlib import Path

HOSTILE = (
    "\x1b]52;c;Y2F0\x07",  # writes to the clipboard
    "\x1b[2J\x1b[1;1H",
    "\x9b2J",
    "\x1bPq\x1b\\",
    "\r\b\x0b\x0c\x7f\x00",
    "\x85\u2028\u2029",
    "\u202e\u2066\u200b\u2060\ufeff\u061c",
    "\ud800",
)


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_that_controls_a_terminal_is_written(text: str) -> None:
    written = io.StringIO()
    TerminalStream(written).write(f"before {text} after\n")
    shown = written.getvalue()
    assert shown.removesuffix("\n").isprintable()
    assert shown.startswith("before \\")
    assert shown.endswith(" after\n")
    assert one_line(text).isprintable()


def test_text_lines_and_colours_stay() -> None:
    written = io.StringIO()
    stream = TerminalStream(written)
    stream.writelines(["\x1b[1;32mgreen\x1b[0m\tcaf\u00e9 \u2713\n", "\U0001f600\n"])
    assert written.getvalue() == "\x1b[1;32mgreen\x1b[0m\tcaf\u00e9 \u2713\n\U0001f600\n"


def test_standard_streams_are_guarded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    streams = {name: io.TextIOWrapper(io.BytesIO(), encoding="ascii") for name in ("stdout", "stderr")}
    for name, stream in streams.items():
        monkeypatch.setattr(sys, name, stream)
    guard_terminal()
    guard_terminal()
    print("\x1b]0;title\x07 \u2713")
    sys.stdout.flush()
    assert streams["stdout"].buffer.getvalue() == b"\\x1b]0;title\\x07 \\u2713\n"
    assert isinstance(unguarded(sys.stderr), LosableStream)
    assert unguarded(sys.stderr).buffer is streams["stderr"].buffer


def test_record_of_a_log_is_one_line_and_a_traceback_is_indented() -> None:
    written = io.StringIO()
    logger = logging.getLogger("a library of the tests")
    logger.addHandler(logging.StreamHandler(written))
    logger.handlers[0].setFormatter(logging.Formatter("[%(levelname)s] %(message)s"))
    logger.propagate = False
    format_safely(logger)
    assert isinstance(logger.handlers[0].formatter, OneLineFormatter)
    try:
        raise ValueError("no\n[ERROR] a line of its own\x1b[2J")
    except ValueError:
        logger.exception("GET /%s", "\x1b]0;x\x07\r\n[ERROR] another")
    lines = written.getvalue().splitlines()
    assert lines[0].startswith("[ERROR] GET /\\x1b]0;x\\x07")
    assert all(line.startswith("    ") for line in lines[1:])
    assert all(line.isprintable() for line in lines)


def test_stream_is_used_as_the_one_below() -> None:
    stream = cast("io.TextIOWrapper", TerminalStream(io.TextIOWrapper(io.BytesIO(), encoding="utf-8")))
    assert stream.encoding == "utf-8"
    assert not stream.isatty()


class Full(io.StringIO):
    """A stream on a full disk."""

    def write(self, _: str) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    def flush(self) -> None:
        raise BrokenPipeError(errno.EPIPE, "Broken pipe")


def test_what_can_not_be_written_is_lost_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    streams = {"stdout": Full(), "stderr": io.StringIO()}
    for name, stream in streams.items():
        monkeypatch.setattr(sys, name, stream)
    guard_terminal()
    print("lost", flush=True)
    print("kept", file=sys.stderr, flush=True)
    unguarded(sys.stdout).writelines(["lost", "too"])
    assert isinstance(loss_of(sys.stdout), OSError)
    assert not isinstance(loss_of(sys.stdout), BrokenPipeError)  # it was the second one
    assert loss_of(sys.stderr) is None
    assert streams["stderr"].getvalue() == "kept\n"
    assert loss_of(io.StringIO()) is None


def test_a_stream_that_is_closed_takes_what_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    guard_terminal()
    assert not sys.stdout.writable()
    assert loss_of(sys.stdout) is None
    print("lost")
    lost = loss_of(sys.stdout)
    assert lost is not None
    assert lost.strerror == "the stream is closed"


def test_nothing_that_is_opened_takes_the_place_of_a_closed_stream(tmp_path: Path) -> None:
    program = (
        "import os, subprocess, sys; from broker.text.terminal import guard_terminal; guard_terminal()\n"
        "opened = open(sys.argv[1], 'w')\n"
        "opened.write(f'{opened.fileno() > 2} ')\n"
        "print('lost'); print('lost', file=sys.stderr); sys.stdout.flush()\n"
        "child = 'import os; [os.fstat(number) for number in range(3)]'\n"
        "opened.write(str(subprocess.call([sys.executable, '-c', child])))\n"
    )
    file = tmp_path / "opened"
    script = '"$@" <&- >&- 2>&-'
    done = subprocess.run(
        ["sh", "-c", script, "sh", sys.executable, "-c", program, file], check=False, timeout=60
    )
    assert done.returncode == 0
    assert file.read_text(encoding="utf-8") == "True 0"
