"""What GitHub says of where the dispatches go: the token, the repository, its workflows and their runs."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from app.commands.doctor.check import Check, Status, listed
from app.commands.runner import INSTALL_SERVER
from app.config.variables import GITHUB_TOKEN
from app.github.answers import GitHubFailed
from broker.webhooks.delivery_log import execution_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from app.commands.doctor.pact_state import PactState, Target
    from app.github.repository import RepositoryFacts, Run, Workflow
    from broker.webhooks.triggered import Triggered

try:
    from app.github.client import GitHub, GitHubAccess
    from app.github.repository import GitHubRepository
except ModuleNotFoundError:  # of the extra `server`, without which the broker can be asked all the same
    HAS_GITHUB = False
else:
    HAS_GITHUB = True

GIVEN = "the token that was given"
SOON = timedelta(days=14)
"""A token that expires within this is warned of."""
GITHUB_BEGAN = 2008
"""Nothing was delivered to it before this year."""
SKEW = timedelta(minutes=1)
"""How far the clocks of broker and GitHub may be apart, and how long a run may take to show."""

Found = TypeVar("Found")


@dataclass
class GitHubLook:
    """GitHub, and who asks; each thing is asked once.

    Attributes:
        api_url: where it is: the token goes there and nowhere else.
        token: None where there is none.
        known: what was asked already.
    """

    api_url: str
    token: str | None = field(default=None, repr=False)
    known: dict[tuple[str, str], Any] = field(default_factory=dict, repr=False)

    def missing(self, target: Target) -> str:
        """Say what is needed to ask GitHub; nothing where it can be asked."""
        if target.base is not None and target.base.rstrip("/").lower() != self.api_url.rstrip("/").lower():
            return f"give --github-url {target.base}, if the token may go there"
        if self.token is None:
            return (
                f"set {GITHUB_TOKEN} to a token that may read the repository (best of all: the one that the webhook "
                "uses)"
            )
        return "" if HAS_GITHUB else f"{INSTALL_SERVER}, which GitHub is asked with"

    def facts(self, target: Target) -> RepositoryFacts:
        """Ask what the repository is.

        Raises:
            GitHubFailed: it can't be had.
        """
        return self._once("facts", target, lambda repository: repository.facts())

    def workflows(self, target: Target) -> list[Workflow]:
        """Ask for the workflow files of the default branch.

        Raises:
            GitHubFailed: they can't be had.
        """
        return self._once("workflows", target, lambda repository: repository.workflows())

    def runs(self, target: Target) -> list[Run]:
        """Ask for the latest runs that a dispatch started, the newest first.

        Raises:
            GitHubFailed: they can't be had.
        """
        return self._once("runs", target, lambda repository: repository.runs())

    def _once(self, what: str, target: Target, ask: Callable[[GitHubRepository], Found]) -> Found:
        name = target.repository or ""
        if (what, name) not in self.known:
            github = GitHub(GitHubAccess(self.api_url, self.token))
            try:
                self.known[what, name] = ask(GitHubRepository(github, name, token=self.token))
            except GitHubFailed as error:
                self.known[what, name] = error
        found = self.known[what, name]
        if isinstance(found, GitHubFailed):
            raise found
        answer: Found = found
        return answer


def check_token(state: PactState, look: GitHubLook, target: Target, *, now: datetime) -> Check:
    """Tell whether the token is valid, and until when."""
    sent_until = _expiry_in_log(state)
    if sent_until is not None:
        return _expiry(
            f"the webhook's token, as GitHub told the broker, is valid until {sent_until:%Y-%m-%d}",
            sent_until,
            now,
        )
    missing = look.missing(target)
    if missing:
        return Check("github-token", Status.UNKNOWN, "the broker doesn't show the webhook's token", missing)
    try:
        facts = look.facts(target)
    except GitHubFailed as error:
        if error.status == 401:
            todo = "make a new token (Contents: write), and give it to the broker's secret or to the webhook"
            status = Status.UNKNOWN if _delivered(state) else Status.BROKEN
            return Check(
                "github-token", status, f"{GIVEN}: GitHub answers 401: it is wrong, revoked or expired", todo
            )
        return _unseen("github-token", error)
    until = facts.token.expires
    if until is None:
        return Check("github-token", Status.OK, f"{GIVEN} is valid; GitHub names no date on which it expires")
    return _expiry(f"{GIVEN} is valid until {until:%Y-%m-%d}", until, now)


def check_repository(state: PactState, look: GitHubLook, target: Target) -> Check:
    """Tell whether the repository is there, and can be dispatched to."""
    link, name = "github-repository", target.repository
    missing = look.missing(target)
    if missing:
        return Check(link, Status.UNKNOWN, f"{name} was not asked for", missing)
    try:
        facts = look.facts(target)
    except GitHubFailed as error:
        if error.status == 404 and not _delivered(state):
            said = f"GitHub shows no {name} to {GIVEN}: there is none, or the token may not see it"
            todo = "check the name in the webhook's URL; the webhook's token needs Contents: write for it"
            return Check(link, Status.BROKEN, said, todo)
        return _unseen(link, error)
    problem = _problem(state, facts, target)
    if problem is not None:
        return Check(link, Status.BROKEN, *problem)
    return Check(link, Status.OK, f"{facts.full_name}, default branch {facts.default_branch}")


def _problem(state: PactState, facts: RepositoryFacts, target: Target) -> tuple[str, str] | None:
    """Say why nothing can be dispatched to a repository, and what to do."""
    if facts.archived:
        return (
            f"{facts.full_name} is archived: nothing can be dispatched to it",
            "unarchive it, or send the dispatches to where the provider lives now",
        )
    if facts.full_name.lower() != (target.repository or "").lower():
        uuid = (state.triggering or state.asking)[0].uuid
        return (
            f"{target.repository} is {facts.full_name} now, and brokers don't follow GitHub's redirect",
            f"pact-dispatch webhooks update {uuid} --url {target.base}/repos/{facts.full_name}/dispatches",
        )
    if facts.may_dispatch is False and not _delivered(state):
        return (
            f"{GIVEN} may not dispatch to {facts.full_name}",
            "give it Contents: write (a classic token: the scope repo), if it is the one that the webhook uses",
        )
    return None


def check_workflow(look: GitHubLook, target: Target) -> Check:
    """Tell whether a workflow of the default branch listens to what is dispatched."""
    if not target.event_types:
        return Check(
            "workflow",
            Status.BROKEN,
            "the webhook's body has no event_type, without which GitHub takes no dispatch",
            "make the webhook anew: pact-dispatch webhooks create --template github|github-requiring-verification ...",
        )
    missing = look.missing(target)
    if missing:
        return Check("workflow", Status.UNKNOWN, "the workflow files were not read", missing)
    try:
        workflows = look.workflows(target)
    except GitHubFailed as error:
        return _unseen("workflow", error)
    deaf = [one for one in target.event_types if not _listening(workflows, one)]
    if not deaf:
        named = {w.path for one in target.event_types for w in _listening(workflows, one)}
        return Check(
            "workflow", Status.OK, f"{listed(sorted(named))} listens to {listed(list(target.event_types))}"
        )
    disabled = [w.path for one in deaf for w in workflows if w.listens_to(one)]
    status = Status.BROKEN if len(deaf) == len(target.event_types) else Status.WARNING
    if disabled:
        return Check(
            "workflow",
            status,
            f"{listed(disabled)} listens to {listed(deaf)}, and is disabled",
            f"gh workflow enable {disabled[0].rpartition('/')[2]} (or in the repository, under Actions)",
        )
    return Check(
        "workflow",
        status,
        f"no workflow on the default branch listens to repository_dispatch of the type {listed(deaf)}{_but(workflows)}",
        f"put a workflow with on: repository_dispatch: types: [{', '.join(deaf)}] on the default branch "
        "(docs/github.md has one), or change event_type in the webhook's body",
    )


def check_runs(state: PactState, look: GitHubLook, target: Target, *, now: datetime) -> Check:
    """Tell how the last runs that a dispatch started went."""
    link = "workflow-runs"
    missing = look.missing(target)
    if missing:
        return Check(link, Status.UNKNOWN, "the runs were not looked at", missing)
    try:
        paths = {w.path for one in target.event_types for w in _listening(look.workflows(target), one)}
        runs = [run for run in look.runs(target) if run.path in paths]
    except GitHubFailed as error:
        return _unseen(link, error)
    delivered = _delivered(state)
    at = _time(delivered.at) if delivered else None
    if at is None:
        last = f"the last one, {runs[0].url}, ended with {runs[0].conclusion}" if runs else "there is none"
        status = Status.OK if state.complete else Status.WARNING
        return Check(link, status, f"no dispatch of this pact was delivered; {last}", "mend the delivery")
    since = [run for run in runs if run.created_at >= at - SKEW]
    if state.complete:
        return Check(link, Status.OK, f"{len(since)} since the delivery; the result is there")
    return _judged(since) if since else _none_since(at, now)


def _none_since(delivered: datetime, now: datetime) -> Check:
    if now - delivered < SKEW:
        return Check("workflow-runs", Status.WARNING, "none yet", "look again in a minute", under_way=True)
    return Check(
        "workflow-runs",
        Status.BROKEN,
        f"GitHub took a dispatch at {delivered:%Y-%m-%d %H:%M:%S} UTC, and no run was started",
        "is the workflow on the default branch since then? Are Actions allowed in the repository? Then send it "
        "again: pact-dispatch webhooks test UUID",
    )


def _judged(runs: list[Run]) -> Check:
    """Tell what runs mean that began since the delivery, where there is no result; which pact's one is, nobody says."""
    going = next((run for run in runs if not run.completed), None)
    if going is not None:
        said = f"{going.url} is {going.status}"
        return Check("workflow-runs", Status.WARNING, said, "wait for it", under_way=True)
    bad = next((run for run in runs if not run.succeeded), None)
    if bad is not None:
        return Check(
            "workflow-runs",
            Status.BROKEN,
            f"{bad.url} ended with {bad.conclusion}, and there is no result",
            "read its log: its summary says what was wrong; then run it again",
        )
    return Check(
        "workflow-runs",
        Status.WARNING,
        f"{runs[0].url} succeeded, and the result is not there",
        "does it publish (publish-verification-results), to this broker, as the version that is needed?",
    )


