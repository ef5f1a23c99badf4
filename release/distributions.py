"""What was built: that it has what it needs, and nothing else.

`check-wheel-contents` looks for what the packages have and the wheel lacks: templates, schemas and migrations are among
them. `twine` looks at the metadata. The rest is here.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tarfile
import zipfile
from email import message_from_bytes
from pathlib import Path
from typing import TYPE_CHECKING

from release import project

if TYPE_CHECKING:
    from email.message import Message

SCRIPTS = ("pact-dispatch", "verify")
ADDED = frozenset({"PKG-INFO"})
"""What a source distribution has besides the project's files."""

_TARGET = re.compile(r"\]\(([^)\s]+)\)")


def build(root: Path, folder: Path, *, epoch: int) -> None:
    """Build the source distribution, and the wheel from that.

    Args:
        root: The folder of the project.
        folder: Where they go.
        epoch: The time of everything in them, in seconds since 1970, so that the same source makes the same files.

    Raises:
        subprocess.CalledProcessError: It could not be built.
    """
    command = [
        _beside("uv"),
        "build",
        "--quiet",
        "--no-config",
        "--no-cache",
        "--offline",
        "--no-build-isolation",
    ]
    command += ["--python", sys.executable, "--out-dir", str(folder), str(root)]
    subprocess.run(command, env={**os.environ, "SOURCE_DATE_EPOCH": str(epoch)}, check=True)
    (folder / ".gitignore").unlink(missing_ok=True)


def faults(root: Path, files: frozenset[str], folder: Path) -> list[str]:
    """Return what is wrong with the distributions in a folder, each as a sentence.

    Args:
        root: The folder of the project.
        files: The names of the project's files, relative to it.
        folder: Where the wheel and the source distribution are.
    """
    [wheel], [source] = folder.glob("*.whl"), folder.glob("*.tar.gz")
    return [
        *_tool(root, "check-wheel-contents", str(wheel)),
        *_tool(root, "twine", "check", "--strict", str(wheel), str(source)),
        *_of_wheel(wheel, _expected(root, files)),
        *_of_source(source, files),
    ]


def _expected(root: Path, files: frozenset[str]) -> frozenset[str]:
    """Return the names of the files that a wheel has, besides its metadata."""
    found = project.read(root)
    places = [*((name, name) for name in found.packages), *found.included]
    return frozenset(
        place + name.removeprefix(source)
        for source, place in places
        for name in files
        if name == source or name.startswith(f"{source}/")
    )


def _of_wheel(wheel: Path, expected: frozenset[str]) -> list[str]:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        [metadata] = [name for name in names if name.endswith(".dist-info/METADATA")]
        folder = metadata.removesuffix("METADATA")
        found = message_from_bytes(archive.read(metadata))
        scripts = archive.read(f"{folder}entry_points.txt").decode()
    packed = {name for name in names if not name.startswith(folder)}
    wrong = [f"{wheel.name} lacks {name}" for name in sorted(expected - packed)]
    wrong += [f"{wheel.name} has {name}, which the project has not" for name in sorted(packed - expected)]
    wrong += [f"{wheel.name} has no script {name}" for name in SCRIPTS if f"\n{name} = " not in scripts]
    if f"{folder}licenses/LICENSE" not in names:
        wrong.append(f"{wheel.name} has no LICENSE")
    packages = {name.partition("/")[0] for name in names if name.endswith("/__init__.py")}
    wrong += [
        f"{wheel.name} has no {name}/py.typed" for name in sorted(packages) if f"{name}/py.typed" not in names
    ]
    return wrong + _of_page(found)


def _of_page(metadata: Message) -> list[str]:
    """Return the links of the page on PyPI that lead nowhere from there."""
    page = str(metadata.get_payload())
    return [
        f"the page on PyPI has a link that leads nowhere there: {target}"
        for target in _TARGET.findall(page)
        if not target.startswith(("https://", "#"))
    ]


def _of_source(archive: Path, files: frozenset[str]) -> list[str]:
    with tarfile.open(archive) as opened:
        names = {name.partition("/")[2] for name in opened.getnames() if "/" in name}
    return [
        *(f"{archive.name} lacks {name}" for name in sorted(files - names)),
        *(f"{archive.name} has {name}, which git doesn't know" for name in sorted(names - files - ADDED)),
    ]


def _tool(root: Path, name: str, *arguments: str) -> list[str]:
    """Return what a program says if it fails."""
    done = subprocess.run(
        [_beside(name), *arguments],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
        env={"NO_COLOR": "1"},
    )
    return (done.stdout + done.stderr).strip().splitlines() if done.returncode else []


def _beside(name: str) -> str:
    return str(Path(sys.executable).with_name(name))
