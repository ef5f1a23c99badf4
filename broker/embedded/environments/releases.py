"""Recorded releases: which versions are in use in an environment, beside each other."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

from flask import Blueprint, request

from broker.embedded.environments.recorded_versions import Kind
from broker.embedded.http.bodies import json_object
from broker.embedded.http.hal import created, json_response
from broker.embedded.storage.deployment_records import environment_with
from broker.embedded.storage.deployment_tables import Release
from broker.embedded.storage.records import session, version_numbered
from broker.embedded.storage.tables import Version, now

if TYPE_CHECKING:
    from flask import Response

blueprint = Blueprint("releases", __name__)

OF_VERSION = (
    "/pacticipants/<name:pacticipant>/versions/<name:number>/released-versions/environment/<name:uuid>"
)
IN_ENVIRONMENT = "/environments/<name:uuid>/released-versions/currently-supported"
RELEASE = "/released-versions/<name:uuid>"

_KIND = Kind(
    record=Release,
    path="released-versions",
    collection="releasedVersions",
    flag="currentlySupported",
    ended="supportEndedAt",
    current="currently-supported",
    title="Released versions",
)


@blueprint.post(OF_VERSION)
def record(pacticipant: str, number: str, uuid: str) -> Response:
    """Record that a version was released: 201, or 200 where it was before; its support begins anew."""
    version, environment = version_numbered(pacticipant, number), environment_with(uuid)
    json_object(empty_allowed=True)
    release = session().scalar(_KIND.of_version(version, environment))
    if release is not None:
        if release.ended_at is not None:
            release.ended_at = None
        again = json_response(_KIND.represent(release))
        again.headers["Location"] = _KIND.url(release)
        return again
    release = Release(uuid=str(uuid4()), version=version, environment=environment)
    session().add(release)
    session().flush()
    return created(_KIND.represent(release))


@blueprint.get(OF_VERSION)
def show_of_version(pacticipant: str, number: str, uuid: str) -> Response:
    """Answer the release of a version to an environment: a list of one or none."""
    return _KIND.answer_of_version(pacticipant, number, uuid)


@blueprint.get(IN_ENVIRONMENT)
def show_in_environment(uuid: str) -> Response:
    """Answer what is released and supported in an environment, perhaps of one pacticipant or version."""
    environment = environment_with(uuid)
    query = _KIND.current_in(environment)
    if request.args.get("version"):
        query = query.where(Version.number == request.args["version"])
    title = f"Currently supported versions in {environment.shown_name}"
    return _KIND.answer_current(query, environment, title)


@blueprint.get(RELEASE)
def show(uuid: str) -> Response:
    """Answer a release."""
    return json_response(_KIND.represent(_KIND.with_uuid(uuid)))


@blueprint.put(RELEASE)
@blueprint.patch(RELEASE)
def change(uuid: str) -> Response:
    """End the support of a version (`currentlySupported` false), or begin it again (true)."""
    release = _KIND.with_uuid(uuid)
    supported = _KIND.asked_state()
    if supported is not None and supported is not (release.ended_at is None):
        release.ended_at = None if supported else now()
    return json_response(_KIND.represent(release))
