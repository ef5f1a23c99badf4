"""What a GitHub workflow run knows: the dispatched pact, commit and branch, the run's own, and what is checked out."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from broker.events import PROVIDER_CHANGED, WebhookEvent
from broker.http.json_values import object_at, text_at
from broker.http.reason import why
from broker.http.strict_json import NotJson, parse_json
from verifier.commit_id import is_commit_id
from verifier.environment import without_secrets
from verifier.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_EVENT_BYTES = 1024 * 1024


REPOSITORY_DISPATCH, WORKFLOW_DISPATCH = "repository_dispatch", "workflow_dispatch"
_PACT = {REPOSITORY_DISPATCH: "client_payload.pact_url", WORKFLOW_DISPATCH: "inputs.pact-url"}
"""The events that a broker's webhook starts a workflow by, and where they have the pact's URL."""
_ABOUT_PACT = frozenset({"pact_changed", WebhookEvent.REQUIRING_VERIFICATION.value})
"""The types of a `repository_dispatch` that are about one pact; others may mean all of them."""
OF_EVENT = " of the GitHub event"
"""The end of the source of a value that was dispatched: anybody who may dispatch wrote it."""


class GitHubEvent(NamedTuple):
    """What was dispatched to start a workflow run; all None where nothing was.

    Attributes:
        pact_url: The pact: `client_payload.pact_url`, or the input `pact-url` of a `workflow_dispatch`.
        sha: The version to verify, likewise: a commit, unless another version is given.
        branch: Its branch, likewise.
        dispatch: The event, if it is a dispatch.
        needs_pact: Whether it is a dispatch about one pact, by its type or by what else it has.
        of_provider: Whether it tells that the provider has changed, so that every pact is verified.
    """

    pact_url: str | None = None
    sha: str | None = None
    branch: str | None = None
    dispatch: str | None = None
    needs_pact: bool = False
    of_provider: bool = False

    def source(self, field: str) -> str:
        """Return the source of `sha` or `branch`, or of the pact's URL, as messages name it."""
        pact = _PACT[self.dispatch or REPOSITORY_DISPATCH]
        return (pact if field == "pact_url" else f"{pact.partition('.')[0]}.{field}") + OF_EVENT

    @property
    def without_pact(self) -> str:
        """What is missing in a dispatch about a pact that names none; an empty text otherwise."""
        if self.dispatch is None or self.pact_url is not None or not self.needs_pact:
            return ""
        by_hand = " or, by hand, was not typed in" if self.dispatch == WORKFLOW_DISPATCH else ""
        return (
            f"which pact? The {self.dispatch} that started this run has no {_PACT[self.dispatch]}: that is missing in "
            f"the body of the broker's webhook{by_hand} (pact-dispatch webhooks create makes a right one)"
        )


def is_github_run(environment: Mapping[str, str]) -> bool:
    """Return whether this is a step of a GitHub workflow run."""
    return environment.get("GITHUB_ACTIONS") == "true"


def read_github_event(environment: Mapping[str, str]) -> GitHubEvent:
    """Read the event file of a workflow run that a dispatch started.

    Anybody who may dispatch wrote the payload, so each part is checked. The inputs of a `workflow_dispatch` mean
    something here only where `pact-url` is one of them.

    Raises:
        UsageError: The file can't be read, or a part of the payload is not what it must be.
    """
    file = environment.get("GITHUB_EVENT_PATH")
    name = environment.get("GITHUB_EVENT_NAME") or ""
    if name not in _PACT or not file:
        return GitHubEvent()
    try:
        with Path(file).open("rb") as stream:
            content = stream.read(MAX_EVENT_BYTES + 1)
        if len(content) > MAX_EVENT_BYTES:
            raise UsageError(f"the GitHub event {file} (GITHUB_EVENT_PATH) is larger than 1 MiB")
        event = parse_json(content)
    except (OSError, NotJson) as error:
        raise UsageError(
            f"the GitHub event {file} (GITHUB_EVENT_PATH) can't be read: {why(error)}"
        ) from error
    where, _, pact = _PACT[name].partition(".")
    payload = object_at(event, where)
    pact_url = _text(payload, where, pact)
    if name == WORKFLOW_DISPATCH and pact_url is None:
        return GitHubEvent(dispatch=name, needs_pact=pact in payload)
    sha, branch = (_text(payload, where, field) for field in ("sha", "branch"))
    if pact_url is not None and not pact_url.lower().startswith(("http://", "https://")):
        raise UsageError(f"{_PACT[name]}{OF_EVENT} must be an http:// or https:// URL")
    of_provider = name != WORKFLOW_DISPATCH and text_at(event, "action") == PROVIDER_CHANGED
    about_pact = not of_provider and (bool(payload) or text_at(event, "action") in _ABOUT_PACT)
    return GitHubEvent(pact_url, sha, branch, name, about_pact, of_provider)


