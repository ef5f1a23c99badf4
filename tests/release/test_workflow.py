"""The workflow that releases: what it may do, when, and with what."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from release.facts import PAGES
from tests.support.paths import ROOT

TEXT = (ROOT / ".github" / "workflows" / "release.yml").read_text(encoding="utf-8")
WORKFLOW: dict[Any, Any] = yaml.safe_load(TEXT)
JOBS: dict[str, dict[str, Any]] = WORKFLOW["jobs"]
PUBLISHING = {name for name, job in JOBS.items() if "write" in job["permissions"].values()}


def before(name: str) -> set[str]:
    """The jobs that come before one, whatever else happens."""
    needs = JOBS[name].get("needs", [])
    direct = {needs} if isinstance(needs, str) else set(needs)
    return direct.union(*(before(found) for found in direct))


def test_a_dry_run_has_no_job_that_may_write() -> None:
    assert set(WORKFLOW[True]) == {"push", "workflow_dispatch"}
    assert WORKFLOW["permissions"] == {}
    assert {"pypi", "image", "image-tags", "release"} == PUBLISHING
    for name, job in JOBS.items():
        assert job.get("if") == ("github.event_name == 'push'" if name in PUBLISHING else None), name


def test_nothing_is_published_before_everything_was_tried_and_somebody_approved() -> None:
    assert JOBS["pypi"]["environment"] == "pypi"
    assert before("pypi") == JOBS.keys() - PUBLISHING
    for name in PUBLISHING - {"pypi"}:
        assert "pypi" in before(name), name


def test_no_value_of_an_event_gets_into_a_shell_line() -> None:
    for job in JOBS.values():
        for step in job["steps"]:
            assert "${{" not in step.get("run", ""), step


def test_every_action_is_pinned_by_its_commit_with_its_version_beside_it() -> None:
    used = re.findall(r"uses: (.*)", TEXT)
    assert len(used) > 10
    versions: dict[str, set[str]] = {}
    for use in used:
        found = re.fullmatch(r"([\w./-]+)@([0-9a-f]{40} # v\d+\.\d+\.\d+)", use)
        assert found, use
        versions.setdefault(found[1], set()).add(found[2])
    assert all(len(found) == 1 for found in versions.values()), versions


@pytest.mark.parametrize("platform", ["linux/amd64", "linux/arm64"])
@pytest.mark.parametrize("job", ["try-image", "image"])
def test_each_platform_is_built_on_a_machine_of_its_kind(job: str, platform: str) -> None:
    [found] = [entry for entry in JOBS[job]["strategy"]["matrix"]["include"] if entry["platform"] == platform]
    assert found["runner"].endswith("-arm") is (platform == "linux/arm64")


def test_the_image_is_pushed_by_digest_with_sbom_and_provenance() -> None:
    [push] = [step["with"] for step in JOBS["image"]["steps"] if step.get("id") == "push"]
    assert "push-by-digest=true" in push["outputs"]
    assert push["provenance"] == "mode=max"
    assert push["sbom"] is True
    assert "tags" not in push


def test_the_marketplace_takes_the_action() -> None:
    """Its limits: a description of 125 characters, an icon of Feather, one of eight colours."""
    action = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
    assert len(action["description"]) <= 125
    assert action["branding"] == {"icon": "check-circle", "color": "green"}
    assert "README.md" in PAGES
