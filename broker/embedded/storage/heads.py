"""The latest versions of branches and of tags: their heads, of which a pact may have none (then it has none there)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select

from broker.embedded.storage.tables import Branch, BranchVersion, Pacticipant, Tag, Version

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Select


def heads_of_branches(which: ColumnElement[bool]) -> Select[Any]:
    """Return the query for the ids of the latest versions of branches; the condition knows their pacticipants."""
    return (
        select(func.max(BranchVersion.version_id))
        .join(BranchVersion.branch)
        .join(Branch.pacticipant)
        .where(which)
        .group_by(BranchVersion.branch_id)
    )


def heads_of_tags(which: ColumnElement[bool]) -> Select[Any]:
    """Return the query for the ids of the latest versions with tags; the condition knows their pacticipants."""
    return (
        select(func.max(Tag.version_id))
        .join(Tag.version)
        .join(Version.pacticipant)
        .where(which)
        .group_by(Pacticipant.id, Tag.name)
    )
