"""Versions of a pacticipant."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from flask import Blueprint, request
from sqlalchemy import delete, select
from sqlalchemy.orm import joinedload, selectinload

from broker.embedded.http.bodies import json_object
from broker.embedded.http.errors import invalid, or_not_found
from broker.embedded.http.hal import base_url, day, json_response, link, no_content, url
from broker.embedded.http.paging import asked_page, with_query
from broker.embedded.pacticipants import environment_links
from broker.embedded.pacts.resource import pact_name, pact_url
from broker.embedded.storage.records import (
    ensure_pacticipant,
    ensure_version,
    latest_branch_version_ids,
    latest_version,
    pacticipant_named,
    publications,
    session,
    version_numbered,
    with_names,
)
from broker.embedded.storage.tables import BranchVersion, Publication, Tag, Version, now

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flask import Response
    from sqlalchemy import Select

    from broker.embedded.storage.tables import Pacticipant

blueprint = Blueprint("versions", __name__)

PACTICIPANT = "/pacticipants/<name:pacticipant>"
VERSION = f"{PACTICIPANT}/versions/<name:number>"


@blueprint.get(f"{PACTICIPANT}/versions")
def show_all(pacticipant: str) -> Response:
    """Answer all versions, the latest first."""
    owner = pacticipant_named(pacticipant)
    query = select(Version).where(Version.pacticipant == owner)
    href = url("pacticipants", pacticipant, "versions")
    return answer_list(query, owner, href, f"All application versions of {pacticipant}")


@blueprint.get(VERSION)
def show(pacticipant: str, number: str) -> Response:
    """Answer a version."""
    return json_response(represent(version_numbered(pacticipant, number)))


@blueprint.put(VERSION)
@blueprint.patch(VERSION)
def put(pacticipant: str, number: str) -> Response:
    """Make a version or replace it; PATCH changes the build URL if it is sent."""
    fields = json_object(empty_allowed=True)
    build_url = fields.get("buildUrl")
    if build_url is not None and not isinstance(build_url, str):
        raise invalid({"buildUrl": ["must be a string"]})
    version, new = ensure_version(ensure_pacticipant(pacticipant), number, published=True)
    if "buildUrl" in fields or request.method == "PUT":
        version.build_url = build_url
    if not new:
        version.updated_at = now()
    # A real broker tells the new version's URL in the document alone.
    return json_response(represent(version), status=201 if new else 200)


@blueprint.delete(VERSION)
def remove(pacticipant: str, number: str) -> Response:
    """Delete a version with its pacts and results."""
    version = version_numbered(pacticipant, number)
    session().execute(delete(Version).where(Version.id == version.id))
    return no_content()


@blueprint.get(f"{PACTICIPANT}/latest-version")
def show_latest(pacticipant: str) -> Response:
    """Answer the latest version."""
    return answer_latest(latest_version(pacticipant_named(pacticipant)))


@blueprint.get(f"{PACTICIPANT}/latest-version/<name:tag>")
def show_latest_tagged(pacticipant: str, tag: str) -> Response:
    """Answer the latest version with the tag."""
    return answer_latest(latest_version(pacticipant_named(pacticipant), tag=tag))


@blueprint.get(f"{PACTICIPANT}/tags/<name:tag>/versions")
def show_tagged(pacticipant: str, tag: str) -> Response:
    """Answer all versions with a tag, the latest first."""
    owner = pacticipant_named(pacticipant)
    tagged = Version.id.in_(select(Tag.version_id).where(Tag.name == tag))
    query = select(Version).where(Version.pacticipant == owner, tagged)
    href = url("pacticipants", pacticipant, "tags", tag, "versions")
    return answer_list(query, owner, href, f"All application versions of {pacticipant}")


def answer_latest(version: Version | None) -> Response:
    """Answer the latest version of a kind at its own URL, or 404 if there is none."""
    document = represent(or_not_found(version))
    document["_links"]["self"]["href"] = f"{base_url()}{request.path}"
    return json_response(document)


def answer_list(query: Select[Version], owner: Pacticipant, href: str, title: str) -> Response:
    """Answer a list of a pacticipant's versions, the latest first."""
    page = asked_page()
    loaded = query.options(
        joinedload(Version.pacticipant),
        selectinload(Version.tags),
        selectinload(Version.branch_versions).joinedload(BranchVersion.branch),
    ).order_by(Version.id.desc())
    found = session().scalars(page.of(loaded) if page else loaded).all()
    urls = [url("pacticipants", owner.name, "versions", one.number) for one in found]
    at = url("pacticipants", owner.name)
    paged = {} if page is None else {"page": page.document(query, session())}
    return json_response(
        {
            **paged,
            "_embedded": {"versions": _represent_all(found, with_environments=False)},
            "_links": {
                "self": link(with_query(href), title=title),
                **(page.links(paged["page"], href) if page else {}),
                "pb:pacticipant": link(at, title=owner.name),
                "pb:versions": [
                    link(one, title=f"Version {version.number} - {day(version.created_at)}")
                    for one, version in zip(urls, found, strict=True)
                ],
                "pacticipant": link(at, title="Deprecated - please use pb:pacticipant"),
                "versions": [link(one, title="Deprecated - please use pb:versions") for one in urls],
            },
        }
    )


