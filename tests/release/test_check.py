"""`make release-check`: what would be released works, and what must not be released is found."""

from __future__ import annotations

import base64
import hashlib
import io
import subprocess
import sys
import tarfile
import zipfile
from typing import TYPE_CHECKING

import pytest

from release import project
from release.distributions import faults
from release.installation import Broken, Installation
from release.owner import tracked
from tests.support.paths import ROOT
from tests.support.running import environment

if TYPE_CHECKING:
    from pathlib import Path

    from _pytest.tmpdir import TempPathFactory

VERSION = project.read().version
WHEEL = f"pact_dispatch-{VERSION}-py3-none-any.whl"
SOURCE = f"pact_dispatch-{VERSION}.tar.gz"
INFO = f"pact_dispatch-{VERSION}.dist-info"


@pytest.fixture(scope="module")
def checked(tmp_path_factory: TempPathFactory) -> Path:
    """The distributions that the whole check has passed."""
    dist = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "release", "--dist", str(dist)]
    done = subprocess.run(
        command, cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=110, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{WHEEL} is as it should be" in done.stdout
    return dist


def test_what_is_built_installs_verifies_and_runs_the_whole_demo(checked: Path) -> None:
    assert {file.name for file in checked.iterdir()} == {WHEEL, SOURCE}


def test_what_must_not_be_released_is_found(checked: Path, tmp_path: Path) -> None:
    """A template, a migration, the licence, py.typed and a command are gone; a test and a link got in."""
    with zipfile.ZipFile(checked / WHEEL) as archive:
        content = {name: archive.read(name) for name in archive.namelist() if not name.endswith("/RECORD")}
    for name in (
        "verifier/report/page.html.jinja",
        "app/database/migrations/0002_history.sql",
        "broker/py.typed",
    ):
        del content[name]
    del content[f"{INFO}/licenses/LICENSE"]
    content["verifier/test_it.py"] = b"\n"
    content[f"{INFO}/METADATA"] += b"\n[more](docs/verify.md)\n"
    content[f"{INFO}/entry_points.txt"] = content[f"{INFO}/entry_points.txt"].replace(
        b"\nverify = ", b"\nverifies = "
    )
    write_wheel(tmp_path / WHEEL, content)
    with tarfile.open(checked / SOURCE) as archive, tarfile.open(tmp_path / SOURCE, "w:gz") as damaged:
        for member in archive.getmembers():
            if not member.name.endswith("/action.yml"):
                damaged.addfile(member, archive.extractfile(member))
        damaged.addfile(tarfile.TarInfo(f"pact_dispatch-{VERSION}/secrets.env"), io.BytesIO(b""))
    files = frozenset(file.relative_to(ROOT).as_posix() for file in tracked(ROOT))
    found = "\n".join(faults(ROOT, files, tmp_path))
    for expected in (
        "verifier/report/page.html.jinja",
        "app/database/migrations/0002_history.sql",
        f"{WHEEL} lacks verifier/report/page.html.jinja",
        f"{WHEEL} has verifier/test_it.py, which the project has not",
        f"{WHEEL} has no LICENSE",
        f"{WHEEL} has no broker/py.typed",
        f"{WHEEL} has no script verify",
        "the page on PyPI has a link that leads nowhere there: docs/verify.md",
        f"{SOURCE} lacks action.yml",
        f"{SOURCE} has secrets.env, which git doesn't know",
    ):
        assert expected in found


@pytest.mark.process
def test_an_environment_that_imports_from_elsewhere_is_no_proof(tmp_path: Path) -> None:
    """The development's own environment imports from the work tree."""
    folder = tmp_path / "environment"
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "python").write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    (folder / "bin" / "python").chmod(0o755)
    with pytest.raises(Broken, match="and not from the wheel in"):
        Installation(folder, ROOT).check_where_it_is()


def test_the_page_on_pypi_has_links_to_the_files_of_its_version(checked: Path) -> None:
    with zipfile.ZipFile(checked / WHEEL) as archive:
        metadata = archive.read(f"{INFO}/METADATA").decode()
    assert f"(https://github.com/{project.read().repository}/blob/v{VERSION}/docs/verify.md)" in metadata
    assert "\nLicense-Expression: MIT\n" in metadata
    assert "\nClassifier: Typing :: Typed\n" in metadata


def write_wheel(file: Path, content: dict[str, bytes]) -> None:
    """Write a wheel with a RECORD that names what is in it."""
    rows = [f"{INFO}/RECORD,,"]
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in content.items():
            digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
            rows.append(f"{name},sha256={digest},{len(data)}")
            archive.writestr(name, data)
        archive.writestr(f"{INFO}/RECORD", "\n".join(rows) + "\n")
