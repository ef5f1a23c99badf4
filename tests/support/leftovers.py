"""A module of tests leaves nothing behind that another one could meet: threads, settings of logs, places of modules.

What a thread of an earlier test logs would stand in the output of a later one, and what it raises would fail it. The
handlers of signals are put back: a command that is called in this process has it to itself otherwise.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import structlog

if TYPE_CHECKING:
    from collections.abc import Iterator

END_SECONDS = 60.0
"""How long threads may take to end after the last test of a module, on a machine that is busy."""

_threads: set[threading.Thread] = set()
_before: dict[str, Any] = {}
_signals: dict[signal.Signals, Any] = {}


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_setup() -> Iterator[None]:
    """Note what there is before the first test of a module."""
    if not _before:
        _threads.update(threading.enumerate())
        _before.update(_settings())
        _signals.update({one: signal.getsignal(one) for one in signal.valid_signals() - {signal.SIGALRM}})
    return (yield)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> Iterator[None]:
    """Look for what is left after the last test of a module, whose fixtures have come to their end."""
    result = yield
    if nextitem is None or nextitem.location[0] != item.location[0]:
        try:
            _check()
        finally:
            for number, handler in _signals.items():
                if signal.getsignal(number) is not handler:
                    signal.signal(number, handler)
            _signals.clear()
            _threads.clear()
            _before.clear()
    return result


def _check() -> None:
    deadline = time.monotonic() + END_SECONDS
    left = _left()
    while left and time.monotonic() < deadline:
        time.sleep(0.01)
        left = _left()
    if left:
        names = ", ".join(sorted(_described(thread) for thread in left))
        pytest.fail(f"threads go on after the last test of this module: {names}", pytrace=False)
    now = _settings()
    changed = [f"{name}: {was!r} is now {now[name]!r}" for name, was in _before.items() if now[name] != was]
    if changed:
        pytest.fail(f"this module leaves behind {'; '.join(changed)}", pytrace=False)


def _left() -> list[threading.Thread]:
    return [
        thread
        for thread in threading.enumerate()
        if thread not in _threads and thread is not threading.current_thread() and not _is_of_tools(thread)
    ]


def _is_of_tools(thread: threading.Thread) -> bool:
    return thread.name.startswith(("asyncio_", "pytest_timeout"))


def _described(thread: threading.Thread) -> str:
    target = getattr(thread, "_target", None) or getattr(thread, "function", None) or type(thread)
    return f"{thread.name} ({target.__module__}.{target.__qualname__})"


def _settings() -> dict[str, Any]:
    environment = {name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"}
    return {
        "environment": environment,
        "working directory": Path.cwd(),
        "sys.path": list(sys.path),
        "structlog": structlog.get_config(),
        "logging": (logging.root.level, list(logging.root.handlers)),
        "excepthook": (sys.excepthook, threading.excepthook),
    }
