"""What GitHub tells of a provider's repository: who may dispatch, what listens to it, and what ran."""

from __future__ import annotations

import re
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING

from app.github import DISPATCH_RIGHT
from app.github_answers import GitHubRefused
from app.workflow_triggers import REPOSITORY_DISPATCH, Triggers

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from github import Repository, WorkflowRun

    from app.github import GitHub

WORKFLOWS = ".github/workflows"
READ_CONTENTS = "Contents: read (a classic token: repo)"
READ_ACTIONS = "Actions: read (a classic token: repo)"
LARGEST_FILE = 512 * 1024
"""Bytes of a workflow file that is read; GitHub itself takes no larger ones."""

_INSTALLATION = "ghs_"


@dataclass(frozen=True)
class TokenFacts:
    """What GitHub shows of the token that asked.

    Attributes:
        scopes: of a classic token; None for any other.
        expires: when it stops working; None if never, or if GitHub doesn't say.
        of_installation: it is an App's, or the GITHUB_TOKEN of a workflow: it lives for an hour at most.
    """

    scopes: frozenset[str] | None = None
    expires: datetime | None = None
    of_installation: bool = False

    @classmethod
    def read(cls, headers: Mapping[str, str | int], token: str | None = None) -> TokenFacts:
        """Read them from an answer's headers, whose names are in lower case."""
        scopes = headers.get("x-oauth-scopes")
        return cls(
            scopes=None if scopes is None else frozenset(re.findall(r"[^\s,]+", str(scopes))),
            expires=read_time(str(headers.get("github-authentication-token-expiration", ""))),
            of_installation=token is not None and token.startswith(_INSTALLATION),
        )


@dataclass(frozen=True)
class RepositoryFacts:
    """A repository, as the token sees it.

    Attributes:
        full_name: OWNER/REPO, which differs from what was asked for when the repository was renamed or moved.
        default_branch: whose workflow files a dispatch runs.
        private: as it says.
        archived: nothing can be dispatched to it.
        push: whether who the token belongs to may write to it; None where GitHub doesn't say.
        token: that asked.
    """

    full_name: str
    default_branch: str
    private: bool
    archived: bool
    push: bool | None
    token: TokenFacts

    @property
    def may_dispatch(self) -> bool | None:
        """Whether the token may create a dispatch; None where nothing but a dispatch tells.

        GitHub shows the scopes of a classic token, and not the rights of a fine-grained one.
        """
        if self.archived:
            return False
        if self.token.of_installation:
            return None  # its rights are not those that `permissions` shows
        if self.push is False:
            return False
        if self.token.scopes is None:
            return None
        return "repo" in self.token.scopes or (not self.private and "public_repo" in self.token.scopes)


@dataclass(frozen=True)
class Workflow:
    """A workflow file of the default branch.

    Attributes:
        path: as in `.github/workflows/pact_changed.yml`.
        state: active, or GitHub's word for why not, as `disabled_manually`; None where the token may not see it.
        triggers: what starts it.
    """

    path: str
    state: str | None
    triggers: Triggers

    @property
    def disabled(self) -> bool:
        """Whether it is known that nothing starts it."""
        return self.state not in {None, "active"}

    def listens_to(self, event_type: str) -> bool:
        """Tell whether a dispatch of a type starts it, if it is not disabled."""
        return self.triggers.listen_to(event_type)


@dataclass(frozen=True)
class Run:
    """A run of a workflow.

    Attributes:
        id: its number in the repository's URLs.
        path: of the workflow file.
        event: what started it.
        status: queued, in_progress, completed, or another of GitHub's words.
        conclusion: success, failure, cancelled ...; None until it is completed.
        head_sha: the commit whose workflow file ran, which is not the one dispatched.
        created_at: in UTC, to the second.
        url: for people.
    """

    id: int
    path: str
    event: str
    status: str
    conclusion: str | None
    head_sha: str
    created_at: datetime
    url: str

    @property
    def completed(self) -> bool:
        """Whether it has come to its end."""
        return self.status == "completed"

    @property
    def succeeded(self) -> bool:
        """Whether it has, and well."""
        return self.completed and self.conclusion == "success"


