"""The checks at GitHub: the token, the repository, its workflows and their runs."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from app.commands.dispatch_url import DispatchUrl
from app.commands.doctor import advice
from app.commands.doctor.chain import NotAsked
from app.commands.extras import install_with
from app.commands.finding import Finding, State, listed
from app.commands.github_judgement import Listeners, Obstacle, Trigger, obstacles
from app.config.variables import GITHUB_TOKEN
from app.dispatch import PACT_CHANGED
from app.github.answers import GitHubFailed
from app.github.token import CLOCKS_APART, EXPIRATION, days_left, has_expired
from broker.text.times import read_time
from broker.webhooks.delivery_log import execution_of
from verifier.report.amounts import count

if TYPE_CHECKING:
    from collections.abc import Callable

    from app.commands.doctor.pact_state import PactState, Target
    from app.github.repository import RepositoryFacts, Run, Workflow
    from broker.webhooks.triggered import Triggered

try:
    from app.github.access import GitHubAccess
    from app.github.client import GitHub
    from app.github.repository import GitHubRepository
except ModuleNotFoundError:  # of the extra `server`, without which the broker can be asked all the same
    _HAS_GITHUB = False
else:
    _HAS_GITHUB = True

_GIVEN = "the token that was given"
_SHOWN = "%Y-%m-%d %H:%M UTC"
_NEW_TOKEN = "make a new token (Contents: write), and give it to the broker's secret or to the webhook"  # noqa: S105
NEEDED = f"{_GIVEN} needs Contents: read and Actions: read, and GitHub must answer"
_APPEARS_WITHIN = timedelta(minutes=1)
"""How long a run may take to appear, once GitHub took a dispatch."""

Answer = TypeVar("Answer")


@dataclass
class GitHubAnswers:
    """What GitHub answers about repositories; each question is sent once.

    Attributes:
        api_url: The URL of the API. The token goes there and nowhere else.
        token: The token, if there is one.
        known: The answers that were received.
    """

    api_url: str
    token: str | None = field(default=None, repr=False)
    known: dict[tuple[str, str], Any] = field(default_factory=dict, repr=False)

    def facts(self, target: Target, not_asked: str) -> RepositoryFacts:
        """Return the facts about the repository.

        Args:
            target: The target of the dispatches.
            not_asked: What is found if GitHub can't be asked.

        Raises:
            NotAsked: There is no token for it, or a library is missing.
            GitHubFailed: GitHub did not answer, or refused.
        """
        return self._once("facts", target, not_asked, lambda repository: repository.facts())

    def workflows(self, target: Target, not_asked: str) -> list[Workflow]:
        """Return the workflow files of the default branch; see `facts`."""
        return self._once("workflows", target, not_asked, lambda repository: repository.workflows())

    def runs(self, target: Target, not_asked: str) -> list[Run]:
        """Return the latest runs that a dispatch started, the newest first; see `facts`."""
        event = (target.started or Trigger()).event
        return self._once(f"runs of {event}", target, not_asked, lambda repository: repository.runs(event))

    def _missing(self, target: Target) -> str:
        """Return what is needed to ask GitHub about a target; an empty text if nothing is."""
        if target.base is not None and target.base.rstrip("/").lower() != self.api_url.rstrip("/").lower():
            return f"give --github-url {target.base}, if the token may go there"
        if self.token is None:
            return (
                f"set {GITHUB_TOKEN} to a token that may read the repository (best of all: the one that the webhook "
                "uses)"
            )
        return "" if _HAS_GITHUB else f"{install_with('setup')}, which GitHub is asked with"

    def _once(
        self, question: str, target: Target, not_asked: str, send: Callable[[GitHubRepository], Answer]
    ) -> Answer:
        missing = self._missing(target)
        if missing:
            raise NotAsked(not_asked, missing)
        key = question, target.repository or ""
        if key not in self.known:
            github = GitHub(GitHubAccess(self.api_url, self.token))
            try:
                self.known[key] = send(GitHubRepository(github, key[1], token=self.token))
            except GitHubFailed as error:
                self.known[key] = error
        answer = self.known[key]
        if isinstance(answer, GitHubFailed):
            raise answer
        found: Answer = answer
        return found


def check_token(state: PactState, github: GitHubAnswers, target: Target, now: datetime) -> Finding:
    """Check that the token is valid, and until when."""
    expires = _expiry_in_log(state)
    if expires is not None:
        text = f"the webhook's token, as GitHub told the broker, is valid until {expires:{_SHOWN}}"
        if has_expired(expires, now):
            return Finding(State.FAILED, f"{text}: it has expired", _NEW_TOKEN)
        return _valid(text, expires, now)
    try:
        facts = github.facts(target, "the broker doesn't show the webhook's token")
    except GitHubFailed as error:
        if error.status != 401:
            raise
        return Finding(
            State.UNKNOWN if _delivered(state) else State.FAILED,
            f"{_GIVEN}: GitHub answers 401: it is wrong, revoked or expired",
            _NEW_TOKEN,
        )
    expires = facts.token.expires
    if expires is None:
        return Finding(State.OK, f"{_GIVEN} is valid; GitHub names no date on which it expires")
    return _valid(f"{_GIVEN} is valid until {expires:{_SHOWN}}", expires, now)  # GitHub has just taken it


def check_repository(state: PactState, github: GitHubAnswers, target: Target) -> Finding:
    """Check that the repository is there, and can be dispatched to."""
    name = target.repository or ""
    trigger = target.started or Trigger()
    try:
        facts = github.facts(target, f"{name} was not asked for")
    except GitHubFailed as error:
        if error.status != 404 or _delivered(state):
            raise
        return Finding(
            State.FAILED,
            f"GitHub shows no {name} to {_GIVEN}: there is none, or the token may not see it",
            f"check the name in the webhook's URL; the webhook's token needs {trigger.right.shown} for it",
        )
    uuid = (state.triggering or state.asking)[0].uuid
    texts = {
        Obstacle.MOVED: (
            f"{name} is {facts.full_name} now, and brokers don't follow GitHub's redirect",
            advice.update(
                uuid, "--url", str(DispatchUrl(target.base or "", facts.full_name, trigger.workflow))
            ),
        ),
        Obstacle.ARCHIVED: (
            f"{facts.full_name} is archived: nothing can be dispatched to it",
            "unarchive it, or send the dispatches to where the provider lives now",
        ),
    }
    if not _delivered(state):  # otherwise the webhook's token has the right, and is another one
        texts[Obstacle.NO_RIGHT] = (
            f"{_GIVEN} may not dispatch to {facts.full_name}",
            f"give it {trigger.right}, if it is the one that the webhook uses",
        )
    for obstacle in obstacles(facts, name, trigger):
        if obstacle in texts:
            return Finding(State.FAILED, *texts[obstacle])
    return Finding(State.OK, f"{facts.full_name}, default branch {facts.default_branch}")


def check_workflow(state: PactState, github: GitHubAnswers, target: Target) -> Finding:
    """Check that a workflow of the default branch listens to what is dispatched."""
    if target.started is not None:
        return _check_started(github, target, target.started)
    if not target.event_types:
        return Finding(
            State.FAILED,
            "the webhook's body has no event_type, without which GitHub takes no dispatch",
            f"give it one: {advice.send_event_type((state.triggering or state.asking)[0].uuid, PACT_CHANGED)}",
        )
    workflows = github.workflows(target, "the workflow files were not read")
    listeners = {one: Listeners.among(workflows, Trigger(one)) for one in target.event_types}
    unheard = [one for one, found in listeners.items() if not found.active]
    if not unheard:
        paths = {one.path for found in listeners.values() for one in found.active}
        return Finding(State.OK, f"{listed(sorted(paths))} listens to {listed(list(target.event_types))}")
    status = State.FAILED if len(unheard) == len(target.event_types) else State.WARNING
    disabled = [one.path for event_type in unheard for one in listeners[event_type].disabled]
    if disabled:
        return Finding(
            status,
            f"{listed(disabled)} listens to {listed(unheard)}, and is disabled",
            f"{advice.gh(target, 'workflow', 'enable', disabled[0].rpartition('/')[2])} (or in the repository, under "
            "Actions)",
        )
    return Finding(
        status,
        f"no workflow on the default branch listens to repository_dispatch of the type {listed(unheard)}"
        f"{_instead(workflows, listeners[unheard[0]])}",
        f"put a workflow with on: repository_dispatch: types: [{', '.join(unheard)}] on the default branch "
        "(docs/github.md has one), or change event_type in the webhook's body",
    )


def _check_started(github: GitHubAnswers, target: Target, trigger: Trigger) -> Finding:
    """Check that the workflow that a `workflow_dispatch` names can be started."""
    workflows = github.workflows(target, "the workflow files were not read")
    named = next((one for one in workflows if trigger.is_for(one)), None)
    if named is None:
        return Finding(
            State.FAILED,
            f"there is no workflow {trigger.workflow} on the default branch, and the webhook starts that one",
            "put it there (docs/github.md has one), or change the webhook's URL",
        )
    if refusal := trigger.refusal(named):
        return Finding(
            State.FAILED,
            f"{named.path} can't be started: {refusal}",
            f"give it on: workflow_dispatch: with the inputs {', '.join(sorted(trigger.inputs))}, as the example "
            "workflows have them",
        )
    if named.disabled:
        return Finding(
            State.FAILED,
            f"{named.path} is started by workflow_dispatch, and is disabled",
            f"{advice.gh(target, 'workflow', 'enable', str(trigger.workflow))} (or in the repository, under Actions)",
        )
    return Finding(State.OK, f"{named.path} is started by workflow_dispatch")


def check_runs(state: PactState, github: GitHubAnswers, target: Target, now: datetime) -> Finding:
    """Check how the last runs that a dispatch started ended."""
    not_asked = "the runs were not looked at"
    workflows = github.workflows(target, not_asked)
    paths = {w.path for one in target.triggers for w in Listeners.among(workflows, one).active}
    runs = [run for run in github.runs(target, not_asked) if run.path in paths]
    delivered = _delivered(state)
    at = read_time(delivered.at) if delivered else None
    if at is None:
        last = f"the last one, {runs[0].url}, ended with {runs[0].conclusion}" if runs else "there is none"
        return Finding(
            State.OK if state.complete else State.WARNING,
            f"no dispatch of this pact was delivered; {last}",
            "fix the delivery",
        )
    since = [run for run in runs if run.created_at >= at - CLOCKS_APART]
    if state.complete:
        return Finding(State.OK, f"{len(since)} since the delivery; the result is there")
    return _judged(since, target) if since else _none_since(at, now, state)


def _none_since(delivered: datetime, now: datetime, state: PactState) -> Finding:
    if now - delivered < _APPEARS_WITHIN:
        return Finding(State.WARNING, "none yet", "look again in a minute", under_way=True)
    return Finding(
        State.FAILED,
        f"GitHub took a dispatch at {delivered:%Y-%m-%d %H:%M:%S} UTC, and no run was started",
        "is the workflow on the default branch since then? Are Actions allowed in the repository? Then have it "
        f"verified: {advice.send_again(state, (state.triggering or state.asking)[0].uuid)}",
    )


def _judged(runs: list[Run], target: Target) -> Finding:
    """Judge the runs since the delivery, where there is no result; nothing says which of them is the pact's."""
    going = next((run for run in runs if not run.completed), None)
    if going is not None:
        text = f"{going.url} is {going.status}"
        return Finding(State.WARNING, text, "wait for it", under_way=True)
    bad = next((run for run in runs if not run.succeeded), None)
    if bad is not None:
        return Finding(
            State.FAILED,
            f"{bad.url} ended with {bad.conclusion}, and there is no result",
            "read its log: its summary says what was wrong; then run it again: "
            f"{advice.gh(target, 'run', 'rerun', str(bad.id))}",
        )
    return Finding(
        State.WARNING,
        f"{runs[0].url} succeeded, and the result is not there",
        "does it publish (publish-verification-results), to this broker, as the version that is needed?",
    )


