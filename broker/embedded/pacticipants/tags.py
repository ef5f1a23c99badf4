"""Tags of a version."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Blueprint

from broker.embedded.http.bodies import json_object
from broker.embedded.http.errors import or_not_found
from broker.embedded.http.hal import created, json_response, link, no_content, url
from broker.embedded.pacticipants.versions import VERSION
from broker.embedded.storage.branches_and_tags import find_tag, put_tag
from broker.embedded.storage.records import ensure_pacticipant, ensure_version, session, version_numbered

if TYPE_CHECKING:
    from flask import Response

    from broker.embedded.storage.tables import Tag

blueprint = Blueprint("tags", __name__)


@blueprint.get(f"{VERSION}/tags/<name:tag>")
def show(pacticipant: str, number: str, tag: str) -> Response:
    """Answer a version's tag."""
    return json_response(_represent(_tag_named(pacticipant, number, tag)))


@blueprint.put(f"{VERSION}/tags/<name:tag>")
def put(pacticipant: str, number: str, tag: str) -> Response:
    """Tag a version, which is made if need be."""
    json_object(empty_allowed=True)
    version, _ = ensure_version(ensure_pacticipant(pacticipant), number)
    found, new = put_tag(version, tag)
    document = _represent(found)
    return created(document, new=new)


@blueprint.delete(f"{VERSION}/tags/<name:tag>")
def remove(pacticipant: str, number: str, tag: str) -> Response:
    """Take a tag off a version."""
    session().delete(_tag_named(pacticipant, number, tag))
    return no_content()


def _tag_named(pacticipant: str, number: str, name: str) -> Tag:
    return or_not_found(find_tag(version_numbered(pacticipant, number), name))


def _represent(tag: Tag) -> dict[str, Any]:
    pacticipant, number = tag.version.pacticipant.name, tag.version.number
    version = url("pacticipants", pacticipant, "versions", number)
    return {
        "name": tag.name,
        "createdAt": tag.created_at,
        "_links": {
            "self": link(
                url("pacticipants", pacticipant, "versions", number, "tags", tag.name),
                title="Tag",
                name=tag.name,
            ),
            "version": link(version, title="Version", name=number),
            "pacticipant": link(url("pacticipants", pacticipant), title="Pacticipant", name=pacticipant),
        },
    }
