"""What GitHub tells about a provider's repository: the token's rights, the workflows and their runs."""

from __future__ import annotations

import base64
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import quote

from github import UnknownObjectException

from app.github.answers import GitHubRefused
from app.github.exchange import exchange
from app.github.right import DISPATCH_RIGHT, READ_ACTIONS, READ_CONTENTS, Right
from app.github.token import TokenFacts
from app.github.workflows import REPOSITORY_DISPATCH, Triggers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from app.github.client import GitHub
    from app.github.documents import GitHubJson

WORKFLOWS = ".github/workflows"
LARGEST_FILE = 512 * 1024
"""Bytes of a workflow file that is read; GitHub itself takes no larger ones."""

PER_PAGE = 100
MOST_PAGES = 10

_Query: TypeAlias = "Mapping[str, str | int]"
_Get: TypeAlias = "Callable[..., tuple[Mapping[str, Any], GitHubJson]]"


@dataclass(frozen=True)
class RepositoryFacts:
    """A repository, as the token sees it.

    Attributes:
        full_name: OWNER/REPO, which differs from the requested one if the repository was renamed or moved.
        default_branch: The branch with the workflow files that a dispatch runs.
        private: Whether it is private.
        archived: Whether it is archived: nothing can be dispatched to it.
        push: Whether the token's owner may write to it; None where GitHub doesn't say.
        token: The facts about the token of the request.
    """

    full_name: str
    default_branch: str
    private: bool
    archived: bool
    push: bool | None
    token: TokenFacts

    @property
    def may_dispatch(self) -> bool | None:
        """Whether the token may create a dispatch; None where only a dispatch shows it.

        GitHub shows the scopes of a classic token, and not the rights of a fine-grained one.
        """
        if self.archived:
            return False
        if self.token.of_installation:
            return None  # `permissions` doesn't show its rights
        if self.push is False:
            return False
        if self.token.scopes is None:
            return None
        return self._has_scope

    @property
    def may_start_workflows(self) -> bool | None:
        """Whether the token may start a workflow by a `workflow_dispatch`; None where only that shows it."""
        if self.archived:
            return False
        return None if self.token.of_installation or self.token.scopes is None else self._has_scope

    @property
    def _has_scope(self) -> bool:
        scopes = self.token.scopes or frozenset()
        return "repo" in scopes or (not self.private and "public_repo" in scopes)


@dataclass(frozen=True)
class Workflow:
    """A workflow file of the default branch.

    Attributes:
        path: The path, as in `.github/workflows/pact_changed.yml`.
        state: `active`, or another of GitHub's states, as `disabled_manually`; None where the token may not see it.
        triggers: The events that start it.
    """

    path: str
    state: str | None
    triggers: Triggers

    @property
    def disabled(self) -> bool:
        """Whether it is known to be disabled."""
        return self.state not in {None, "active"}

    def listens_to(self, event_type: str) -> bool:
        """Return whether a dispatch of that type starts it, if it is not disabled."""
        return self.triggers.listen_to(event_type)