def _valid(text: str, expires: datetime, now: datetime) -> Finding:
    """Return what is found of a token that is valid, perhaps not for long."""
    days = days_left(expires, now)
    if days is None:
        return Finding(State.OK, text)
    when = f"in {count(days, 'day')}" if days else "in less than a day" if expires > now else "now"
    return Finding(State.WARNING, f"{text}: that is {when}", _NEW_TOKEN)


def _expiry_in_log(state: PactState) -> datetime | None:
    """Return until when GitHub takes the webhook's token, from its answers to the broker."""
    for one in state.deliveries:
        for attempt in reversed(one.attempts):
            headers = execution_of(attempt).answer_headers
            expires = read_time(headers.get(EXPIRATION))
            if expires is not None:
                return expires
    return None


def _delivered(state: PactState) -> Triggered | None:
    """Return the last delivery, if GitHub took it."""
    last = state.deliveries[0] if state.deliveries else None
    return last if last is not None and last.status == "success" else None


def _instead(workflows: list[Workflow], listeners: Listeners) -> str:
    """Return what there is instead of a workflow that listens."""
    if not workflows:
        return ": it has no workflow files"
    if listeners.others:
        texts = [f"{one.path} to {listed(list(one.triggers.dispatch_types))}" for one in listeners.others]
    elif listeners.unreadable:
        texts = [f"{one.path}: {one.triggers.problem}" for one in listeners.unreadable]
    else:
        texts = [f"there are {listed([one.path for one in workflows], 3)}"]
    return f" ({listed(texts, 3)})"
