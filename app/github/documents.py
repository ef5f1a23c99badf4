"""The JSON of GitHub's API, with the type of each member checked: another server may answer instead. No I/O."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from broker.text.times import read_time

if TYPE_CHECKING:
    from datetime import datetime

_T = TypeVar("_T")


class NotGitHub(Exception):
    """A part of an answer is missing, or has another type."""


class GitHubJson:
    """A part of an answer."""

    def __init__(self, value: Any) -> None:
        self._value = value

    def get(self, name: str, kind: type[_T], default: _T | None = None) -> _T:
        """Return a member of an object.

        Raises:
            NotGitHub: It is missing, and there is no default, or it has another type.
        """
        value = self._value.get(name) if isinstance(self._value, dict) else None
        if value is None and default is not None:
            return default
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise NotGitHub(f"it has no {name}")
        return value

    def time(self, name: str) -> datetime:
        """Return the time of a member, in UTC.

        Raises:
            NotGitHub: It is missing, or no time.
        """
        found = read_time(self.get(name, str))
        if found is None:
            raise NotGitHub(f"{name} is no time")
        return found

    def members(self, name: str | None = None) -> list[GitHubJson]:
        """Return the members of a list, or of the list of that name.

        Raises:
            NotGitHub: It is no list.
        """
        value: Any = self._value if name is None else self.get(name, list)
        if not isinstance(value, list):
            raise NotGitHub("it is no list")
        return [GitHubJson(one) for one in value]
