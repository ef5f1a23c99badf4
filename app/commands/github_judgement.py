"""What GitHub's facts mean for the dispatches to a repository (no I/O)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import Enum, auto
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from app.github.repository import RepositoryFacts, Workflow

EXPIRES_SOON = timedelta(days=14)
"""The time before its end in which a token deserves a warning."""


class Obstacle(Enum):
    """Why a repository takes no dispatches with a token."""

    MOVED = auto()
    """It has another name now, and brokers don't follow GitHub's redirect."""
    ARCHIVED = auto()
    SHORT_LIVED_TOKEN = auto()
    """The token is an App's or a workflow run's."""
    NO_RIGHT = auto()


def obstacles(facts: RepositoryFacts, repository: str) -> list[Obstacle]:
    """Return what keeps dispatches from a repository, the first to mend first.

    Args:
        facts: The answer of GitHub.
        repository: The name that was asked for, OWNER/REPO.
    """
    found = {
        Obstacle.MOVED: facts.full_name.lower() != repository.lower(),
        Obstacle.ARCHIVED: facts.archived,
        Obstacle.SHORT_LIVED_TOKEN: facts.token.of_installation,
        Obstacle.NO_RIGHT: facts.may_dispatch is False,
    }
    return [obstacle for obstacle, is_there in found.items() if is_there]


CLOCKS_APART = timedelta(minutes=1)
"""How far the clocks of this machine, of a broker and of GitHub may be apart."""


def has_expired(expires: datetime, now: datetime) -> bool:
    """Return whether a token has expired beyond doubt; GitHub takes it until that moment, by its own clock."""
    return expires < now - CLOCKS_APART


def days_left(expires: datetime | None, now: datetime) -> int | None:
    """Return the whole days until a token expires, 0 if it has, or None if that is not soon."""
    if expires is None or expires - now > EXPIRES_SOON:
        return None
    return max((expires - now).days, 0)


@dataclass(frozen=True)
class Listeners:
    """The workflow files of a default branch, by what they make of dispatches of one type.

    Attributes:
        active: Those that a dispatch starts.
        disabled: Those that it would start, if they were enabled.
        others: Those that listen to dispatches of other types.
        unreadable: Those that are no workflows.
    """

    active: tuple[Workflow, ...]
    disabled: tuple[Workflow, ...]
    others: tuple[Workflow, ...]
    unreadable: tuple[Workflow, ...]

    @classmethod
    def among(cls, workflows: Iterable[Workflow], event_type: str) -> Listeners:
        """Sort workflow files by what they make of an event type."""
        workflows = tuple(workflows)
        listening = tuple(one for one in workflows if one.listens_to(event_type))
        return cls(
            active=tuple(one for one in listening if not one.disabled),
            disabled=tuple(one for one in listening if one.disabled),
            others=tuple(one for one in workflows if one.triggers.dispatch_types and one not in listening),
            unreadable=tuple(one for one in workflows if one.triggers.problem),
        )
