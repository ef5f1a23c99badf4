"""Branches of a pacticipant, and the versions on them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Blueprint
from sqlalchemy import delete, func, select

from broker.embedded.http.bodies import json_object
from broker.embedded.http.errors import or_not_found
from broker.embedded.http.hal import created, json_response, link, no_content, url
from broker.embedded.http.paging import asked_page, matching, with_query
from broker.embedded.pacticipants.versions import PACTICIPANT, answer_latest, answer_list
from broker.embedded.storage.branches_and_tags import find_branch_version, put_on_branch
from broker.embedded.storage.records import (
    ensure_pacticipant,
    ensure_version,
    find_pacticipant,
    latest_version,
    pacticipant_named,
    session,
    version_numbered,
)
from broker.embedded.storage.tables import Branch, BranchVersion, Version

if TYPE_CHECKING:
    from flask import Response

blueprint = Blueprint("branches", __name__)

BRANCH = f"{PACTICIPANT}/branches/<name:branch>"


@blueprint.get(f"{PACTICIPANT}/branches")
def show_branches(pacticipant: str) -> Response:
    """Answer the branches, the last changed first, in pages of `pageSize` (100); `q` is a part of their names."""
    query = select(Branch).where(Branch.pacticipant == pacticipant_named(pacticipant))
    wanted = matching(Branch.name)
    if wanted is not None:
        query = query.where(wanted)
    page = asked_page(always=True)
    latest = select(func.max(BranchVersion.id)).where(BranchVersion.branch_id == Branch.id).scalar_subquery()
    ordered = query.order_by(Branch.updated_at.desc(), latest.desc(), Branch.id.desc())
    branches = session().scalars(page.of(ordered)).all()
    paged = page.document(query, session())
    href = url("pacticipants", pacticipant, "branches")
    return json_response(
        {
            "page": paged,
            "_embedded": {"branches": [_represent_branch(branch) for branch in branches]},
            "_links": {
                "self": link(with_query(href), title=f"{pacticipant} branches"),
                **page.links(paged, href),
                "pb:branches": [
                    link(url("pacticipants", pacticipant, "branches", branch.name), name=branch.name)
                    for branch in branches
                ],
            },
        }
    )


@blueprint.get(BRANCH)
def show_branch(pacticipant: str, branch: str) -> Response:
    """Answer a branch."""
    return json_response(_represent_branch(_branch_named(pacticipant, branch)))


@blueprint.delete(BRANCH)
def remove_branch(pacticipant: str, branch: str) -> Response:
    """Delete a branch; its versions stay."""
    session().execute(delete(Branch).where(Branch.id == _branch_named(pacticipant, branch).id))
    return no_content()


@blueprint.get(f"{BRANCH}/latest-version")
def show_latest_on_branch(pacticipant: str, branch: str) -> Response:
    """Answer the latest version on the branch."""
    return answer_latest(latest_version(pacticipant_named(pacticipant), branch=branch))


@blueprint.get(f"{BRANCH}/versions")
def show_all_on_branch(pacticipant: str, branch: str) -> Response:
    """Answer all versions on a branch, the latest first."""
    found = _branch_named(pacticipant, branch)
    on_it = BranchVersion.branch == found
    query = select(Version).join(BranchVersion, BranchVersion.version_id == Version.id).where(on_it)
    href = url("pacticipants", pacticipant, "branches", branch, "versions")
    return answer_list(query, found.pacticipant, href, f"Versions for branch {branch} of {pacticipant}")


@blueprint.get(f"{BRANCH}/versions/<name:number>")
def show_branch_version(pacticipant: str, branch: str, number: str) -> Response:
    """Answer a version's place on a branch."""
    return json_response(_represent_branch_version(_branch_version(pacticipant, branch, number)))


@blueprint.put(f"{BRANCH}/versions/<name:number>")
def put_branch_version(pacticipant: str, branch: str, number: str) -> Response:
    """Put a version on a branch: both are made if need be."""
    json_object(empty_allowed=True)
    version, _ = ensure_version(ensure_pacticipant(pacticipant), number)
    branch_version, new = put_on_branch(version, branch)
    document = _represent_branch_version(branch_version)
    return created(document, new=new)


@blueprint.delete(f"{BRANCH}/versions/<name:number>")
def remove_branch_version(pacticipant: str, branch: str, number: str) -> Response:
    """Take a version off a branch."""
    session().delete(_branch_version(pacticipant, branch, number))
    return no_content()


def _branch_named(pacticipant: str, name: str) -> Branch:
    owner = or_not_found(find_pacticipant(pacticipant))
    return or_not_found(
        session().scalar(select(Branch).where(Branch.pacticipant == owner, Branch.name == name))
    )


def _branch_version(pacticipant: str, branch: str, number: str) -> BranchVersion:
    return or_not_found(find_branch_version(version_numbered(pacticipant, number), branch))


def _represent_branch(branch: Branch) -> dict[str, Any]:
    href = url("pacticipants", branch.pacticipant.name, "branches", branch.name)
    return {
        "name": branch.name,
        **({"updatedAt": branch.updated_at} if branch.updated_at else {}),
        "createdAt": branch.created_at,
        "_links": {
            "self": link(href, title="Branch"),
            "pb:latest-version": link(f"{href}/latest-version", title="Latest version for branch"),
        },
    }


def _represent_branch_version(branch_version: BranchVersion) -> dict[str, Any]:
    branch, number = branch_version.branch, branch_version.version.number
    pacticipant = ("pacticipants", branch.pacticipant.name)
    changed = branch_version.updated_at
    return {
        **({"updatedAt": changed} if changed else {}),
        "createdAt": branch_version.created_at,
        "_links": {
            "self": link(
                url(*pacticipant, "branches", branch.name, "versions", number), title="Branch version"
            ),
            "pb:branch": link(url(*pacticipant, "branches", branch.name), title="Branch", name=branch.name),
            "pb:version": link(url(*pacticipant, "versions", number), title="Version", name=number),
        },
    }
