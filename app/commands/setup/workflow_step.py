"""The step at the workflow: does a file of the default branch listen to what is dispatched?"""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from app.commands.finding import Finding, State
from app.commands.github_judgement import Listeners

if TYPE_CHECKING:
    from app.commands.setup.request import SetupRequest
    from app.github.repository import GitHubRepository, Workflow


class WorkflowStep:
    """The step that looks for the workflow. It changes nothing.

    Args:
        repository: The repository of the provider.
        request: What is to be set up.
        default_branch: The default branch, if it is known.

    Attributes:
        listening: The paths of the workflow files that a dispatch starts, as the step found them.
    """

    def __init__(
        self, repository: GitHubRepository, request: SetupRequest, default_branch: str | None
    ) -> None:
        self._repository = repository
        self._request = request
        self._trigger = request.trigger
        self._branch = default_branch or "the default branch"
        self.listening: tuple[str, ...] = ()

    def take(self) -> Finding:
        """Check that a workflow file of the default branch listens to the dispatches."""
        workflows = self._repository.workflows()
        listeners = Listeners.among(workflows, self._trigger)
        active = listeners.active
        self.listening = tuple(one.path for one in active)
        facts = {"workflows": list(self.listening)}
        if not active:
            found, to_do = self._nothing_listens(workflows, listeners)
            return Finding(State.FAILED, found=found, to_do=to_do, facts=facts)
        found = f"{', '.join(self.listening)} on {self._branch} listens to {self._trigger}."
        warnings: tuple[str, ...] = ()
        if any(one.state is None for one in active):
            found += " Whether it is switched off, this token may not see (Actions: read)."
        if len(active) > 1:
            found = found.replace(" listens ", " listen ")
            warnings = ("Each dispatch starts all of them: if that isn't meant, leave one.",)
        return Finding(State.OK, found=found, warnings=warnings, facts=facts)

    def _nothing_listens(self, workflows: list[Workflow], listeners: Listeners) -> tuple[str, str]:
        """Return what was found instead of a workflow that listens, and what to do."""
        if listeners.disabled:
            paths = ", ".join(f"{one.path} ({one.state})" for one in listeners.disabled)
            return (
                f"{paths} listens to {self._trigger}, but is switched off.",
                "Switch it on: on GitHub under Actions, the workflow, Enable workflow.",
            )
        number = len(workflows) or "none"
        if self._trigger.workflow is not None:
            return self._not_started(workflows)
        found = f"No workflow file on {self._branch} listens to {self._trigger}; there are {number}."
        for one in workflows:
            if one.triggers.problem:
                found += f" {one.path} can't be read: {one.triggers.problem}."
            elif one.triggers.dispatch_types:
                found += f" {one.path} listens to {', '.join(one.triggers.dispatch_types)}."
        return found, (
            f"Put a workflow with on: repository_dispatch: types: [{self._trigger}] into .github/workflows/ on "
            f"{self._branch}, no other branch counts. In a checkout of the repository, {self._write} writes one."
        )

    def _not_started(self, workflows: list[Workflow]) -> tuple[str, str]:
        """Return why the workflow that a `workflow_dispatch` names isn't started, and what to do."""
        path, inputs = f".github/workflows/{self._trigger.workflow}", ", ".join(sorted(self._trigger.inputs))
        named = next((one for one in workflows if self._trigger.is_for(one)), None)
        if named is None:
            return (
                f"There is no {path} on {self._branch}.",
                f"Name it by --workflow, or put it there: in a checkout of the repository, {self._write} writes one.",
            )
        return (
            f"{path} on {self._branch} can't be started: {self._trigger.refusal(named)}.",
            f"Give it on: workflow_dispatch: with the inputs {inputs}, as the example workflows have them.",
        )

    @property
    def _write(self) -> str:
        """The command that writes the workflow."""
        event = "" if self._request.events_by_default else f" --event {self._request.events[0]}"
        return f"pact-dispatch setup --provider {shlex.quote(self._request.provider)}{event} --write-workflow"
