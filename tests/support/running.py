"""`verify` as a real process, and the provider that it asks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from shlex import quote as quoted
from typing import TYPE_CHECKING, Any

from tests.support.paths import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

BIN = Path(sys.executable).parent
PROVIDER = (
    f"{quoted(sys.executable)} {quoted(str(ROOT / 'tests/support/scripted_provider.py'))} --port {{port}}"
)
READY = ("--provider-health-path", "/health")
STATES = ("--provider-states-setup-url", "http://127.0.0.1:{port}/_states")
OURS = ("PACT_", "GIT_", "GITHUB_")


@dataclass(frozen=True)
class Done:
    """How a run ended."""

    code: int
    out: str
    err: str
    report: dict[str, Any]


def environment(**variables: str) -> dict[str, str]:
    """The environment of a run: nothing that would stand for an option, but what is given."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    return kept | variables


def start_verify(*arguments: object, **variables: str) -> subprocess.Popen[str]:
    """Start `verify`."""
    return subprocess.Popen(
        [str(BIN / "verify"), *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(**variables),
    )


def verify(folder: Path, *arguments: object, **variables: str) -> Done:
    """Run `verify` to its end, with a JSON report."""
    file = folder / "report.json"
    with start_verify(*arguments, "--json", file, **variables) as process:
        out, err = process.communicate(timeout=100)
    report = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    return Done(process.returncode, out, err, report)


@contextmanager
def scripted_provider(*options: str, host: str = "127.0.0.1") -> Iterator[str]:
    """Run the scripted provider; gives its URL."""
    options = ("--host", host, *options)
    command = [sys.executable, str(ROOT / "tests" / "support" / "scripted_provider.py"), *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            port = process.stdout.readline().removeprefix("listening on ").strip()
            yield f"http://{host}:{port}"
        finally:
            process.kill()
