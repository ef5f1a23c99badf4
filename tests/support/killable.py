"""A run's checkout in a process that a test can kill."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

TIME_LIMIT = 60.0


def wait_until(condition: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + TIME_LIMIT
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.02)


class Killable:
    """A run's checkout in a process that can be killed."""

    def __init__(self, root: Path, url: str, commit: str, *, setup: str = "") -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.checkout_process", str(root), url, setup, commit],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.lines: list[str] = []

    def wait_for(self, beginning: str) -> str:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.rstrip())
            if line.startswith(beginning):
                return line.rstrip()
        raise AssertionError(f"no {beginning!r} in {self.lines}")

    @property
    def group(self) -> int:
        """The process group that it last gave to its guard."""
        return next(int(line.split()[1]) for line in reversed(self.lines) if line.startswith("guard "))

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()

    def finish(self) -> None:
        self.process.communicate()
        assert self.process.returncode == 0


def group_lives(group: int) -> bool:
    for process in psutil.process_iter():
        try:
            if os.getpgid(process.pid) == group and process.status() != psutil.STATUS_ZOMBIE:
                return True
        except (ProcessLookupError, psutil.NoSuchProcess):
            continue
    return False
