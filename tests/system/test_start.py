"""What a run imports: a handful of interactions is verified in less time than one of these libraries is imported."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.support.examples import http_interaction, pact_document
from tests.support.loopback import Loopback, Reply
from tests.support.paths import ROOT
from tests.support.running import BIN

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HEAVY = frozenset(
    {
        # what is said to a broker
        "requests",
        "urllib3",
        "certifi",
        "http.client",
        "email",
        "ssl",
        # reports that were not asked for, and colours where there is no terminal
        "jinja2",
        "html",
        "rich",
        "rich_argparse",
        "pygments",
        "difflib",
        "xml",
        # a provider that is running already
        "subprocess",
        "secrets",
        "hashlib",
        # pact-python's own modules around its core
        "pact",
        "pact_ffi",
        "typing_extensions",
        # and what others of these would bring along
        "asyncio",
        "concurrent",
        "importlib.metadata",
        "importlib.resources",
        "jsonschema",
        "logging",
        "pydantic",
        "socketserver",
        "tempfile",
        "textwrap",
        "traceback",
        "unittest",
    }
)
"""What neither process of a run needs that verifies a pact from a file, with a provider on plain HTTP."""
FIRST = {
    "__future__",
    "broker",
    "broker.text",
    "broker.text.standard_descriptors",
    "broker.traces",
    "broker.traces.variables",
    "gc",
    "importlib",
    "verifier",
    "verifier.cli",
    "verifier.engine",
    "verifier.engine.spawn",
    "verifier.environment",
    "warnings",
}
"""All that is imported before the engine's process is started, besides what Python itself imports at its start."""
JOB = """
import sys
from pathlib import Path
from verifier.engine import service
from verifier.engine.job_run import JobRun
from verifier.engine.protocol import Job, Results
from verifier.pact_document import parse_pact
from verifier.pact_file import read_pact_file

class Sink:
    def send(self, event):
        if isinstance(event, Results):
            print(*(result.outcome for result in event.results))

    def end_out_of_memory(self):
        raise MemoryError

job = Job(parse_pact(read_pact_file(Path(sys.argv[1]))), (0,), sys.argv[2])
JobRun(job, Path(sys.argv[3]), Sink()).run()
print(*sys.modules)
"""
"""What the engine's process does with a job."""


@pytest.fixture
def provider() -> Iterator[Loopback]:
    with Loopback(Reply()) as running:
        yield running


@pytest.fixture
def pact(tmp_path: Path) -> str:
    file = tmp_path / "pact.json"
    file.write_text(json.dumps(pact_document(http_interaction())))
    return str(file)


def python(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )


def imported(*arguments: str) -> list[str]:
    """Return the modules that a program imports, those that another one imports before it.

    Those that `import_module` is told of aren't among them, but what these import.
    """
    lines = python("-X", "importtime", *arguments).stderr.splitlines()
    return [line.rpartition("|")[2].strip() for line in lines if line.startswith("import time:")]


def heavy(modules: list[str]) -> frozenset[str]:
    """Return the modules that nobody needs; of a package that is imported the package alone."""
    return HEAVY.intersection(modules) | HEAVY.intersection(name.partition(".")[0] for name in modules)


def test_verify_imports_no_more_than_it_needs(provider: Loopback, pact: str) -> None:
    modules = imported(str(BIN / "verify"), pact, "--provider-base-url", provider.url)
    assert "verifier.report.interface" in modules, "the run went on to its end"
    assert heavy(modules) == set()


def test_engine_imports_no_more_than_it_needs(provider: Loopback, pact: str, tmp_path: Path) -> None:
    outcome, modules = python("-P", "-c", JOB, pact, provider.url, str(tmp_path)).stdout.splitlines()[-2:]
    assert outcome == "passed"
    assert heavy(modules.split()) == set()


def test_engine_is_started_before_anything_else_is_imported(provider: Loopback, pact: str) -> None:
    modules = imported(str(BIN / "verify"), pact, "--provider-base-url", provider.url)
    first = modules[: modules.index("verifier.cli") + 1]
    assert set(first) - set(imported("-c", "pass")) <= FIRST
