"""What holds for all tests."""

from __future__ import annotations

import os

# Tests start many processes: each compiling all modules anew would take a quarter of their time.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

pytest_plugins = ["tests.support.databases", "tests.support.process_marks"]