def check_commit(event: GitHubEvent) -> None:
    """Raise unless the dispatched version is a commit, as the one that a workflow checks out is.

    Raises:
        UsageError: It isn't.
    """
    if event.sha is not None and not is_commit_id(event.sha):
        raise UsageError(
            f"{event.source('sha')} is not a commit id (7 to 64 hexadecimal digits): if no commit is "
            "checked out, say which version answers (--provider-app-version)"
        )


def _text(payload: dict[str, Any], where: str, field: str) -> str | None:
    value = payload.get(field)
    if value is None or value == "":
        return None
    if not isinstance(value, str) or not value.isprintable():
        raise UsageError(f"{where}.{field}{OF_EVENT} is not a line of text")
    if "${" in value:
        raise UsageError(
            f"{where}.{field}{OF_EVENT} is {value}: the broker did not fill the variable in. Check "
            "the body of the webhook, and that its event knows this variable"
        )
    return value


def github_branch(environment: Mapping[str, str]) -> tuple[str | None, str]:
    """Return the branch that a workflow runs on, and the variable that has it.

    For a pull request that is the branch it comes from; for a tag there is none.
    """
    if environment.get("GITHUB_HEAD_REF"):
        return environment["GITHUB_HEAD_REF"], "GITHUB_HEAD_REF"
    on_branch = environment.get("GITHUB_REF_TYPE", "branch") == "branch"
    return environment.get("GITHUB_REF_NAME") if on_branch else None, "GITHUB_REF_NAME"


def github_build_url(environment: Mapping[str, str]) -> str | None:
    """Return the URL of the workflow run."""
    names = ("GITHUB_SERVER_URL", "GITHUB_REPOSITORY", "GITHUB_RUN_ID")
    server, repository, run = (environment.get(name) for name in names)
    return f"{server}/{repository}/actions/runs/{run}" if server and repository and run else None


def check_checkout(sha: str, folder: Path) -> tuple[str, ...]:
    """Make sure that the dispatched commit is checked out, if that can be told.

    A `repository_dispatch` runs on the head of the default branch: without an explicit checkout another commit than the
    dispatched one would answer, and the result would be recorded for the dispatched one.

    Returns:
        A note, if it can't be told.

    Raises:
        UsageError: Another commit is checked out.
    """
    import subprocess  # noqa: PLC0415 - for this alone

    # in a container the checkout often belongs to another user, and git refuses to read it without this setting
    command = ["git", "-c", "safe.directory=*", "-C", str(folder), "rev-parse", "HEAD"]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=10, check=False, env=without_secrets(os.environ)
        )
        head = done.stdout.strip() if done.returncode == 0 else ""
    except (OSError, subprocess.TimeoutExpired):
        head = ""
    if not head:
        return (
            f"{folder} is no git checkout that can be read: that commit {sha} answered is taken on trust",
        )
    if not head.startswith(sha.lower()):
        raise UsageError(
            f"the dispatch asks for commit {sha}, but {folder} has {head} checked out, so the result would be "
            "recorded for a version that did not answer. In the workflow, check the commit out: actions/checkout "
            "with ref: ${{ github.event.client_payload.sha }}; or say which version answers: --provider-app-version"
        )
    return ()
