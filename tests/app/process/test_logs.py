"""The log of a process: what it must not show."""

from __future__ import annotations

import os
import pty
import subprocess
import sys

import pytest

from tests.support.processes import TIME_LIMIT

PROGRAM = """
import logging
import app.process.logs

def fail(word):
    secret = word * 2
    raise ValueError("it broke")

app.process.logs.configure()
try:
    fail("hush")
except ValueError:
    logging.getLogger("library").exception("failed")
"""


def logged(*, on_terminal: bool) -> str:
    reader, writer = pty.openpty() if on_terminal else os.pipe()
    try:
        subprocess.run([sys.executable, "-c", PROGRAM], stderr=writer, check=True, timeout=TIME_LIMIT)
        return os.read(reader, 100_000).decode()
    finally:
        os.close(reader)
        os.close(writer)


@pytest.mark.parametrize("on_terminal", [False, True], ids=["json", "terminal"])
def test_a_traceback_shows_no_values_of_variables(*, on_terminal: bool) -> None:
    text = logged(on_terminal=on_terminal)
    assert "ValueError" in text
    assert "it broke" in text
    assert "hushhush" not in text
