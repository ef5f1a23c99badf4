"""The command that installs an extra is that of the tool which made the environment."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from importlib.metadata import PackageNotFoundError
from typing import TYPE_CHECKING

import pytest
from packaging.requirements import Requirement

from app.commands import extras
from app.commands.extras import install_with
from app.commands.runner import LIBRARIES_OF_EXTRAS, SETUP_COMMANDS, extra_of
from tests.support.paths import ROOT

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("file", "command"),
    [
        (None, "pip install 'pact-dispatch[server]'"),
        ("uv-receipt.toml", "uv tool install 'pact-dispatch[server]'"),
        ("pipx_metadata.json", "pipx install --force 'pact-dispatch[server]'"),
    ],
)
def test_an_extra_goes_into_the_environment_that_runs(
    file: str | None, command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if file:
        (tmp_path / file).write_text("")
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    _only_installed(monkeypatch)
    assert install_with("server") == command


@pytest.mark.parametrize(
    ("wanted", "installed", "named"),
    [
        ("server", ("opentelemetry-exporter-otlp-proto-http", "opentelemetry-sdk"), "server,otel"),
        ("server", ("opentelemetry-sdk",), "server"),
        ("server", ("cryptography", "pydantic", "pygithub", "pyyaml"), "server"),
        ("otel", ("cryptography", "pydantic", "pygithub", "pyyaml"), "otel,setup"),
        ("setup", ("opentelemetry-exporter-otlp-proto-http", "opentelemetry-sdk", "pydantic"), "setup,otel"),
    ],
)
def test_an_extra_that_is_there_is_named_to_tools_that_would_take_it_away(
    wanted: str, installed: tuple[str, ...], named: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _only_installed(monkeypatch, *installed)
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    assert install_with(wanted) == f"pip install 'pact-dispatch[{wanted}]'"  # pip takes nothing away
    (tmp_path / "uv-receipt.toml").write_text("")
    assert install_with(wanted) == f"uv tool install 'pact-dispatch[{named}]'"


def _only_installed(monkeypatch: pytest.MonkeyPatch, *packages: str) -> None:
    def version(package: str) -> str:
        if package not in packages:
            raise PackageNotFoundError(package)
        return "1.0"

    monkeypatch.setattr(extras, "version", version)


OF_SETUP = {"cryptography", "pydantic", "github", "yaml"}
"""The modules that the extra `setup` brings."""


@pytest.mark.parametrize("command", sorted(SETUP_COMMANDS))
def test_a_command_that_sets_up_needs_nothing_of_a_server(command: str) -> None:
    program = (
        "import importlib, sys; importlib.import_module(sys.argv[1]); "
        "print(*{name.partition('.')[0] for name in sys.modules})"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, f"app.commands.{command}.command"],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    assert set(done.stdout.split()) & LIBRARIES_OF_EXTRAS <= OF_SETUP


def test_the_extra_of_a_command_is_the_one_that_has_its_libraries() -> None:
    assert [extra_of(command) for command in ("setup", "doctor", "serve", "reconcile")] == [
        "setup",
        "setup",
        "server",
        "server",
    ]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    optional = project["optional-dependencies"]
    assert "pact-dispatch[setup]" in optional["server"]
    assert {Requirement(line).name for line in optional["setup"]} == {
        "cryptography",
        "pydantic",
        "pygithub",
        "pyyaml",
    }
