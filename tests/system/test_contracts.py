"""The contracts of `make lint` on the direction of imports: each is broken by a wrong import."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

from tests.support.paths import ROOT

WRONG_IMPORTS = {
    "app knows verifier, verifier knows broker, broker knows neither": ("broker/http", "verifier.errors"),
    "app: an import goes downwards only": ("app/records", "app.worker.process"),
    "app.web: routes on their context, the application on its routes": (
        "app/web/dashboard",
        "app.web.application",
    ),
    "app.web.dashboard: no page knows another": (
        "app/web/dashboard/queue",
        "app.web.dashboard.runs.page",
    ),
    "app.commands: no command knows another, but for wait and worker, which ask the doctor": (
        "app/commands/serve",
        "app.commands.web.parser",
    ),
    "broker: an import goes downwards only": ("broker/client", "broker.webhooks.resource"),
    "broker.embedded: an import goes downwards only": (
        "broker/embedded/pacts",
        "broker.embedded.publishing.publication",
    ),
    "verifier: an import goes downwards only": ("verifier/report", "verifier.cli"),
    "Flask and gunicorn only in app.web and broker.embedded": ("app/intake", "flask"),
    "Procrastinate only in app.queue": ("app/worker", "procrastinate"),
    "requests are sent with the limits of broker.http alone": (
        "app/statuses",
        "requests",
    ),
    "the verifier and the broker's client need none of the server's libraries": (
        "verifier/engine",
        "psycopg",
    ),
    "OpenTelemetry, an extra of its own, only in broker.otlp.exporter": ("broker/traces", "opentelemetry"),
}
"""By the contract's name: a package, and what must not be imported in it."""


def test_a_wrong_import_breaks_its_contract(tmp_path: Path) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    names = [contract["name"] for contract in project["tool"]["importlinter"]["contracts"]]
    assert set(names) == set(WRONG_IMPORTS)
    for package in ("app", "broker", "verifier"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    assert set(verdicts(tmp_path)) == {(name, "KEPT") for name in names}
    for package, module in WRONG_IMPORTS.values():
        (tmp_path / package / "wrong.py").write_text(f"import {module}\n")
    assert set(verdicts(tmp_path)) == {(name, "BROKEN") for name in names}


def verdicts(folder: Path) -> list[tuple[str, str]]:
    """Run import-linter in a copy of the packages; return each contract's name with what became of it."""
    done = subprocess.run(
        [Path(sys.executable).parent / "lint-imports", "--no-cache"],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder), "NO_COLOR": "1", "COLUMNS": "200"},
    )
    # an import that a contract ignores is told in brackets
    return re.findall(r"^(.+) (KEPT|BROKEN)(?: \(.*\))?$", done.stdout, re.MULTILINE)
