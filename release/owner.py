"""Write the account that hosts the project into every file that names it: `make owner OWNER=acme`.

The account stands in `pyproject.toml` (`project.urls`), and wherever people are told to use `OWNER/pact-dispatch`. What
stands in `pyproject.toml` is replaced everywhere, so that this works again after a move.
"""

from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING

from release import project

if TYPE_CHECKING:
    from pathlib import Path

ACCOUNT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,38}")


def places(text: str, owner: str) -> int:
    """Return how often a text names the project's repository or its image with that owner."""
    return len(_named(owner).findall(text))


def replace(text: str, old: str, new: str) -> str:
    """Return a text with another owner. The image's name has no capitals: registries refuse them."""
    return _named(old).sub(
        lambda found: f"{found[1] or ''}{new.lower() if found[1] else new}/pact-dispatch", text
    )


def fill(root: Path, new: str) -> list[Path]:
    """Replace the owner in every text file that git knows; return the files that were changed."""
    old = project.read(root).owner
    changed = []
    for file in tracked(root):
        try:
            text = file.read_bytes().decode("utf-8")
        except UnicodeDecodeError:
            continue
        filled = replace(text, old, new)
        if filled != text:
            file.write_bytes(filled.encode("utf-8"))
            changed.append(file)
    return changed


def tracked(root: Path) -> list[Path]:
    """Return the files of a folder that git knows, or would: new ones that it is not told to ignore."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
    return [root / name for name in listed.stdout.split("\0") if name and (root / name).is_file()]


def _named(owner: str) -> re.Pattern[str]:
    account = re.escape(owner)
    return re.compile(
        rf"(?:(ghcr\.io/)(?:{account}|{account.lower()})|(?<![\w.-]){account})/pact-dispatch(?![\w-])"
    )


def main() -> int:
    """Replace the owner by the one of the command line."""
    new = sys.argv[1] if len(sys.argv) == 2 else ""
    if not ACCOUNT.fullmatch(new):
        print("Say which account of GitHub hosts this project: make owner OWNER=acme", file=sys.stderr)
        return 2
    for file in fill(project.ROOT, new):
        print(file.relative_to(project.ROOT))
    return 0


if __name__ == "__main__":
    sys.exit(main())
