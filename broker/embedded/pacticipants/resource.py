"""Pacticipants: the list, one, and changes to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Blueprint
from sqlalchemy import delete, func, select

from broker.embedded.http.bodies import json_object
from broker.embedded.http.errors import Refusal, invalid
from broker.embedded.http.hal import created, encode, json_response, link, no_content, template, url
from broker.embedded.pacticipants import environment_links
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
    """Answer all pacticipants by name."""
    return _answer_list(select(Pacticipant), url("pacticipants"))


@blueprint.get("/pacticipants/label/<name:label>")
def show_labelled(label: str) -> Response:
    """Answer the pacticipants with a label."""
    labelled = select(Label.pacticipant_id).where(Label.name == label)
    return _answer_list(
        select(Pacticipant).where(Pacticipant.id.in_(labelled)), url("pacticipants", "label", label)
    )


def _answer_list(query: Select[Pacticipant], href: str) -> Response:
    documents = _represent_all(query)
    names = [document["name"] for document in documents]
    deprecated = "DEPRECATED - Please use the embedded pacticipants collection"
    return json_response(
        {
            "_embedded": {"pacticipants": documents},
            "_links": {
                "self": link(href),
                "pb:pacticipants-with-label": link(
                    template("pacticipants/label/{label}"), title="Find pacticipants by label"
                ),
                "pb:pacticipants": [
                    link(url("pacticipants", name), title="Pacticipant", name=name) for name in names
                ],
                "pacticipants": [
                    link(
                        url("pacticipants", name), title=name, name="DEPRECATED - please use pb:pacticipants"
                    )
                    for name in names
                ],
            },
            "pacticipants": [{**document, "title": deprecated} for document in documents],
        }
    )


@blueprint.post("/pacticipants")
def create() -> Response:
    """Make a pacticipant."""
    fields = json_object()
    name = fields.get("name")
    if not isinstance(name, str) or not name.strip():
        raise invalid({"name": ["is missing" if name is None else "must be a non-blank string"]})
    if find_pacticipant(name) is not None:
        raise Refusal(409, {"error": f"Pacticipant with name '{name}' already exists"})
    pacticipant = ensure_pacticipant(name)
    _update(pacticipant, fields)
    return created(_represent_one(pacticipant))


@blueprint.get("/pacticipants/<name:name>")
def show(name: str) -> Response:
    """Answer a pacticipant."""
    return json_response(_represent_one(pacticipant_named(name)))


@blueprint.put("/pacticipants/<name:name>")
@blueprint.patch("/pacticipants/<name:name>")
def change(name: str) -> Response:
    """Change the fields that are sent, and no other."""
    fields = json_object()
    pacticipant = pacticipant_named(name)
    _update(pacticipant, fields)
    pacticipant.updated_at = now()
    return json_response(_represent_one(pacticipant))


@blueprint.delete("/pacticipants/<name:name>")
def remove(name: str) -> Response:
    """Delete a pacticipant with all its versions, pacts and results."""
    session().execute(delete(Pacticipant).where(Pacticipant.id == pacticipant_named(name).id))
    return no_content()


def _update(pacticipant: Pacticipant, fields: dict[str, Any]) -> None:
    errors = {
        field: ["must be a string"]
        for field in _FIELDS
        if fields.get(field) is not None and not isinstance(fields[field], str)
    }
    if errors:
        raise invalid(errors)
    for field, column in _FIELDS.items():
        if field in fields:
            setattr(pacticipant, column, fields[field])


def _represent_one(pacticipant: Pacticipant) -> dict[str, Any]:
    (document,) = _represent_all(select(Pacticipant).where(Pacticipant.id == pacticipant.id))
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
        "displayName": pacticipant.display_name or name,
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
