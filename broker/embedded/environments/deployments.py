"""Recorded deployments: which version runs in an environment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

from flask import Blueprint, request

from broker.embedded.environments.recorded_versions import Kind
from broker.embedded.http.bodies import json_object
from broker.embedded.http.errors import invalid
from broker.embedded.http.hal import created, json_response
from broker.embedded.storage.deployment_records import current, environment_with
from broker.embedded.storage.deployment_tables import Deployment
from broker.embedded.storage.records import session, version_numbered
from broker.embedded.storage.tables import Pacticipant, Version, now

if TYPE_CHECKING:
    from flask import Response
    from sqlalchemy import Select

    from broker.embedded.storage.deployment_tables import Environment

blueprint = Blueprint("deployments", __name__)

OF_VERSION = (
    "/pacticipants/<name:pacticipant>/versions/<name:number>/deployed-versions/environment/<name:uuid>"
)
IN_ENVIRONMENT = "/environments/<name:uuid>/deployed-versions/currently-deployed"
DEPLOYMENT = "/deployed-versions/<name:uuid>"

_KIND = Kind(
    record=Deployment,
    path="deployed-versions",
    collection="deployedVersions",
    flag="currentlyDeployed",
    ended="undeployedAt",
    current="currently-deployed",
    title="Deployed versions",
    place="environment ",
    fields=lambda one: dict.fromkeys(("target", "applicationInstance"), one.application_instance),
)


@blueprint.post(OF_VERSION)
def record(pacticipant: str, number: str, uuid: str) -> Response:
    """Record that a version was deployed: it takes the place of the one that was there before."""
    version, environment = version_numbered(pacticipant, number), environment_with(uuid)
    fields = json_object(empty_allowed=True)
    instance = _application_instance(fields)
    current_ones = session().scalars(_current(version.pacticipant, environment, instance)).all()
    deployment = next((one for one in current_ones if one.version is version), None)
    for one in current_ones:
        if one is not deployment:
            one.ended_at = now()
    if deployment is None:
        deployment = Deployment(
            uuid=str(uuid4()), version=version, environment=environment, application_instance=instance
        )
        session().add(deployment)
    session().flush()
    return created(_KIND.represent(deployment))


@blueprint.get(OF_VERSION)
def show_of_version(pacticipant: str, number: str, uuid: str) -> Response:
    """Answer all deployments of a version to an environment, the latest first."""
    return _KIND.answer_of_version(pacticipant, number, uuid)


@blueprint.get(IN_ENVIRONMENT)
def show_in_environment(uuid: str) -> Response:
    """Answer what is deployed to an environment, perhaps of one pacticipant or one application instance."""
    environment = environment_with(uuid)
    query = _KIND.current_in(environment)
    for parameter in ("applicationInstance", "target"):
        if parameter in request.args:
            query = query.where(Deployment.application_instance == (request.args[parameter] or None))
    title = f"Currently deployed versions for {environment.shown_name}"
    return _KIND.answer_current(query, environment, title)


@blueprint.get(DEPLOYMENT)
def show(uuid: str) -> Response:
    """Answer a deployment."""
    return json_response(_KIND.represent(_KIND.with_uuid(uuid)))


@blueprint.put(DEPLOYMENT)
@blueprint.patch(DEPLOYMENT)
def change(uuid: str) -> Response:
    """Take a version away (`currentlyDeployed` false), or put it back (true)."""
    deployment = _KIND.with_uuid(uuid)
    deployed = _KIND.asked_state()
    if deployed is False and deployment.ended_at is None:
        deployment.ended_at = now()
    elif deployed is True and deployment.ended_at is not None:
        replaced = _current(
            deployment.version.pacticipant, deployment.environment, deployment.application_instance
        )
        for one in session().scalars(replaced):
            one.ended_at = now()
        deployment.ended_at = None
    return json_response(_KIND.represent(deployment))


def _application_instance(fields: dict[str, Any]) -> str | None:
    """Return which instance is meant; `target` is what it was called before."""
    errors = {
        name: ["must be a string"]
        for name in ("applicationInstance", "target")
        if not isinstance(fields.get(name), str | None)
    }
    if errors:
        raise invalid(errors)
    return fields.get("applicationInstance") or fields.get("target") or None


def _current(pacticipant: Pacticipant, environment: Environment, instance: str | None) -> Select[Deployment]:
    return current(Deployment).where(
        Version.pacticipant_id == pacticipant.id,
        Deployment.environment == environment,
        Deployment.application_instance == instance,
    )