def represent(version: Version) -> dict[str, Any]:
    """Return a version as clients see it."""
    (document,) = _represent_all([version])
    return document


def _represent_all(found: Sequence[Version], *, with_environments: bool = True) -> list[dict[str, Any]]:
    """Return versions as clients see them, with the same few queries for one as for many."""
    links = environment_links.for_versions(found) if with_environments else {}
    of_them = Publication.consumer_version_id.in_([version.id for version in found])
    pacts: dict[int, list[Publication]] = defaultdict(list)
    for publication in session().scalars(with_names(publications().where(of_them))):
        pacts[publication.consumer_version_id].append(publication)
    latest = latest_branch_version_ids(found)
    return [_represent(version, pacts[version.id], latest, links.get(version.id, {})) for version in found]


def _represent(
    version: Version, pacts: Sequence[Publication], latest: set[int], links: environment_links.Links
) -> dict[str, Any]:
    pacticipant = version.pacticipant.name
    href = url("pacticipants", pacticipant, "versions", version.number)
    fields = {
        "number": version.number,
        "buildUrl": version.build_url,
        "updatedAt": version.updated_at,
        "createdAt": version.created_at,
    }
    return {
        **{key: value for key, value in fields.items() if value is not None},
        "_embedded": {
            "branchVersions": represent_branches(version, latest),
            "tags": _represent_tags(version),
        },
        "_links": {
            "self": link(href, title="Version", name=version.number),
            "pb:pacticipant": link(url("pacticipants", pacticipant), title="Pacticipant", name=pacticipant),
            "pb:tag": link(
                f"{href}/tags/{{tag}}", title="Get, create or delete a tag for this pacticipant version"
            ),
            "pb:latest-verification-results-where-pacticipant-is-consumer": link(
                url("verification-results", "consumer", pacticipant, "version", version.number, "latest"),
                title="Latest verification results for consumer version",
            ),
            "pb:pact-versions": [link(pact_url(one), title="Pact", name=pact_name(one)) for one in pacts],
            **links,
        },
    }


def represent_branches(version: Version, latest: set[int]) -> list[dict[str, Any]]:
    """Return the branches that a version is on, and whether its place there is among the latest."""
    pacticipant = version.pacticipant.name
    return [
        {
            "name": one.branch.name,
            "latest": one.id in latest,
            "_links": {
                "self": link(
                    url("pacticipants", pacticipant, "branches", one.branch.name, "versions", version.number),
                    title="Branch version",
                    name=one.branch.name,
                )
            },
        }
        for one in version.branch_versions
    ]


def represent_tags(version: Version, latest: set[int]) -> list[dict[str, Any]]:
    """Return a version's tags for the matrix, and whether each is among the latest."""
    return [
        {"name": tag.name, "latest": tag.id in latest, "_links": {"self": link(_tag_url(version, tag.name))}}
        for tag in version.tags
    ]


def _represent_tags(version: Version) -> list[dict[str, Any]]:
    return [
        {"name": tag.name, "_links": {"self": link(_tag_url(version, tag.name), title="Tag", name=tag.name)}}
        for tag in version.tags
    ]


def _tag_url(version: Version, tag: str) -> str:
    return url("pacticipants", version.pacticipant.name, "versions", version.number, "tags", tag)
