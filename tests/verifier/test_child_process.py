"""Signals to process groups, lines of output, and how processes end, in words."""

from __future__ import annotations

import io
import signal
import subprocess
import sys

import pytest

from broker.text.cut import CUT
from verifier.child_process import how_it_ended, read_lines, signal_group


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (0, "ended with exit code 0"),
        (3, "ended with exit code 3"),
        (-9, "was killed by SIGKILL"),
        (-(signal.SIGRTMIN + 3), f"was killed by signal {signal.SIGRTMIN + 3}"),
    ],
)
def test_end_is_told_in_words(code: int, words: str) -> None:
    assert how_it_ended(code) == words


def test_long_lines_are_cut_and_the_next_one_is_whole() -> None:
    pipe = io.BytesIO(b"short\n" + b"x" * 25 + b"\nlast")
    assert list(read_lines(pipe, 10)) == ["short", "x" * 10 + CUT, "last"]


def test_bytes_that_are_no_text_are_replaced() -> None:
    assert list(read_lines(io.BytesIO(b"caf\xe9\n"), 10)) == ["caf\N{REPLACEMENT CHARACTER}"]


def test_signal_to_a_group_that_is_gone_reaches_nobody() -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", "input()"], stdin=subprocess.PIPE, start_new_session=True
    )
    assert signal_group(process.pid, 0)
    process.communicate()
    assert not signal_group(process.pid, 0)
