"""What is written to a terminal controls nothing there, whatever is in it."""

from __future__ import annotations

import io
import logging
import sys
from typing import cast

import pytest

from broker.text.harmless import one_line
from broker.text.log_lines import OneLineFormatter, format_safely
from broker.text.terminal import TerminalStream, guard_terminal, unguarded

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
    assert unguarded(sys.stderr) is streams["stderr"]


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
