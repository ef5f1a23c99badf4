"""Pacticipants: the list, one, and changes to it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from flask import Blueprint
from sqlalchemy import delete, func, select

from broker.embedded.http.bodies import json_object
from broker.embedded.http.errors import invalid
from broker.embedded.http.hal import created, encode, json_response, link, no_content, template, url
from broker.embedded.http.paging import asked_page, matching
from broker.embedded.pacticipants import environment_links
from broker.embedded.pacticipants.display_name import shown_name
from broker.embedded.pacticipants.labels import represent_labels
from broker.embedded.storage.deployment_tables import Label
from broker.embedded.storage.records import ensure_pacticipant, find_pacticipant, pacticipant_named, session
from broker.embedded.storage.tables import Pacticipant, Version, now

if TYPE_CHECKING:
    from flask import Response
    from sqlalchemy import Select

blueprint = Blueprint("pacticipants", __name__)

_FIELDS = {"displayName": "display_name", "repositoryUrl": "repository_url", "mainBranch": "main_branch"}
"""The columns of the JSON document's fields."""


@blueprint.get("/pacticipants")
def show_all() -> Response:
    """Answer all pacticipants by name; `q` is a part of it."""
    query = select(Pacticipant)
    wanted = matching(Pacticipant.name)
    if wanted is not None:
        query = query.where(wanted)
    page = asked_page()
    paged = {} if page is None else {"page": page.document(query, session())}
    if page is not None:
        ids = page.of(query.with_only_columns(Pacticipant.id).order_by(func.lower(Pacticipant.name)))
        query = select(Pacticipant).where(Pacticipant.id.in_(list(session().scalars(ids))))
    document = _list(query)
    if page is not None:
        document["_links"] |= page.links(paged["page"], url("pacticipants"))
    deprecated = "DEPRECATED - Please use the embedded pacticipants collection"
    old = [{**one, "title": deprecated} for one in document["_embedded"]["pacticipants"]]
    return json_response({**paged, **document, "pacticipants": old})


@blueprint.get("/pacticipants/label/<name:label>")
def show_labelled(label: str) -> Response:
    """Answer the pacticipants with a label."""
    labelled = select(Label.pacticipant_id).where(Label.name == label)
    return json_response(_list(select(Pacticipant).where(Pacticipant.id.in_(labelled))))


def _list(query: Select[Pacticipant]) -> dict[str, Any]:
    documents = _represent_all(query)
    names = [document["name"] for document in documents]
    return {
        "_embedded": {"pacticipants": documents},
        "_links": {
            "self": link(url("pacticipants")),
            "pb:pacticipants-with-label": link(
                template("pacticipants/label/{label}"), title="Find pacticipants by label"
            ),
            "pb:pacticipants": [
                link(url("pacticipants", name), title="Pacticipant", name=name) for name in names
            ],
            "pacticipants": [
                link(url("pacticipants", name), title=name, name="DEPRECATED - please use pb:pacticipants")
                for name in names
            ],
        },
    }


@blueprint.post("/pacticipants")
def create() -> Response:
    """Make a pacticipant, or change the one of that name."""
    fields = json_object()
    mistakes = _mistakes_in_name(fields)
    _check(fields, {"name": mistakes} if mistakes else {})
    existing = find_pacticipant(fields["name"])
    pacticipant = existing or ensure_pacticipant(fields["name"])
    _update(pacticipant, fields)
    if existing is not None and fields.keys() & _FIELDS.keys():
        pacticipant.updated_at = now()
    return created(_represent_one(pacticipant, with_environments=False))


@blueprint.get("/pacticipants/<name:name>")
def show(name: str) -> Response:
    """Answer a pacticipant."""
    return json_response(_represent_one(pacticipant_named(name)))


@blueprint.put("/pacticipants/<name:name>")
def replace(name: str) -> Response:
    """Replace the fields of a pacticipant: one that isn't sent is emptied."""
    fields = json_object()
    pacticipant = pacticipant_named(name)
    _check(fields, {})
    _update(pacticipant, {**dict.fromkeys(_FIELDS), **fields})
    pacticipant.updated_at = now()
    return json_response(_represent_one(pacticipant))


@blueprint.patch("/pacticipants/<name:name>")
def change(name: str) -> Response:
    """Change the fields that are sent, and no other; make the pacticipant if need be."""
    fields = json_object()
    _check(fields, {})
    existing = find_pacticipant(name)
    pacticipant = existing or ensure_pacticipant(name)
    _update(pacticipant, fields)
    if existing is not None:
        pacticipant.updated_at = now()
    return created(_represent_one(pacticipant), new=existing is None)


