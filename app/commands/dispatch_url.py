"""The URL that dispatches are sent to, at GitHub and at a receiver (no I/O)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self
from urllib.parse import urlsplit

GITHUB_API = "https://api.github.com"
_FORM = re.compile(r"(?P<base>.*)/repos/(?P<repository>[^/]+/[^/]+)/dispatches")


@dataclass(frozen=True)
class DispatchUrl:
    """The parts of a URL `BASE/repos/OWNER/REPO/dispatches`.

    Attributes:
        base: The URL of GitHub's API or of a receiver.
        repository: OWNER/REPO.
    """

    base: str
    repository: str

    @classmethod
    def read(cls, url: str) -> Self | None:
        """Return the parts of a URL, or None if it isn't one for dispatches; a query doesn't matter."""
        try:
            match = _FORM.fullmatch(urlsplit(url)._replace(query="", fragment="").geturl())
        except ValueError:
            return None
        return None if match is None else cls(match["base"], match["repository"])

    def __str__(self) -> str:
        return f"{self.base.rstrip('/')}/repos/{self.repository}/dispatches"

    @property
    def is_github(self) -> bool:
        """Whether the URL itself shows that it is GitHub's."""
        base = self.base.rstrip("/").lower()
        return base == GITHUB_API or base.endswith("/api/v3")
