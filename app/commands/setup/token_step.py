"""The step at GitHub's token: is the repository there, and may the token do what it must, and no more?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.commands.finding import Finding, State
from app.commands.github_judgement import Obstacle, obstacles
from app.commands.setup.request import AMBIENT
from app.config.variables import GITHUB_TOKEN
from app.github.answers import GitHubRefused
from app.github.token import days_left
from verifier.report.amounts import count

if TYPE_CHECKING:
    from datetime import datetime

    from app.commands.github_judgement import Trigger
    from app.commands.setup.request import SetupRequest
    from app.github.repository import GitHubRepository, RepositoryFacts

_HOW_TO_MAKE_ONE = (
    "Make a fine-grained token at GitHub (Settings, Developer settings, Personal access tokens) for {repository} "
    "alone, with {rights}. An organisation may have to approve it first."
)
_RIGHTS = "Contents: read and write; Actions: read lets --wait see the run"
_RIGHTS_OF_WORKFLOW = "Actions: read and write, and Contents: read so that the workflow file can be looked at"
_WITHIN_REPO = frozenset(
    {"repo", "public_repo", "repo:status", "repo_deployment", "repo:invite", "security_events"}
)
"""The scope `repo`, and those that it includes."""
_MIGHTIER = (
    "The token may more than dispatch (scopes: {scopes}), and so may who reads it in the broker. {new_token}"
)
_CLASSIC = "A classic token is good for every repository of its owner, and can push to them. {new_token}"
_AMBIENT = (
    f"The token comes from {AMBIENT}, which other tools set, too, for purposes of their own. If it isn't one that was "
    f"made for the broker, make one, and give it by {GITHUB_TOKEN}."
)
_EXPIRES_SOON = (
    "The token expires in {days}, and dispatches stop then without a word: make a new one, and run this again with "
    "it."
)


class TokenStep:
    """The step that looks at the repository with the token. It changes nothing.

    Args:
        repository: The repository of the provider.
        request: What is to be set up.
        now: The time, with its zone.
    """

    def __init__(self, repository: GitHubRepository, request: SetupRequest, *, now: datetime) -> None:
        self._repository = repository
        self._request = request
        self._trigger: Trigger = request.trigger
        self._now = now
        self._facts: RepositoryFacts | None = None

    @property
    def expires(self) -> datetime | None:
        """When the token expires, as the first step found it."""
        return self._facts.token.expires if self._facts else None

    @property
    def default_branch(self) -> str | None:
        """The default branch, as the first step found it."""
        return self._facts.default_branch if self._facts else None

    @property
    def sees_repository(self) -> bool:
        """Whether the first step saw the repository with this token."""
        return self._facts is not None

    def take(self) -> Finding:
        """Check that the repository is there, and that the token may dispatch to it."""
        name = self._repository.name
        try:
            facts = self._facts = self._repository.facts()
        except GitHubRefused as error:
            advice = self._new_token
            if error.status == 404:
                advice = f"Check --repository {name}. If it is right, the token may not see it: {advice}"
            return Finding(State.FAILED, found=str(error), to_do=advice)
        found = (
            f"{facts.full_name} is {'private' if facts.private else 'public'}, its default branch is "
            f"{facts.default_branch}. {_described(facts)}"
        )
        to_do = next(
            (self._remedy(obstacle, facts) for obstacle in obstacles(facts, name, self._trigger)), ""
        )
        if to_do:
            return Finding(State.FAILED, found=found, to_do=to_do)
        expires = facts.token.expires
        warnings = self._too_mighty(facts)
        days = days_left(expires, self._now)
        if days is not None:
            warnings += (_EXPIRES_SOON.format(days=count(days, "day")),)
        return Finding(
            State.OK,
            found=found,
            warnings=warnings,
            facts={
                "expires": expires.isoformat() if expires else None,
                "may_dispatch": self._trigger.may_start(facts),
            },
        )

    @property
    def _new_token(self) -> str:
        rights = _RIGHTS if self._trigger.workflow is None else _RIGHTS_OF_WORKFLOW
        return _HOW_TO_MAKE_ONE.format(repository=self._repository.name, rights=rights)

    def _remedy(self, obstacle: Obstacle, facts: RepositoryFacts) -> str:
        """Return what must change before dispatches can work."""
        name = self._repository.name
        new_token = self._new_token
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
            Obstacle.NO_RIGHT: f"It may not dispatch: that needs {self._trigger.right}. {new_token}",
        }[obstacle]

    def _too_mighty(self, facts: RepositoryFacts) -> tuple[str, ...]:
        """Return the warnings of what the token may that a broker's token need not."""
        found = []
        more = sorted((facts.token.scopes or frozenset()) - _WITHIN_REPO)
        if more:
            found.append(_MIGHTIER.format(scopes=", ".join(more), new_token=self._new_token))
        elif facts.token.scopes is not None:
            found.append(_CLASSIC.format(new_token=self._new_token))
        if self._request.token_source == AMBIENT:
            found.append(_AMBIENT)
        return tuple(found)


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
