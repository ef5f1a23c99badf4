"""The steps at GitHub: the token, the workflow, and the run that the test starts."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from app.commands.finding import Finding, State
from app.commands.github_judgement import Listeners, Obstacle, days_left, obstacles
from app.commands.polling import polls
from app.dispatch import PACT_CHANGED
from app.github.answers import GitHubAway, GitHubRefused
from app.github.client import DISPATCH_RIGHT
from broker.events import WebhookEvent
from verifier.report.amounts import count

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from app.github.repository import GitHubRepository, RepositoryFacts, Run, Workflow


_HOW_TO_MAKE_ONE = (
    "Make a fine-grained token at GitHub (Settings, Developer settings, Personal access tokens) for {repository} "
    "alone, with Contents: read and write; Actions: read lets --wait see the run."
)
_EXPIRES_SOON = (
    "The token expires in {days}, and dispatches stop then without a word: make a new one, and run this again with "
    "it."
)
_RUN_RIGHT = "The token may not see workflow runs: give it Actions: read as well, or run it without --wait."
_EXAMPLES = {
    PACT_CHANGED: "examples/workflows/pact_changed.yml",
    WebhookEvent.REQUIRING_VERIFICATION: "examples/workflows/contract_requiring_verification_published.yml",
}


class GitHubSteps:
    """The steps at GitHub, which change nothing there.

    Args:
        repository: The repository of the provider.
        event_type: The event type of the dispatches.
        now: The time, with its zone.
    """

    def __init__(self, repository: GitHubRepository, event_type: str, *, now: datetime) -> None:
        self._repository = repository
        self._event_type = event_type
        self._now = now
        self._listening: tuple[str, ...] = ()
        self._runs_before: frozenset[int] | None = None
        self._facts: RepositoryFacts | None = None

    @property
    def token_expires(self) -> datetime | None:
        """When the token expires, as the first step found it."""
        return self._facts.token.expires if self._facts else None

    @property
    def sees_repository(self) -> bool:
        """Whether the first step saw the repository with this token."""
        return self._facts is not None

    def token(self) -> Finding:
        """Check that the repository is there, and that the token may dispatch to it."""
        name = self._repository.name
        try:
            facts = self._facts = self._repository.facts()
        except GitHubRefused as error:
            advice = _HOW_TO_MAKE_ONE.format(repository=name)
            if error.status == 404:
                advice = f"Check --repository {name}. If it is right, the token may not see it: {advice}"
            return Finding(State.FAILED, found=str(error), to_do=advice)
        found = (
            f"{facts.full_name} is {'private' if facts.private else 'public'}, its default branch is "
            f"{facts.default_branch}. {_described(facts)}"
        )
        to_do = next((self._remedy(obstacle, facts) for obstacle in obstacles(facts, name)), "")
        if to_do:
            return Finding(State.FAILED, found=found, to_do=to_do)
        expires = facts.token.expires
        warnings: tuple[str, ...] = ()
        days = days_left(expires, self._now)
        if days is not None:
            warnings = (_EXPIRES_SOON.format(days=count(days, "day")),)
        return Finding(
            State.OK,
            found=found,
            warnings=warnings,
            facts={"expires": expires.isoformat() if expires else None, "may_dispatch": facts.may_dispatch},
        )

    def workflow(self) -> Finding:
        """Check that a workflow file of the default branch listens to the dispatches."""
        workflows = self._repository.workflows()
        listeners = Listeners.among(workflows, self._event_type)
        active = listeners.active
        self._listening = tuple(one.path for one in active)
        facts = {"workflows": list(self._listening)}
        if not active:
            found, to_do = self._nothing_listens(workflows, listeners)
            return Finding(State.FAILED, found=found, to_do=to_do, facts=facts)
        found = f"{', '.join(self._listening)} on {self._branch} listens to {self._event_type}."
        warnings: tuple[str, ...] = ()
        if any(one.state is None for one in active):
            found += " Whether it is switched off, this token may not see (Actions: read)."
        if len(active) > 1:
            found = found.replace(" listens ", " listen ")
            warnings = ("Each dispatch starts all of them: if that isn't meant, leave one.",)
        return Finding(State.OK, found=found, warnings=warnings, facts=facts)

    def note_runs(self) -> None:
        """Remember the runs that there are before the test starts another one."""
        try:
            self._runs_before = frozenset(run.id for run in self._repository.runs())
        except (GitHubAway, GitHubRefused):
            self._runs_before = None  # the step itself will ask again, and say why not

    def run(self, seconds: float, progress: Callable[[str], None]) -> Finding:
        """Wait for the run that the test started, until its end.

        Args:
            seconds: How long, at most.
            progress: Receives a text at each change.
        """
        told, problem = "", ""
        run: Run | None = None
        for _ in polls(seconds):
            try:
                run = self._new_run() if run is None else self._repository.run(run.id)
                problem = ""
            except GitHubAway as error:
                problem = str(error)
            except GitHubRefused as error:
                if error.status in {403, 404} and run is None:
                    return Finding(State.FAILED, found=str(error), to_do=_RUN_RIGHT)
                raise
            if run is not None and run.completed:
                return _ended(run)
            now = problem or ("no run yet" if run is None else f"run {run.id} of {run.path}: {run.status}")
            if now != told:
                progress(told := now)
        return self._too_late(run, seconds, problem)

    @property
    def _branch(self) -> str:
        return self._facts.default_branch if self._facts else "the default branch"

    def _remedy(self, obstacle: Obstacle, facts: RepositoryFacts) -> str:
        """Return what must change before dispatches can work."""
        name = self._repository.name
        new_token = _HOW_TO_MAKE_ONE.format(repository=name)
        return {
            Obstacle.MOVED: (
                f"{name} was renamed or moved, and a broker doesn't follow GitHub's redirection: run it again with "
                f"--repository {facts.full_name}."
            ),
            Obstacle.ARCHIVED: (
                f"{name} is archived, and takes no dispatches: unarchive it, or name the one that is worked on."
            ),
            Obstacle.SHORT_LIVED_TOKEN: (
                "It is the token of an App or of a workflow run, which lives for an hour at most. "
                f"{new_token} To act as an App, take the relay, which renews its tokens."
            ),
            Obstacle.NO_RIGHT: f"It may not dispatch: that needs {DISPATCH_RIGHT}. {new_token}",
        }[obstacle]

    def _nothing_listens(self, workflows: list[Workflow], listeners: Listeners) -> tuple[str, str]:
        """Return what was found instead of a workflow that listens, and what to do."""
        if listeners.disabled:
            paths = ", ".join(f"{one.path} ({one.state})" for one in listeners.disabled)
            return (
                f"{paths} listens to {self._event_type}, but is switched off.",
                "Switch it on: on GitHub under Actions, the workflow, Enable workflow.",
            )
        number = len(workflows) or "none"
        found = f"No workflow file on {self._branch} listens to {self._event_type}; there are {number}."
        for one in workflows:
            if one.triggers.problem:
                found += f" {one.path} can't be read: {one.triggers.problem}."
            elif one.triggers.dispatch_types:
                found += f" {one.path} listens to {', '.join(one.triggers.dispatch_types)}."
        example = _EXAMPLES.get(self._event_type, "a workflow")
        return found, (
            f"Put a workflow with on: repository_dispatch: types: [{self._event_type}] into .github/workflows/ on "
            f"{self._branch}, no other branch counts: {example} of pact-dispatch is one to copy (docs/github.md)."
        )

    def _new_run(self) -> Run | None:
        """Return the oldest run of the listening workflows that wasn't there before."""
        before = self._runs_before or frozenset()
        since = None if self._runs_before is not None else self._now - timedelta(minutes=1)
        new = [
            run
            for run in self._repository.runs(since=since)
            if run.id not in before and run.path in self._listening
        ]
        return new[-1] if new else None

    def _too_late(self, run: Run | None, seconds: float, problem: str) -> Finding:
        if problem:
            return Finding(
                State.UNKNOWN,
                found=problem,
                to_do="Look at the runs when GitHub is back, or run it again.",
            )
        if run is None:
            return Finding(
                State.FAILED,
                found=f"No run of {', '.join(self._listening)} appeared within {seconds:g} s.",
                to_do="Look at GitHub's Actions page: are Actions allowed in this repository and its organisation, and "
                "is GitHub's status page clean? Then run it again.",
            )
        return Finding(
            State.FAILED,
            found=f"{run.url} is {run.status} after {seconds:g} s.",
            to_do="Look at it: a run that stays queued waits for a runner with its label (runs-on). Or --wait longer.",
            facts=_facts_of(run),
        )


def _described(facts: RepositoryFacts) -> str:
    token = facts.token
    until = (
        f", good until {token.expires:%Y-%m-%d %H:%M} UTC"
        if token.expires
        else ", without an end that GitHub shows"
    )
    if token.scopes is not None:
        return f"The token is a classic one (scopes: {', '.join(sorted(token.scopes)) or 'none'}){until}."
    if facts.may_dispatch is None and not token.of_installation:
        return f"The token is a fine-grained one{until}; whether it may dispatch, the test tells."
    return f"The token is no classic one{until}."


def _ended(run: Run) -> Finding:
    found = f"{run.url} ({run.path}) ended: {run.conclusion}."
    if run.succeeded:
        return Finding(State.OK, found=found, facts=_facts_of(run))
    return Finding(
        State.FAILED,
        found=found,
        to_do="The way to the workflow works. Look at the run's page: either the contract is broken, or the workflow "
        "could not verify it; its summary says which.",
        facts=_facts_of(run),
    )


def _facts_of(run: Run) -> dict[str, object]:
    return {"run": run.id, "url": run.url, "status": run.status, "conclusion": run.conclusion}
