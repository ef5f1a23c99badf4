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


STATUS_RIGHT = Right("statuses", "write", "repo:status")
DISPATCH_RIGHT = Right("contents", "write", "repo")
"""A `repository_dispatch` needs it; a token that has it can push."""
WORKFLOW_RIGHT = Right("actions", "write", "repo")
"""A `workflow_dispatch` needs it; a fine-grained token that has no more can't push."""
READ_CONTENTS = Right("contents", "read", "repo")
READ_ACTIONS = Right("actions", "read", "repo")
