"""Branches and tags of versions: found, and given to a version."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import exists, select

from broker.embedded.storage.records import last_result_id, session
from broker.embedded.storage.tables import (
    Branch,
    BranchVersion,
    Pacticipant,
    Tag,
    Version,
    now,
)

MAIN_BRANCHES = frozenset({"develop", "main", "master"})
"""The first of these branches that a version is published on becomes the main branch, if there is none."""

FIRST_TAG_WITHIN = timedelta(seconds=10)
"""The first tag of a version without a branch names its branch, if it comes this soon after the version."""


def find_branch_version(version: Version, branch: str) -> BranchVersion | None:
    """Return the version's place on a branch, if it is on it."""
    return session().scalar(
        select(BranchVersion)
        .join(BranchVersion.branch)
        .where(BranchVersion.version == version, Branch.name == branch)
    )


def put_on_branch(version: Version, name: str) -> tuple[BranchVersion, bool]:
    """Put a version on a branch, made if need be; return its place there and whether it is new."""
    found = find_branch_version(version, name)
    if found is not None:
        found.updated_at = found.branch.updated_at = now()
        return found, False
    pacticipant = version.pacticipant
    branch = session().scalar(select(Branch).where(Branch.pacticipant == pacticipant, Branch.name == name))
    if branch is None:
        branch = Branch(pacticipant=pacticipant, name=name, results_before=last_result_id())
    branch.updated_at = now()
    branch_version = BranchVersion(branch=branch, version=version)
    session().add(branch_version)
    _maybe_main_branch(pacticipant, name)
    session().flush()
    return branch_version, True


def find_tag(version: Version, name: str) -> Tag | None:
    """Return the version's tag of that name, if it has it."""
    return session().scalar(select(Tag).where(Tag.version == version, Tag.name == name))


def put_tag(version: Version, name: str) -> tuple[Tag, bool]:
    """Tag a version; return the tag and whether it is new.

    As with a real broker, the first tag of a new version without a branch is its branch, and may be the main branch:
    of a team that only tags, webhooks and `mainBranch` know the main branch by this.
    """
    found = find_tag(version, name)
    if found is not None:
        return found, False
    if _is_first(version):
        put_on_branch(version, name)
    _maybe_main_branch(version.pacticipant, name)
    tag = Tag(version=version, name=name, results_before=last_result_id())
    session().add(tag)
    session().flush()
    return tag, True


def _is_first(version: Version) -> bool:
    age = datetime.now(UTC) - datetime.fromisoformat(version.created_at)
    tagged = exists().where(Tag.version_id == version.id)
    on_branch = exists().where(BranchVersion.version_id == version.id)
    return age <= FIRST_TAG_WITHIN and not session().scalar(select(tagged | on_branch))


def _maybe_main_branch(pacticipant: Pacticipant, name: str) -> None:
    if pacticipant.main_branch is None and name in MAIN_BRANCHES:
        pacticipant.main_branch = name
        pacticipant.updated_at = now()
