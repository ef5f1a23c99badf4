"""The JSON of GitHub's API, read as what it must be: another server may answer in its place (no I/O)."""

from __future__ import annotations

from typing import Any, TypeVar

_T = TypeVar("_T")


class NotGitHub(Exception):
    """A part of an answer is missing, or of another type."""


class GitHubJson:
    """A part of an answer, read as what it must be."""

    def __init__(self, value: Any) -> None:
        self._value = value

    def get(self, name: str, kind: type[_T], default: _T | None = None) -> _T:
        """Give a member of an object.

        Raises:
            NotGitHub: it isn't there, and there is no default; or it is something else.
        """
        value = self._value.get(name) if isinstance(self._value, dict) else None
        if value is None and default is not None:
            return default
        if not isinstance(value, kind):
            raise NotGitHub(f"it has no {name}")
        return value

    def members(self, name: str | None = None) -> list[GitHubJson]:
        """Give the members of a list, or of the list of that name.

        Raises:
            NotGitHub: it is something else.
        """
        value: Any = self._value if name is None else self.get(name, list)
        if not isinstance(value, list):
            raise NotGitHub("it is no list")
        return [GitHubJson(one) for one in value]
