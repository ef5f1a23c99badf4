"""How the rest of pact-dispatch is installed, with the tool that installed this one."""

from __future__ import annotations

import re
import sys
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

_PACKAGE = "pact-dispatch"
_TOOLS = (("uv-receipt.toml", "uv tool install"), ("pipx_metadata.json", "pipx install --force"))
"""What a tool leaves in an environment that it has made, and its command that replaces what is in there."""
_OF_EXTRA = re.compile(r"(?P<package>[A-Za-z0-9._-]+)[^;]*;\s*extra == ['\"](?P<extra>[\w-]+)['\"]$")
"""A requirement of an extra, as the metadata have it; those of some platforms alone don't tell whether it is there."""


def install_with(extra: str) -> str:
    """Return the command that installs pact-dispatch with an extra in the place of this one.

    In an environment of uv's or pipx's, pip would install into another one. Theirs take away what they aren't told to
    install, so extras that are there stay named.
    """
    prefix = Path(sys.prefix)
    command = next((command for file, command in _TOOLS if (prefix / file).is_file()), None)
    if command is None:
        return f"pip install '{_PACKAGE}[{extra}]'"
    packages = _packages_of_extras()
    kept = [
        one
        for one, needed in packages.items()
        if one != extra and not needed <= packages.get(extra, set()) and all(map(_is_installed, needed))
    ]
    return f"{command} '{_PACKAGE}[{','.join([extra, *sorted(kept)])}]'"


def _packages_of_extras() -> dict[str, set[str]]:
    """Return what each extra needs on every platform."""
    found: dict[str, set[str]] = {}
    for line in requires(_PACKAGE) or ():
        if requirement := _OF_EXTRA.match(line):
            found.setdefault(requirement["extra"], set()).add(requirement["package"])
    return found


def _is_installed(package: str) -> bool:
    try:
        version(package)
    except PackageNotFoundError:
        return False
    return True
