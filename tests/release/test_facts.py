"""What a tag releases."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from release import facts, project
from tests.support.paths import ROOT

if TYPE_CHECKING:
    from pathlib import Path

CHANGELOG = """\
# Changelog

## Unreleased

## 1.2.3 - 2026-11-27

### Fixed

- This.

## 1.2.2

- That.
"""


@pytest.fixture
def ready(tmp_path: Path) -> Path:
    """A project that can be released as 1.2.3. It has no git, as a source distribution has none."""
    (tmp_path / "docs").mkdir()
    found = project.read()
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    text = text.replace(f"/{found.owner}/", "/acme/").replace(
        f'version = "{found.version}"', 'version = "1.2.3"'
    )
    (tmp_path / "pyproject.toml").write_text(text, encoding="utf-8")
    (tmp_path / "examples" / "workflows").mkdir(parents=True)
    for page in ("README.md", "docs/github.md", "examples/workflows/node.yml"):
        (tmp_path / page).write_text("- uses: acme/pact-dispatch@v1\n", encoding="utf-8")
    chart = tmp_path / facts.CHART
    chart.parent.mkdir(parents=True)
    chart.write_text("apiVersion: v2\nversion: 1.2.3\nappVersion: 1.2.3\n", encoding="utf-8")
    (tmp_path / "CHANGELOG.md").write_text(CHANGELOG, encoding="utf-8")
    return tmp_path


def missing(
    root: Path, tag: str | None = "v1.2.3", repository: str | None = "Acme/pact-dispatch"
) -> list[str]:
    return facts.missing(root, tag=tag, repository=repository)


def change(file: Path, old: str, new: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")


def test_what_is_ready_lacks_nothing(ready: Path) -> None:
    assert missing(ready) == []
    assert missing(ready, None, None) == []
    assert facts.notes(ready, "1.2.3") == "### Fixed\n\n- This.\n"


@pytest.mark.parametrize("tag", ["v1.2.4", "1.2.3", "v1.2.3rc1", "v1"])
def test_another_tag_than_the_version_is_refused(ready: Path, tag: str) -> None:
    [fault] = missing(ready, tag)
    assert fault.startswith(f"The tag {tag} is not v1.2.3, the version in pyproject.toml: write ")


def test_another_repository_is_refused(ready: Path) -> None:
    assert missing(ready, repository="other/pact-dispatch") == [
        "This is other/pact-dispatch, and the files name acme/pact-dispatch: make owner OWNER=other"
    ]


def test_a_version_without_its_day_in_the_changelog_is_refused(ready: Path) -> None:
    change(ready / "CHANGELOG.md", " - 2026-11-27", "")
    assert missing(ready) == ["CHANGELOG.md has no section '## 1.2.3 - YYYY-MM-DD' with what is new."]


@pytest.mark.parametrize("page", ["README.md", "examples/workflows/node.yml"])
def test_examples_of_another_major_version_are_refused(ready: Path, page: str) -> None:
    change(ready / page, "pact-dispatch@v1", "pact-dispatch/.github/workflows/x.yml@v2")
    assert missing(ready) == [f"{page} says v2 of the Action, and this release moves v1."]


def test_a_chart_of_another_version_is_refused(ready: Path) -> None:
    change(ready / facts.CHART, "\nversion: 1.2.3", "\nversion: 1.2.2")
    assert [fault.partition(" in ")[0] for fault in missing(ready)] == ["version"]
    change(ready / facts.CHART, "appVersion: 1.2.3\n", "")
    assert [fault.partition(" in ")[0] for fault in missing(ready)] == ["version", "appVersion"]
    assert facts.versions_of_chart("1.2.3rc1") == {"version": "1.2.3-rc1", "appVersion": "1.2.3rc1"}


def test_every_page_that_names_the_action_names_the_version_that_this_tree_releases() -> None:
    named = [
        str(file.relative_to(ROOT))
        for pattern in facts.PAGES
        for file in ROOT.glob(pattern)
        if "/pact-dispatch" in file.read_text(encoding="utf-8")
    ]
    assert {"README.md", "docs/github.md", "examples/workflows/pact_changed.yml"} <= set(named)
    assert not [fault for fault in facts.missing(ROOT, tag=None, repository=None) if "of the Action" in fault]


def test_the_placeholder_is_refused(ready: Path) -> None:
    change(ready / "pyproject.toml", "/acme/", f"/{project.PLACEHOLDER}/")
    assert missing(ready) == ["No account is named yet: make owner OWNER=... writes it into every file."]


@pytest.mark.parametrize("version", ["1.2", "1.2.3.post1", "v1.2.3", "01.2.3", "1.2.3-rc1"])
def test_a_version_of_another_form_is_refused(ready: Path, version: str) -> None:
    change(ready / "pyproject.toml", 'version = "1.2.3"', f'version = "{version}"')
    assert f"The version {version} in pyproject.toml is neither 1.2.3 nor 1.2.3rc1." in missing(
        ready, f"v{version}"
    )


@pytest.mark.parametrize(
    ("version", "tags", "moves"),
    [
        ("1.2.3", [], True),
        ("1.2.3", ["v1.2.3", "v1.2.2", "v1", "v1.2.4rc1", "vx", "v2.0.0"], True),
        ("1.2.3", ["v1.10.0"], False),
        ("1.2.3rc1", [], False),
    ],
)
def test_the_moving_tag_only_goes_forward(version: str, tags: list[str], *, moves: bool) -> None:
    assert facts.moves_major(version, tags) is moves


@pytest.mark.process
def test_a_dry_run_lists_what_is_missing_and_is_no_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("GITHUB_REPOSITORY", raising=False)
    monkeypatch.setattr(sys, "argv", ["facts", "--tag", ""])
    assert facts.main() == 0
    out, err = capsys.readouterr()
    named = dict(line.split("=", 1) for line in out.splitlines())
    assert named["tag"] == f"v{project.read().version}"
    assert named["image"] == named["image"].lower()
    assert all(line.startswith("Before a release: ") for line in err.splitlines())


def test_a_wrong_tag_prints_no_facts(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["facts", "--tag", "v99.0.0"])
    assert facts.main() == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert "Not released: The tag v99.0.0 is not " in err
