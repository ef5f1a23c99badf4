"""The command `pact-dispatch`, before any of its commands does anything."""

from __future__ import annotations

import subprocess
import sys

import pytest

from app.cli import COMMANDS

HEAVY = ("flask", "github", "gunicorn", "psycopg", "pydantic", "rich", "sqlalchemy", "yaml")
NAMES = [command.__name__.split(".")[2].replace("_", "-") for command in COMMANDS]


@pytest.mark.parametrize("words", [*([name] for name in NAMES), ["webhooks", "create"]])
def test_the_help_needs_nothing_of_the_server(words: list[str]) -> None:
    program = (
        "import sys; from app.cli import main\n"
        f"try: main([*{words!r}, '--help'])\n"
        "except SystemExit: pass\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("usage: pact-dispatch")
    assert done.stdout.endswith("\n[]\n")
