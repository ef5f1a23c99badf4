"""psycopg beyond its documented interface: these fail where a new version works in another way."""

from __future__ import annotations

import importlib.metadata
import re
import subprocess
import sys
import time
import tomllib
from typing import Any

import psycopg
import pytest
from packaging.requirements import Requirement

from app.database.psycopg_internals import NoAnswer, limited
from tests.support.paths import ROOT

COOPERATIVE = """
from gevent import monkey
import psycopg.waiting
before = psycopg.waiting.wait
monkey.patch_all()
from app.database.psycopg_internals import wait_cooperatively
wait_cooperatively()
print(before.__name__, psycopg.waiting.wait.__name__)
"""


def test_the_version_that_is_installed_is_one_that_is_allowed_and_newer_minor_ones_are_not() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    [psycopg_requirement] = [
        Requirement(line)
        for line in project["optional-dependencies"]["server"]
        if re.match(r"psycopg\b", line)
    ]
    installed = importlib.metadata.version("psycopg")
    major, minor = installed.split(".")[:2]
    assert psycopg_requirement.specifier.contains(installed)
    assert not psycopg_requirement.specifier.contains(f"{major}.{int(minor) + 1}.0")


def test_a_connection_waits_for_generators_that_return_the_result(database_url: str) -> None:
    waited: list[object] = []

    class Watched(psycopg.Connection[tuple[int]]):
        def wait(self, gen, interval=0.1, timeout=None):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
            def watched() -> Any:
                result = yield from limited(gen, time.monotonic() + 60)
                waited.append(result)
                return result

            return super().wait(watched(), interval, timeout)

    with Watched.connect(database_url) as connection:
        waited.clear()
        assert connection.execute("SELECT 1").fetchone() == (1,)
    assert waited


def test_a_generator_is_sent_zero_at_each_interval_without_an_answer(database_url: str) -> None:
    class Impatient(psycopg.Connection[tuple[int]]):
        def wait(self, gen, interval=0.1, timeout=None):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
            return super().wait(limited(gen, time.monotonic()), min(interval, 0.01), timeout)

    connection = Impatient.connect(database_url, autocommit=True)
    try:
        with pytest.raises(NoAnswer):
            connection.execute("SELECT pg_sleep(60)")
    finally:
        connection.pgconn.finish()


def test_psycopg_waits_in_python_once_gevent_has_patched_what_it_waits_with() -> None:
    done = subprocess.run(
        [sys.executable, "-c", COOPERATIVE], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert done.stdout == "wait_c wait_poll\n", done.stderr
