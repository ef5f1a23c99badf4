"""What holds for all tests."""

from __future__ import annotations

import importlib
import os
import signal
import sys
from contextlib import suppress

import pytest

# Tests start many processes: each compiling all modules anew would take a quarter of their time. So would the tests'
# own modules, whose assertions pytest rewrites.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

pytest_plugins = ["tests.support.databases", "tests.support.leftovers", "tests.support.process_marks"]

# A shell has its background jobs ignore Ctrl-C, which what they start inherits: here it is interrupted all the same.
for _number in (signal.SIGINT, signal.SIGHUP):
    if signal.getsignal(_number) == signal.SIG_IGN:
        signal.signal(_number, signal.default_int_handler if _number == signal.SIGINT else signal.SIG_DFL)


@pytest.hookimpl(tryfirst=True)
def pytest_collection(session: pytest.Session) -> None:
    """Begin with modules that no other process begins with, so that each is compiled by one of them, for all."""
    config, worker = session.config, os.environ.get("PYTEST_XDIST_WORKER")
    if worker is None or config.args != config.getini("testpaths"):
        return
    tests = config.rootpath / "tests"
    first, step = int(worker.removeprefix("gw")), int(os.environ["PYTEST_XDIST_WORKER_COUNT"])
    for file in sorted(tests.rglob("test_*.py"))[first::step]:
        with suppress(
            Exception, pytest.skip.Exception
        ):  # which is told when the module's tests are collected
            importlib.import_module(".".join(file.relative_to(tests.parent).with_suffix("").parts))
