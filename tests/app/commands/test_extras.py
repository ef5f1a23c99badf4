"""The command that installs an extra is that of the tool which made the environment."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from app.commands.extras import install_with

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
    assert install_with("server") == command