def _expiry(said: str, until: datetime, now: datetime) -> Check:
    todo = "make a new token (Contents: write), and give it to the broker's secret or to the webhook"
    if until <= now:
        return Check("github-token", Status.BROKEN, f"{said}: it has expired", todo)
    if until - now < SOON:
        return Check("github-token", Status.WARNING, f"{said}: that is in {(until - now).days} days", todo)
    return Check("github-token", Status.OK, said)


def _expiry_in_log(state: PactState) -> datetime | None:
    """Read until when GitHub takes the webhook's token from what it answered to the broker."""
    for one in state.deliveries:
        for attempt in reversed(one.attempts):
            headers = execution_of(attempt).answer_headers
            text = headers.get("github-authentication-token-expiration", "")
            try:
                return datetime.strptime(text, "%Y-%m-%d %H:%M:%S UTC").replace(tzinfo=UTC)
            except ValueError:
                continue
    return None


def _delivered(state: PactState) -> Triggered | None:
    """Give the last delivery, if GitHub took it."""
    last = state.deliveries[0] if state.deliveries else None
    return last if last is not None and last.status == "success" else None


def _listening(workflows: list[Workflow], event_type: str) -> list[Workflow]:
    return [one for one in workflows if one.listens_to(event_type) and not one.disabled]


def _but(workflows: list[Workflow]) -> str:
    """Say what there is instead."""
    if not workflows:
        return ": it has no workflow files"
    others = [one for one in workflows if one.triggers.dispatch_types]
    if others:
        heard = [f"{one.path} to {listed(list(one.triggers.dispatch_types))}" for one in others]
        return f" ({listed(heard, 3)})"
    unread = [f"{one.path}: {one.triggers.problem}" for one in workflows if one.triggers.problem]
    return (
        f" ({listed(unread, 3)})" if unread else f" (there are {listed([one.path for one in workflows], 3)})"
    )


def _unseen(link: str, error: GitHubFailed) -> Check:
    return Check(
        link,
        Status.UNKNOWN,
        str(error),
        f"{GIVEN} needs Contents: read and Actions: read, and GitHub must answer",
    )


def _time(text: str | None) -> datetime | None:
    try:
        found = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    found = found if found.tzinfo else found.replace(tzinfo=UTC)
    return found if found.year >= GITHUB_BEGAN else None
