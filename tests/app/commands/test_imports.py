"""A process loads what it needs and no more: the receiver is three of them, and each takes time to start."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = (
    "cryptography",
    "flask",
    "gevent",
    "github",
    "gunicorn",
    "jinja2",
    "opentelemetry",
    "pact",
    "sqlalchemy",
)


@pytest.mark.parametrize("command", ["serve", "worker", "check_config"])
def test_what_only_others_need_is_not_loaded(command: str) -> None:
    code = f"import sys, app.commands.{command}.command; print(*sorted({HEAVY} & sys.modules.keys()))"
    code = code.replace(str(HEAVY), repr(set(HEAVY)))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_the_child_of_a_worker_loads_no_library_for_the_database() -> None:
    heavy = {"psycopg", "procrastinate", "sqlalchemy", "flask", "gevent", "gunicorn", "opentelemetry"}
    code = f"import sys, app.worker.child; print(*sorted({heavy} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_a_probe_loads_next_to_nothing() -> None:
    heavy = {"asyncio", "psycopg", "pydantic", "structlog"}
    code = f"import sys, app.commands.alive.command; print(*sorted({heavy} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
