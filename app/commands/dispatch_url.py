"""The URL that dispatches are sent to, at GitHub and at a receiver (no I/O)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self
from urllib.parse import urlsplit

GITHUB_API = "https://api.github.com"
_FORM = re.compile(
    r"(?P<base>.*)/repos/(?P<repository>[^/]+/[^/]+)(?:/actions/workflows/(?P<workflow>[^/]+))?/dispatches"
)


@dataclass(frozen=True)
class DispatchUrl:
    """The parts of a URL `BASE/repos/OWNER/REPO/dispatches`, or of one with `/actions/workflows/FILE` before the end.

    Attributes:
        base: The URL of GitHub's API or of a receiver.
        repository: OWNER/REPO.
        workflow: The file of the one workflow that a `workflow_dispatch` starts; None for a `repository_dispatch`.
    """

    base: str
    repository: str
    workflow: str | None = None

    @classmethod
    def read(cls, url: str) -> Self | None:
        """Return the parts of a URL, or None if it isn't one for dispatches; a query doesn't matter."""
        try:
            match = _FORM.fullmatch(urlsplit(url)._replace(query="", fragment="").geturl())
        except ValueError:
            return None
        return None if match is None else cls(match["base"], match["repository"], match["workflow"])

    def __str__(self) -> str:
        below = f"/actions/workflows/{self.workflow}" if self.workflow else ""
        return f"{self.base.rstrip('/')}/repos/{self.repository}{below}/dispatches"

    @property
    def is_github(self) -> bool:
        """Whether the URL itself shows that it is GitHub's; no receiver starts a workflow."""
        base = self.base.rstrip("/").lower()
        return self.workflow is not None or base == GITHUB_API or base.endswith("/api/v3")