class GitHubRepository:
    """One repository on GitHub; all that is asked of it only reads.

    Every method raises GitHubAway where it may work later, and GitHubRefused where it won't until somebody does
    something.

    Args:
        github: the API, and who asks.
        name: OWNER/REPO.
        token: with which `github` asks, if it is a token: its kind shows in how it starts.
    """

    def __init__(self, github: GitHub, name: str, *, token: str | None = None) -> None:
        self.name = name
        self._github = github
        self._token = token

    def facts(self) -> RepositoryFacts:
        """Ask what the repository is, and what the token may do there.

        Raises:
            GitHubAway: it may work later.
            GitHubRefused: there is no such repository, or the token is no good for it; `status` 401: for none.
        """
        with self._asked("look at", DISPATCH_RIGHT) as repository:
            permissions = repository.raw_data.get("permissions")
            push = permissions.get("push") if isinstance(permissions, dict) else None
            return RepositoryFacts(
                full_name=repository.full_name,
                default_branch=repository.default_branch,
                private=repository.private,
                archived=repository.archived,
                push=push if isinstance(push, bool) else None,
                token=TokenFacts.read(repository.raw_headers, self._token),
            )

    def workflows(self) -> list[Workflow]:
        """Read the workflow files of the default branch; none where it has none.

        Raises:
            GitHubAway: it may work later.
            GitHubRefused: the token may not read them.
        """
        states = self._states()
        with self._asked("read the workflow files of", READ_CONTENTS) as repository:
            paths = self._workflow_paths(repository)
            return [
                Workflow(path, None if states is None else states.get(path), self._triggers(repository, path))
                for path in paths
            ]

    def runs(self, *, since: datetime | None = None, limit: int = 30) -> list[Run]:
        """List the latest runs that a dispatch started, the newest first.

        Args:
            since: only those created then or later; GitHub counts in seconds.
            limit: at most as many.

        Raises:
            GitHubAway: it may work later.
            GitHubRefused: the token may not see them.
        """
        with self._asked("list the workflow runs of", READ_ACTIONS) as repository:
            if since is None:
                found = repository.get_workflow_runs(event=REPOSITORY_DISPATCH)
            else:
                since = since.astimezone(UTC).replace(microsecond=0)
                created = f">={since:%Y-%m-%dT%H:%M:%SZ}"
                found = repository.get_workflow_runs(event=REPOSITORY_DISPATCH, created=created)
            runs = [_run(one) for one in islice(found, limit)]
        return [run for run in runs if since is None or run.created_at >= since]

    def run(self, number: int) -> Run:
        """Look at a run.

        Raises:
            GitHubAway: it may work later.
            GitHubRefused: it is gone, or the token may not see it.
        """
        with self._asked(f"look at the workflow run {number} of", READ_ACTIONS) as repository:
            return _run(repository.get_workflow_run(number))

    @contextmanager
    def _asked(self, doing: str, right: str) -> Iterator[Repository.Repository]:
        with self._github.client(self.name, doing=doing, right=right) as client:
            yield client.get_repo(self.name)

    def _states(self) -> dict[str, str] | None:
        """Ask which workflows are switched off, by path; None where the token may not see that."""
        try:
            with self._asked("list the workflows of", READ_ACTIONS) as repository:
                return {workflow.path: workflow.state for workflow in repository.get_workflows()}
        except GitHubRefused as error:
            if error.status in {403, 404}:
                return None
            raise

    def _workflow_paths(self, repository: Repository.Repository) -> list[str]:
        from github import UnknownObjectException  # noqa: PLC0415 - with PyGithub, which its caller has loaded

        try:
            listed = repository.get_contents(WORKFLOWS, ref=repository.default_branch)
        except UnknownObjectException:
            return []
        files = listed if isinstance(listed, list) else [listed]
        return [file.path for file in files if file.type == "file" and file.path.endswith((".yml", ".yaml"))]

    def _triggers(self, repository: Repository.Repository, path: str) -> Triggers:
        file = repository.get_contents(path, ref=repository.default_branch)
        if isinstance(file, list) or file.size > LARGEST_FILE or file.encoding != "base64":
            return Triggers.unreadable("it is no file of at most 512 KiB")
        try:
            return Triggers.read(file.decoded_content.decode())
        except UnicodeDecodeError:
            return Triggers.unreadable("it is not UTF-8 text")


def read_time(text: str) -> datetime | None:
    """Read a time as GitHub's header has it: `2026-12-31 23:59:59 UTC`, or with an offset such as `+0100`.

    Returns:
        None for anything else.
    """
    match = re.fullmatch(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) (UTC|[+-]\d{4})", text.strip())
    if match is None:
        return None
    offset = "+0000" if match[2] == "UTC" else match[2]
    try:
        return datetime.strptime(f"{match[1]} {offset}", "%Y-%m-%d %H:%M:%S %z").astimezone(UTC)
    except ValueError:
        return None


def _run(run: WorkflowRun.WorkflowRun) -> Run:
    created = run.created_at
    return Run(
        id=run.id,
        path=run.path.partition("@")[0],
        event=run.event,
        status=run.status,
        conclusion=run.conclusion,
        head_sha=run.head_sha,
        created_at=created.replace(tzinfo=UTC) if created.tzinfo is None else created.astimezone(UTC),
        url=run.html_url,
    )
