"""What a command found of one thing, and what to do about it (no I/O)."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence


class State(StrEnum):
    """What a finding means."""

    OK = "ok"
    WARNING = "warning"
    """It works or may still work, and should be looked at."""
    CHANGED = "changed"
    PLANNED = "planned"
    FAILED = "failed"
    UNKNOWN = "unknown"
    """It could not be looked at or tried now."""
    SKIPPED = "skipped"
    """Something that comes before it must work first."""


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        state: What that means.
        found: What was found, in a sentence or two.
        to_do: How to fix it; if the state is unknown, what is needed to look at it.
        done: What was changed or tried.
        warnings: What works now, and may not for long.
        facts: More values for programs.
        name: What was looked at, in a word for programs; the caller of a check fills it in.
        under_way: Whether it may still become well, without anybody doing anything.
    """

    state: State
    found: str = ""
    to_do: str = ""
    done: str = ""
    warnings: tuple[str, ...] = ()
    facts: dict[str, Any] = field(default_factory=dict)
    under_way: bool = False
    name: str = ""

    @property
    def is_well(self) -> bool:
        """Whether what depends on it may be tried."""
        return self.state in {State.OK, State.CHANGED, State.PLANNED}


def listed(items: Sequence[str], most: int = 5) -> str:
    """Return a list of the first items, and how many more there are."""
    more = len(items) - most
    return ", ".join(items[:most]) + (f" and {more} more" if more > 0 else "")
