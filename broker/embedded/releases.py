"""Recorded releases: which versions are in use in an environment, beside each other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

from flask import Blueprint, request
from sqlalchemy import select

from broker.embedded.bodies import json_object
from broker.embedded.deployment_records import currently_supported, environment_with
from broker.embedded.deployment_tables import Release
from broker.embedded.deployments import represent_version
from broker.embedded.environments import environment_url
from broker.embedded.environments import represent as represent_environment
from broker.embedded.errors import invalid, not_found
from broker.embedded.hal import created, json_response, link, url
from broker.embedded.records import session, version_numbered
from broker.embedded.tables import Pacticipant, Version, now

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flask import Response

    from broker.embedded.deployment_tables import Environment

blueprint = Blueprint("releases", __name__)

OF_VERSION = (
    "/pacticipants/<name:pacticipant>/versions/<name:number>/released-versions/environment/<name:uuid>"
)
IN_ENVIRONMENT = "/environments/<name:uuid>/released-versions/currently-supported"
RELEASE = "/released-versions/<name:uuid>"


@blueprint.post(OF_VERSION)
def record(pacticipant: str, number: str, uuid: str) -> Response:
    """Record that a version was released: 201, or 200 where it was before; its support begins anew."""
    version, environment = version_numbered(pacticipant, number), environment_with(uuid)
    json_object(empty_allowed=True)
    release = _of(version, environment)
    if release is not None:
        if release.support_ended_at is not None:
            release.support_ended_at, release.updated_at = None, now()
        return json_response(_represent(release, with_environment=True))
    release = Release(uuid=str(uuid4()), version=version, environment=environment)
    session().add(release)
    session().flush()
    return created(_represent(release, with_environment=True), _url(release))


@blueprint.get(OF_VERSION)
def show_of_version(pacticipant: str, number: str, uuid: str) -> Response:
    """Answer the release of a version to an environment: a list of one or none."""
    version, environment = version_numbered(pacticipant, number), environment_with(uuid)
    release = _of(version, environment)
    path = ("pacticipants", pacticipant, "versions", number, "released-versions", "environment", uuid)
    shown = version.pacticipant.display_name or pacticipant
    title = f"Released versions for {shown} version {number} in {environment.shown_name}"
    return _answer_list([release] if release else [], url(*path), title)


@blueprint.get(IN_ENVIRONMENT)
def show_in_environment(uuid: str) -> Response:
    """Answer what is released and supported in an environment, perhaps of one pacticipant or version."""
    environment = environment_with(uuid)
    query = currently_supported().where(Release.environment == environment)
    if request.args.get("pacticipant"):
        query = query.where(Pacticipant.name == request.args["pacticipant"])
    if request.args.get("version"):
        query = query.where(Version.number == request.args["version"])
    href = environment_url(environment, "released-versions", "currently-supported")
    title = f"Currently supported versions in {environment.shown_name}"
    return _answer_list(session().scalars(query).all(), href, title)


@blueprint.get(RELEASE)
def show(uuid: str) -> Response:
    """Answer a release."""
    return json_response(_represent(_release_with(uuid), with_environment=True))


@blueprint.put(RELEASE)
@blueprint.patch(RELEASE)
def change(uuid: str) -> Response:
    """End the support of a version (``currentlySupported`` false), or begin it again (true)."""
    release = _release_with(uuid)
    fields = json_object()
    supported = fields.get("currentlySupported")
    if "currentlySupported" in fields and not isinstance(supported, bool):
        raise invalid({"currentlySupported": ["must be boolean"]})
    if isinstance(supported, bool) and supported is not (release.support_ended_at is None):
        release.support_ended_at = None if supported else now()
        release.updated_at = now()
    return json_response(_represent(release, with_environment=True))


def _of(version: Version, environment: Environment) -> Release | None:
    return session().scalar(
        select(Release).where(Release.version == version, Release.environment == environment)
    )


def _release_with(uuid: str) -> Release:
    release = session().scalar(select(Release).where(Release.uuid == uuid))
    if release is None:
        raise not_found()
    return release


def _url(release: Release) -> str:
    return url("released-versions", release.uuid)


def _answer_list(found: Sequence[Release], href: str, title: str) -> Response:
    return json_response(
        {
            "_embedded": {"releasedVersions": [_represent(one, with_environment=False) for one in found]},
            "_links": {"self": link(href, title=title)},
        }
    )


def _represent(release: Release, *, with_environment: bool) -> dict[str, Any]:
    fields = {
        "uuid": release.uuid,
        "currentlySupported": release.support_ended_at is None,
        "supportEndedAt": release.support_ended_at,
        "updatedAt": release.updated_at,
        "createdAt": release.created_at,
    }
    embedded = represent_version(release.version)
    if with_environment:
        embedded["environment"] = represent_environment(release.environment)
    return {
        **{key: value for key, value in fields.items() if value is not None},
        "_embedded": embedded,
        "_links": {"self": link(_url(release))},
    }