@dataclass(frozen=True)
class Run:
    """A run of a workflow.

    Attributes:
        id: Its number in the repository's URLs.
        path: The path of the workflow file.
        event: The event that started it.
        status: `queued`, `in_progress`, `completed`, or another of GitHub's.
        conclusion: `success`, `failure`, `cancelled` ...; None until it is completed.
        head_sha: The commit of the workflow file, which is not the one dispatched.
        created_at: The time in UTC, to the second.
        url: The page for people.
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
        """Whether it is completed."""
        return self.status == "completed"

    @property
    def succeeded(self) -> bool:
        """Whether it is completed, with success."""
        return self.completed and self.conclusion == "success"


class GitHubRepository:
    """One repository on GitHub; every request only reads.

    Every method raises `GitHubAway` where a later request may succeed, and `GitHubRefused` where none will until a
    person changes something.

    Args:
        github: The API.
        name: OWNER/REPO.
        token: The token of `github`, if it has one: its kind shows in how it begins.
    """

    def __init__(self, github: GitHub, name: str, *, token: str | None = None) -> None:
        self.name = name
        self._github = github
        self._token = token

    def facts(self) -> RepositoryFacts:
        """Return what the repository is, and what the token may do there.

        Raises:
            GitHubAway: A later request may succeed.
            GitHubRefused: There is no such repository, or the token may not see it; `status` 401: nor any other.
        """
        with self._asked("look at", DISPATCH_RIGHT) as get:
            headers, repository = get("")
            push = repository.get("permissions", dict, {}).get("push")
            return RepositoryFacts(
                full_name=repository.get("full_name", str),
                default_branch=repository.get("default_branch", str),
                private=repository.get("private", bool),
                archived=repository.get("archived", bool, False),
                push=push if isinstance(push, bool) else None,
                token=TokenFacts.read(headers, self._token),
            )

    def workflows(self) -> list[Workflow]:
        """Return the workflow files of the default branch.

        Raises:
            GitHubAway: A later request may succeed.
            GitHubRefused: The token may not read them.
        """
        states = self._states()
        with self._asked("read the workflow files of", READ_CONTENTS) as get:
            _, repository = get("")
            branch = {"ref": repository.get("default_branch", str)}
            try:
                _, listed = get(f"/contents/{WORKFLOWS}", branch)
            except UnknownObjectException:
                return []
            files = [(file.get("path", str), file.get("type", str)) for file in listed.members()]
            return [
                Workflow(
                    path,
                    None if states is None else states.get(path),
                    _triggers(get(f"/contents/{quote(path)}", branch)[1]),
                )
                for path, kind in files
                if kind == "file" and path.endswith((".yml", ".yaml"))
            ]

    def runs(
        self, event: str = REPOSITORY_DISPATCH, *, since: datetime | None = None, limit: int = 30
    ) -> list[Run]:
        """Return the latest runs that a dispatch started, the newest first.

        Args:
            event: `repository_dispatch` or `workflow_dispatch`.
            since: Only those created then or later; GitHub counts in seconds.
            limit: How many at most, up to 100.

        Raises:
            GitHubAway: A later request may succeed.
            GitHubRefused: The token may not see them.
        """
        query: dict[str, str | int] = {"event": event, "per_page": limit}
        if since is not None:
            since = since.astimezone(UTC).replace(microsecond=0)
            query["created"] = f">={since:%Y-%m-%dT%H:%M:%SZ}"
        with self._asked("list the workflow runs of", READ_ACTIONS) as get:
            _, found = get("/actions/runs", query)
            runs = [_run(one) for one in found.members("workflow_runs")]
        return [run for run in runs if since is None or run.created_at >= since][:limit]

    def run(self, number: int) -> Run:
        """Return a run.

        Raises:
            GitHubAway: A later request may succeed.
            GitHubRefused: It doesn't exist any more, or the token may not see it.
        """
        with self._asked(f"look at the workflow run {number} of", READ_ACTIONS) as get:
            return _run(get(f"/actions/runs/{number}")[1])

    @contextmanager
    def _asked(self, doing: str, right: Right) -> Iterator[_Get]:
        with self._github.client(self.name, doing=doing, right=right) as client:

            def get(path: str, query: _Query | None = None) -> tuple[Mapping[str, Any], GitHubJson]:
                answer = exchange(client.requester, "GET", f"/repos/{self.name}{path}", parameters=query)
                if answer.status >= 400:
                    raise answer.failure()
                return answer.headers, answer.json()

            yield get

    def _states(self) -> dict[str, str] | None:
        """Return the states of the workflows, by path; None where the token may not see them."""
        states: dict[str, str] = {}
        try:
            with self._asked("list the workflows of", READ_ACTIONS) as get:
                for page in range(1, MOST_PAGES + 1):
                    _, found = get("/actions/workflows", {"per_page": PER_PAGE, "page": page})
                    members = found.members("workflows")
                    states |= {one.get("path", str): one.get("state", str) for one in members}
                    if len(members) < PER_PAGE:
                        break
        except GitHubRefused as error:
            if error.status in {403, 404}:
                return None
            raise
        return states


def _run(run: GitHubJson) -> Run:
    return Run(
        id=run.get("id", int),
        path=run.get("path", str).partition("@")[0],
        event=run.get("event", str),
        status=run.get("status", str),
        conclusion=run.get("conclusion", str, "") or None,
        head_sha=run.get("head_sha", str),
        created_at=run.time("created_at"),
        url=run.get("html_url", str),
    )


def _triggers(file: GitHubJson) -> Triggers:
    if file.get("size", int) > LARGEST_FILE or file.get("encoding", str) != "base64":
        return Triggers.unreadable("it is no file of at most 512 KiB")
    try:
        return Triggers.read(base64.b64decode(file.get("content", str)).decode())
    except ValueError:
        return Triggers.unreadable("it is not UTF-8 text")
