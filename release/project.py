"""What `pyproject.toml` says about the project that is released."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
PLACEHOLDER = "OWNER"
"""The account in a tree that has not been told where it is hosted."""

_REPOSITORY = re.compile(r"https://github\.com/([A-Za-z0-9][A-Za-z0-9_-]{0,38})/pact-dispatch")


@dataclass(frozen=True)
class Project:
    """The project's own description.

    Attributes:
        version: Its version.
        owner: The account that hosts it on GitHub, or the placeholder.
        packages: The packages of the wheel.
        included: What else is in the wheel: where it is in the project, and where in the wheel.
    """

    version: str
    owner: str
    packages: tuple[str, ...]
    included: tuple[tuple[str, str], ...]

    @property
    def repository(self) -> str:
        """The repository on GitHub, OWNER/NAME."""
        return f"{self.owner}/pact-dispatch"


def read(root: Path = ROOT) -> Project:
    """Return what `pyproject.toml` in a folder says.

    Raises:
        ValueError: `project.urls.Source` is no repository on GitHub.
    """
    document = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    source = document["project"]["urls"]["Source"]
    found = _REPOSITORY.fullmatch(source)
    if not found:
        raise ValueError(
            f"project.urls.Source of pyproject.toml is not https://github.com/OWNER/pact-dispatch: {source}"
        )
    wheel = document["tool"]["hatch"]["build"]["targets"]["wheel"]
    included = tuple(wheel.get("force-include", {}).items())
    return Project(document["project"]["version"], found[1], tuple(wheel["packages"]), included)
