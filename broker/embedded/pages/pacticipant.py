"""The page of a pacticipant: its pacts, and its versions with their branches, tags and environments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from broker.embedded.pages.pacts import branches_of, by_version, latest_pacts
from broker.embedded.pages.rendering import render
from broker.embedded.storage.deployment_records import current
from broker.embedded.storage.deployment_tables import Deployment, Label, Release
from broker.embedded.storage.records import pacticipant_named, session
from broker.embedded.storage.tables import Branch, BranchVersion, Pacticipant, Tag, Version

if TYPE_CHECKING:
    from flask import Response

MOST_LISTED = 100
"""The most rows of a list; clients can fetch more."""


def show(name: str) -> Response:
    """Answer the page of a pacticipant."""
    pacticipant = pacticipant_named(name)
    of_it = Branch.pacticipant_id == pacticipant.id
    labelled = select(Label.name).where(Label.pacticipant == pacticipant).order_by(Label.id)
    return render(
        "pacticipant.html",
        name=name,
        display_name=pacticipant.display_name,
        main_branch=pacticipant.main_branch,
        repository_url=pacticipant.repository_url,
        created_at=pacticipant.created_at,
        labels=session().scalars(labelled).all(),
        branches=session()
        .scalars(select(Branch.name).where(of_it).order_by(Branch.id.desc()).limit(MOST_LISTED))
        .all(),
        environments=_environments(pacticipant),
        pacts=latest_pacts(pacticipant),
        versions=_versions(pacticipant),
        most=MOST_LISTED,
    )


def _environments(pacticipant: Pacticipant) -> list[dict[str, Any]]:
    of_it = Version.pacticipant_id == pacticipant.id
    deployed = [
        {
            "environment": one.environment.shown_name,
            "number": one.version.number,
            "how": f"deployed ({one.application_instance})" if one.application_instance else "deployed",
            "since": one.created_at,
        }
        for one in session().scalars(current(Deployment).where(of_it))
    ]
    released = [
        {
            "environment": one.environment.shown_name,
            "number": one.version.number,
            "how": "released",
            "since": one.created_at,
        }
        for one in session().scalars(current(Release).where(of_it))
    ]
    return sorted(deployed + released, key=lambda one: str(one["environment"]))


def _versions(pacticipant: Pacticipant) -> list[dict[str, Any]]:
    query = select(Version.id, Version.number, Version.created_at, Version.build_url)
    query = query.where(Version.pacticipant == pacticipant).order_by(Version.id.desc()).limit(MOST_LISTED)
    rows = session().execute(query).all()
    ids = [row[0] for row in rows]
    branches = branches_of(BranchVersion.version_id.in_(ids))
    tagged = select(Tag.version_id, Tag.name).where(Tag.version_id.in_(ids)).order_by(Tag.id)
    tags = by_version((row[0], row[1]) for row in session().execute(tagged))
    standing = [
        (one.version_id, one.environment.shown_name)
        for query in (current(Deployment), current(Release))
        for one in session().scalars(query.where(Version.pacticipant_id == pacticipant.id))
    ]
    environments = by_version(dict.fromkeys(standing))
    return [
        {
            "number": number,
            "created_at": created_at,
            "build_url": build_url,
            "branches": branches.get(version_id, ()),
            "tags": tags.get(version_id, ()),
            "environments": environments.get(version_id, ()),
        }
        for version_id, number, created_at, build_url in rows
    ]
