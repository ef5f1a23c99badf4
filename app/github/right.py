"""The rights that requests to GitHub's API need. No I/O."""

from __future__ import annotations

from dataclasses import dataclass

_SHOWN = {"actions": "Actions", "contents": "Contents", "statuses": "Commit statuses"}


@dataclass(frozen=True)
class Right:
    """A right that a token must have.

    Attributes:
        permission: The permission of an App or a fine-grained token, as GitHub's API names it.
        level: `read` or `write`.
        scope: The scope of a classic token.
    """

    permission: str
    level: str
    scope: str

    @property
    def shown(self) -> str:
        """The permission and its level, as GitHub's settings show them."""
        return f"{_SHOWN[self.permission]}: {self.level}"

    def __str__(self) -> str:
        return f"{self.shown} (a classic token: {self.scope})"
