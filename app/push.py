"""Parse the payload of a `push` as GitHub delivers it. No I/O."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from app.dispatch import PUSH, Dispatch, FieldError, InvalidDispatch, PushOrder, repository_of
from broker.http.names import NAME_RULE, is_name
from broker.text.times import EARLIEST, read_time
from verifier.commit_id import is_commit_id

BRANCHES = "refs/heads/"
"""What a reference to a branch begins with."""

_KEPT = ("ref", "before", "after", "deleted")
_KEPT_OF_REPOSITORY = ("full_name", "default_branch", "pushed_at")


@dataclass(frozen=True)
class Push:
    """A push to a repository.

    Attributes:
        dispatch: What it asks for.
        is_default_branch: Whether it went to the repository's default branch.
    """

    dispatch: Dispatch
    is_default_branch: bool

    @property
    def branch(self) -> str:
        """The branch that it went to."""
        return self.dispatch.branch or ""


def from_push(document: Any) -> Push | None:
    """Parse what GitHub delivers for the event `push`.

    Returns:
        The push; None if there is nothing to verify: it was one of a tag, or it deleted a branch.

    Raises:
        InvalidDispatch: It isn't a push.
    """
    if not isinstance(document, dict):
        raise InvalidDispatch(FieldError("body", "invalid", "must be a JSON object"))
    repository = repository_of(document)
    ref, sha = document.get("ref"), document.get("after")
    if not isinstance(ref, str) or not ref.startswith("refs/"):
        raise InvalidDispatch(
            FieldError("ref", "invalid", "must be a full reference, such as refs/heads/main")
        )
    branch = ref.removeprefix(BRANCHES)
    if branch == ref or document.get("deleted") is True or (isinstance(sha, str) and not sha.strip("0")):
        return None
    errors = []
    if not is_name(branch):
        errors.append(FieldError("ref", "invalid", NAME_RULE))
    if not isinstance(sha, str) or not is_commit_id(sha):
        errors.append(FieldError("after", "invalid", "must be a commit id"))
    if errors:
        raise InvalidDispatch(*errors)
    about, commit = document["repository"], str(sha).lower()
    order = PushOrder(commit, _commit(document.get("before")), _moment(about.get("pushed_at")))
    dispatch = Dispatch(repository, PUSH, None, commit, branch, push_order=order)
    return Push(dispatch, branch == about.get("default_branch"))


def kept_of_push(document: dict[str, Any]) -> dict[str, Any]:
    """Return what is stored of a push: as much as `from_push` reads. Its commits may be megabytes."""
    repository = document.get("repository")
    kept: dict[str, Any] = {name: document[name] for name in _KEPT if name in document}
    if isinstance(repository, dict):
        kept["repository"] = {name: repository[name] for name in _KEPT_OF_REPOSITORY if name in repository}
    return kept


def _commit(before: Any) -> str | None:
    """Return the commit that a branch had before; None if it is new, which GitHub says by zeros alone."""
    return before.lower() if isinstance(before, str) and is_commit_id(before) and before.strip("0") else None


def _moment(pushed_at: Any) -> datetime | None:
    """Return when a repository was pushed to: GitHub gives seconds in a push, and a text elsewhere."""
    if isinstance(pushed_at, int) and not isinstance(pushed_at, bool):
        try:
            found = datetime.fromtimestamp(pushed_at, UTC)
        except (OverflowError, OSError, ValueError):
            return None
        return found if found >= EARLIEST else None
    return read_time(pushed_at)
