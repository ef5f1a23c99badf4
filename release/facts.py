"""What a tag releases, checked before anything is built: `python -m release.facts --tag v1.2.3`.

It prints lines NAME=VALUE, as a step's outputs are written. The version stands in `pyproject.toml` and not in the tag
alone, since it must be known where there are no tags: in a source distribution, in the image's build, and in the copy
that GitHub makes of an Action. So the tag must agree with it. Without a tag (a dry run) what is missing is only listed.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING

from packaging.version import InvalidVersion, Version

from release import project

if TYPE_CHECKING:
    from pathlib import Path

_SECTION = re.compile(
    r"^## (?P<title>\S+)(?: - (?P<day>\d{4}-\d{2}-\d{2}))?\n(?P<text>.*?)(?=^## |\Z)",
    re.MULTILINE | re.DOTALL,
)
_USED = re.compile(r"uses: [\w-]+/pact-dispatch[\w/.-]*@(v\d+)")
PAGES = (
    "README.md",
    "docs/github.md",
    "examples/workflows/*.yml",
    ".github/workflows/verify_changed_pact.yml",
)
"""Where people copy a version of the Action from; patterns of files."""

CHART = "deploy/helm/pact-dispatch/Chart.yaml"
"""The Helm chart, whose version and appVersion are that of the project."""


def notes(root: Path, version: str) -> str | None:
    """Return what `CHANGELOG.md` says of a version that has a day; None if it has no such section."""
    text = (root / "CHANGELOG.md").read_text(encoding="utf-8")
    for section in _SECTION.finditer(text):
        if section["title"] == version and section["day"]:
            return section["text"].strip() + "\n"
    return None


def missing(root: Path, *, tag: str | None, repository: str | None) -> list[str]:
    """Return what hinders a release, each as a sentence.

    Args:
        root: The folder of the project.
        tag: The tag that is released; None for a dry run.
        repository: The repository on GitHub that this runs in, OWNER/NAME; None if it isn't GitHub.
    """
    found = project.read(root)
    faults = []
    if tag is not None and tag != f"v{found.version}":
        faults.append(
            f"The tag {tag} is not v{found.version}, the version in pyproject.toml: "
            f"write {tag.removeprefix('v')} there, and tag that commit."
        )
    if not _is_plain(found.version):
        faults.append(f"The version {found.version} in pyproject.toml is neither 1.2.3 nor 1.2.3rc1.")
    if found.owner == project.PLACEHOLDER:
        faults.append("No account is named yet: make owner OWNER=... writes it into every file.")
    elif repository is not None and repository.lower() != found.repository.lower():
        faults.append(
            f"This is {repository}, and the files name {found.repository}: "
            f"make owner OWNER={repository.partition('/')[0]}"
        )
    if notes(root, found.version) is None:
        faults.append(f"CHANGELOG.md has no section '## {found.version} - YYYY-MM-DD' with what is new.")
    written = chart_versions(root)
    faults += [
        f"{key} in {CHART} is {written.get(key)}, and not {version}, as pyproject.toml says: write that there, and run "
        "make manifests."
        for key, version in versions_of_chart(found.version).items()
        if written.get(key) != version
    ]
    faults += [
        f"{page.relative_to(root)} says {named} of the Action, and this release moves {major(found.version)}."
        for pattern in PAGES
        for page in sorted(root.glob(pattern))
        for named in sorted(set(_USED.findall(page.read_text(encoding="utf-8"))))
        if named != major(found.version)
    ]
    return faults


def versions_of_chart(version: str) -> dict[str, str]:
    """Return what the Helm chart of a version must say, by the key: the chart's own version is a semantic one."""
    return {"version": version.replace("rc", "-rc"), "appVersion": version}


def chart_versions(root: Path) -> dict[str, str]:
    """Return the versions that the Helm chart says, by their key."""
    text = (root / CHART).read_text(encoding="utf-8")
    return {found[1]: found[2] for found in re.finditer(r"^(version|appVersion): (\S+)$", text, re.MULTILINE)}


def major(version: str) -> str:
    """Return the tag that moves from release to release: v1 for 1.2.3."""
    return f"v{version.partition('.')[0]}"


def moves_major(version: str, tags: list[str]) -> bool:
    """Return whether a release is the newest of its major version, so that the moving tag comes to it.

    A pre-release never moves it, and a late correction of an older version doesn't move it back.
    """
    own = Version(version)
    others = [Version(tag.removeprefix("v")) for tag in tags if re.fullmatch(r"v\d+\.\d+\.\d+", tag)]
    return not own.is_prerelease and all(other <= own for other in others if other.major == own.major)


def _is_plain(text: str) -> bool:
    try:
        return re.fullmatch(r"\d+\.\d+\.\d+(rc\d+)?", text) is not None and str(Version(text)) == text
    except InvalidVersion:
        return False


def _tags(root: Path) -> list[str]:
    listed = subprocess.run(
        ["git", "tag", "--list", "v*"], cwd=root, capture_output=True, text=True, check=False
    )
    return listed.stdout.split()


def main() -> int:
    """Check the tag, and print the facts.

    Returns:
        0, or 1 if a release with that tag must not be made.
    """
    parser = argparse.ArgumentParser(prog="python -m release.facts", description="Check what a tag releases.")
    parser.add_argument(
        "--tag", help="the tag, v1.2.3; without it what is missing is listed, and that is no error"
    )
    parser.add_argument("--notes", metavar="FILE", help="write this version's part of CHANGELOG.md there")
    options = parser.parse_args()
    tag = options.tag or None
    faults = missing(project.ROOT, tag=tag, repository=os.environ.get("GITHUB_REPOSITORY"))
    for fault in faults:
        print(f"{'Not released' if tag else 'Before a release'}: {fault}", file=sys.stderr)
    if faults and tag:
        return 1
    version = project.read().version
    if options.notes:
        project.ROOT.joinpath(options.notes).write_text(notes(project.ROOT, version) or "", encoding="utf-8")
    print(f"version={version}")
    print(f"tag=v{version}")
    print(f"major={major(version)}")
    print(f"image=ghcr.io/{project.read().repository.lower()}")
    print(f"prerelease={str(Version(version).is_prerelease).lower()}")
    print(f"moves-major={str(moves_major(version, _tags(project.ROOT))).lower()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