@blueprint.delete("/pacticipants/<name:name>")
def remove(name: str) -> Response:
    """Delete a pacticipant with all its versions, pacts and results."""
    session().execute(delete(Pacticipant).where(Pacticipant.id == pacticipant_named(name).id))
    return no_content()


def _mistakes_in_name(fields: dict[str, Any]) -> list[str]:
    if "name" not in fields:
        return ["is missing"]
    name = fields["name"]
    if name is None or name == "":
        return ["must be filled"]
    if not isinstance(name, str):
        return ["must be a string"]
    return [] if name.strip() else ["cannot be blank"]


def _check(fields: dict[str, Any], errors: dict[str, list[str]]) -> None:
    for field in _FIELDS:
        value = fields.get(field)
        if value is not None and not isinstance(value, str):
            errors[field] = ["must be a string"]
        elif field == "mainBranch" and value is not None and not value.strip():
            errors[field] = ["cannot be blank"]
        elif field == "mainBranch" and value is not None and re.search(r"\s", value):
            errors[field] = ["cannot contain spaces"]
    if errors:
        raise invalid(errors)


def _update(pacticipant: Pacticipant, fields: dict[str, Any]) -> None:
    for field, column in _FIELDS.items():
        if field in fields:
            setattr(pacticipant, column, fields[field])


def _represent_one(pacticipant: Pacticipant, *, with_environments: bool = True) -> dict[str, Any]:
    session().flush()
    (document,) = _represent_all(select(Pacticipant).where(Pacticipant.id == pacticipant.id))
    if with_environments:
        document["_links"].update(environment_links.for_pacticipant(pacticipant))
    return document


def _represent_all(query: Select[Pacticipant]) -> list[dict[str, Any]]:
    """Return pacticipants by name as clients see them, with the same few queries for one as for many."""
    ids = query.with_only_columns(Pacticipant.id).order_by(None)
    newest = (
        select(func.max(Version.id)).where(Version.pacticipant_id.in_(ids)).group_by(Version.pacticipant_id)
    )
    versions = session().scalars(select(Version).where(Version.id.in_(newest)))
    latest = {version.pacticipant_id: version for version in versions}
    labels = represent_labels(query)
    found = session().scalars(query.order_by(func.lower(Pacticipant.name)))
    return [_represent(one, latest.get(one.id), labels[one.id]) for one in found]


def _represent(
    pacticipant: Pacticipant, version: Version | None, labels: list[dict[str, Any]]
) -> dict[str, Any]:
    name = pacticipant.name
    path = f"pacticipants/{encode(name)}"
    embedded: dict[str, Any] = {"labels": labels}
    if version is not None:
        deprecated = "DEPRECATED - please use latestVersion"
        embedded["latestVersion"] = _represent_version(name, version)
        embedded["latest-version"] = {
            **_represent_version(name, version),
            "title": deprecated,
            "name": deprecated,
        }
    fields = {
        "name": name,
        "displayName": shown_name(pacticipant),
        "repositoryUrl": pacticipant.repository_url,
        "mainBranch": pacticipant.main_branch,
        "updatedAt": pacticipant.updated_at,
        "createdAt": pacticipant.created_at,
    }
    return {
        **{key: value for key, value in fields.items() if value is not None},
        "_embedded": embedded,
        "_links": {
            "self": link(template(path)),
            "pb:versions": link(template(f"{path}/versions")),
            "pb:branches": link(template(f"{path}/branches")),
            "pb:version": link(
                template(f"{path}/versions/{{version}}"), title="Get, create or delete a pacticipant version"
            ),
            "pb:version-tag": link(
                template(f"{path}/versions/{{version}}/tags/{{tag}}"),
                title=f"Get, create or delete a tag for a version of {name}",
            ),
            "pb:branch-version": link(
                template(f"{path}/branches/{{branch}}/versions/{{version}}"),
                title=f"Get or add/create a version for a branch of {name}",
            ),
            "pb:label": link(
                template(f"{path}/labels/{{label}}"), title=f"Get, create or delete a label for {name}"
            ),
            "versions": link(template(f"{path}/versions"), title="Deprecated - use pb:versions"),
        },
    }


def _represent_version(pacticipant: str, version: Version) -> dict[str, Any]:
    href = url("pacticipants", pacticipant, "versions", version.number)
    return {"number": version.number, "_links": {"self": link(href, title="Version", name=version.number)}}
