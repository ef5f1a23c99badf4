"""What holds for all tests."""

from __future__ import annotations

import os
import signal

# Tests start many processes: each compiling all modules anew would take a quarter of their time.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

pytest_plugins = ["tests.support.databases", "tests.support.process_marks"]

# A shell has its background jobs ignore Ctrl-C, which what they start inherits: here it is interrupted all the same.
for _number in (signal.SIGINT, signal.SIGHUP):
    if signal.getsignal(_number) == signal.SIG_IGN:
        signal.signal(_number, signal.default_int_handler if _number == signal.SIGINT else signal.SIG_DFL)
