"""What GitHub's facts mean for the dispatches to a repository (no I/O)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING, Any

from app.github.right import DISPATCH_RIGHT, WORKFLOW_RIGHT, Right
from broker.http.json_values import object_at, text_at

if TYPE_CHECKING:
    from collections.abc import Iterable

    from app.commands.dispatch_url import DispatchUrl
    from app.github.repository import RepositoryFacts, Workflow


@dataclass(frozen=True)
class Trigger:
    """What a webhook's request starts at GitHub: the workflows that listen to an event type, or one workflow file.

    Attributes:
        event_type: The type of a `repository_dispatch`.
        workflow: The file that a `workflow_dispatch` starts; None for a `repository_dispatch`.
        inputs: The names of the inputs that the workflow gets.
    """

    event_type: str | None = None
    workflow: str | None = None
    inputs: frozenset[str] = frozenset()

    @classmethod
    def of(cls, url: DispatchUrl, body: Any) -> Trigger:
        """Return what a request to a URL with a body starts."""
        if url.workflow is not None:
            return cls(workflow=url.workflow, inputs=frozenset(object_at(body, "inputs")))
        return cls(text_at(body, "event_type"))

    @property
    def right(self) -> Right:
        """The right that a token needs."""
        return DISPATCH_RIGHT if self.workflow is None else WORKFLOW_RIGHT

    @property
    def event(self) -> str:
        """The event that the workflow's run is of."""
        return "repository_dispatch" if self.workflow is None else "workflow_dispatch"

    def __str__(self) -> str:
        return str(self.event_type) if self.workflow is None else "workflow_dispatch"

    def may_start(self, facts: RepositoryFacts) -> bool | None:
        """Return whether the token of an answer may start it; None where only a dispatch shows it."""
        return facts.may_dispatch if self.workflow is None else facts.may_start_workflows

    def is_for(self, workflow: Workflow) -> bool:
        """Return whether it is meant for a workflow."""
        if self.workflow is None:
            return self.event_type is not None and workflow.listens_to(self.event_type)
        return workflow.path.rpartition("/")[2] == self.workflow

    def refusal(self, workflow: Workflow) -> str | None:
        """Return why a workflow that it is meant for isn't started by it; None if it is, unless it is disabled."""
        return None if self.workflow is None else workflow.triggers.refuses(self.inputs)


class Obstacle(Enum):
    """Why a repository takes no dispatches with a token."""

    MOVED = auto()
    """It has another name now, and brokers don't follow GitHub's redirect."""
    ARCHIVED = auto()
    SHORT_LIVED_TOKEN = auto()
    """The token is an App's or a workflow run's."""
    NO_RIGHT = auto()


def obstacles(facts: RepositoryFacts, repository: str, trigger: Trigger) -> list[Obstacle]:
    """Return what keeps dispatches from a repository, the first to fix first.

    Args:
        facts: The answer of GitHub.
        repository: The name that was asked for, OWNER/REPO.
        trigger: What is dispatched; it says which right the token needs.
    """
    found = {
        Obstacle.MOVED: facts.full_name.lower() != repository.lower(),
        Obstacle.ARCHIVED: facts.archived,
        Obstacle.SHORT_LIVED_TOKEN: facts.token.of_installation,
        Obstacle.NO_RIGHT: trigger.may_start(facts) is False,
    }
    return [obstacle for obstacle, is_there in found.items() if is_there]


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
    def among(cls, workflows: Iterable[Workflow], trigger: Trigger) -> Listeners:
        """Sort workflow files by what they make of a dispatch."""
        workflows = tuple(workflows)
        listening = tuple(one for one in workflows if trigger.is_for(one) and not trigger.refusal(one))
        return cls(
            active=tuple(one for one in listening if not one.disabled),
            disabled=tuple(one for one in listening if one.disabled),
            others=tuple(one for one in workflows if one.triggers.dispatch_types and one not in listening),
            unreadable=tuple(one for one in workflows if one.triggers.problem),
        )
