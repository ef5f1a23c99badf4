"""`make owner OWNER=...`: no place is left out, and it works again after a move."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from release import owner, project
from tests.support.paths import ROOT

if TYPE_CHECKING:
    from pathlib import Path

HOSTS = re.compile(r"(?:github\.com|ghcr\.io)/([\w-]+)/pact-dispatch\b|uses: ([\w-]+)/pact-dispatch\b")


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the project in which git knows the same files."""
    for file in owner.tracked(ROOT):
        target = tmp_path / file.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, target)
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)
    subprocess.run(["git", "add", "--all"], cwd=tmp_path, check=True)
    return tmp_path


def texts(root: Path) -> dict[str, str]:
    """The files that are for people and for GitHub, and neither the tests nor the tool itself."""
    return {
        name: file.read_text(encoding="utf-8", errors="replace")
        for file in owner.tracked(root)
        if not (name := file.relative_to(root).as_posix()).startswith(("tests/", "release/"))
    }


def test_the_owner_gets_into_every_file_and_again_after_a_move(copy: Path) -> None:
    original = texts(copy)
    placeholder = project.read(copy).owner
    changed = {file.relative_to(copy).as_posix() for file in owner.fill(copy, "Acme-1")}
    assert {"pyproject.toml", "README.md", ".github/zizmor.yml"} <= changed
    assert project.read(copy).repository == "Acme-1/pact-dispatch"
    for name, text in texts(copy).items():
        assert not re.search(rf"(?<![\w-]){placeholder}/(?!REPO|\")", text), name
        for found in HOSTS.finditer(text):
            assert (found[1] or found[2]).lower() == "acme-1", (name, found[0])
        assert "ghcr.io/Acme" not in text, "registries refuse capitals"
    owner.fill(copy, "other")
    assert project.read(copy).repository == "other/pact-dispatch"
    owner.fill(copy, placeholder)
    image = f"ghcr.io/{placeholder}/"
    assert {name: text.replace(image.lower(), image) for name, text in texts(copy).items()} == {
        name: text.replace(image.lower(), image) for name, text in original.items()
    }


def test_what_only_looks_like_it_stays() -> None:
    text = "/x/OWNER-x/pact-dispatch COWNER/pact-dispatch OWNER/pact-dispatch-token OWNER/REPO OWNER/pact-dispatch@v1"
    assert owner.replace(text, "OWNER", "acme") == text.replace("OWNER/pact-dispatch@", "acme/pact-dispatch@")


@pytest.mark.parametrize("name", ["", "-acme", "acme/products", "a b", "$(id)"])
def test_what_is_no_account_is_refused(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["owner", name])
    assert owner.main() == 2
    assert "make owner OWNER=acme" in capsys.readouterr().err
