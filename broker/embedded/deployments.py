"""Recorded deployments: which version runs in an environment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

from flask import Blueprint, request
from sqlalchemy import select

from broker.embedded.bodies import json_object
from broker.embedded.deployment_records import currently_deployed, environment_with
from broker.embedded.deployment_tables import Deployment
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

blueprint = Blueprint("deployments", __name__)

OF_VERSION = (
    "/pacticipants/<name:pacticipant>/versions/<name:number>/deployed-versions/environment/<name:uuid>"
)
IN_ENVIRONMENT = "/environments/<name:uuid>/deployed-versions/currently-deployed"
DEPLOYMENT = "/deployed-versions/<name:uuid>"


@blueprint.post(OF_VERSION)
def record(pacticipant: str, number: str, uuid: str) -> Response:
    """Record that a version was deployed: it takes the place of the one that was there before."""
    version, environment = version_numbered(pacticipant, number), environment_with(uuid)
    fields = json_object(empty_allowed=True)
    instance = _application_instance(fields)
    standing = session().scalars(_standing(version.pacticipant, environment, instance)).all()
    deployment = next((one for one in standing if one.version is version), None)
    for one in standing:
        if one is not deployment:
            one.undeployed_at = one.updated_at = now()
    if deployment is None:
        deployment = Deployment(
            uuid=str(uuid4()), version=version, environment=environment, application_instance=instance
        )
        session().add(deployment)
    session().flush()
    return created(_represent(deployment, with_environment=True), _url(deployment))


@blueprint.get(OF_VERSION)
def show_of_version(pacticipant: str, number: str, uuid: str) -> Response:
    """Answer all deployments of a version to an environment, the latest first."""
    version, environment = version_numbered(pacticipant, number), environment_with(uuid)
    query = select(Deployment).where(Deployment.version == version, Deployment.environment == environment)
    found = session().scalars(query.order_by(Deployment.id.desc())).all()
    path = ("pacticipants", pacticipant, "versions", number, "deployed-versions", "environment", uuid)
    shown = version.pacticipant.display_name or pacticipant
    title = f"Deployed versions for {shown} version {number} in {environment.shown_name}"
    return _answer_list(found, url(*path), title)


@blueprint.get(IN_ENVIRONMENT)
def show_in_environment(uuid: str) -> Response:
    """Answer what is deployed to an environment, perhaps of one pacticipant or one application instance."""
    environment = environment_with(uuid)
    query = currently_deployed().where(Deployment.environment == environment)
    if request.args.get("pacticipant"):
        query = query.where(Pacticipant.name == request.args["pacticipant"])
    for parameter in ("applicationInstance", "target"):
        if parameter in request.args:
            query = query.where(Deployment.application_instance == (request.args[parameter] or None))
    href = environment_url(environment, "deployed-versions", "currently-deployed")
    title = f"Currently deployed versions for {environment.shown_name}"
    return _answer_list(session().scalars(query).all(), href, title)


@blueprint.get(DEPLOYMENT)
def show(uuid: str) -> Response:
    """Answer a deployment."""
    return json_response(_represent(_deployment_with(uuid), with_environment=True))


@blueprint.put(DEPLOYMENT)
@blueprint.patch(DEPLOYMENT)
def change(uuid: str) -> Response:
    """Take a version away (``currentlyDeployed`` false), or put it back (true)."""
    deployment = _deployment_with(uuid)
    fields = json_object()
    stands = fields.get("currentlyDeployed")
    if "currentlyDeployed" in fields and not isinstance(stands, bool):
        raise invalid({"currentlyDeployed": ["must be boolean"]})
    if stands is False and deployment.undeployed_at is None:
        deployment.undeployed_at = deployment.updated_at = now()
    elif stands is True and deployment.undeployed_at is not None:
        replaced = _standing(
            deployment.version.pacticipant, deployment.environment, deployment.application_instance
        )
        for one in session().scalars(replaced):
            one.undeployed_at = one.updated_at = now()
        deployment.undeployed_at, deployment.updated_at = None, now()
    return json_response(_represent(deployment, with_environment=True))


def _application_instance(fields: dict[str, Any]) -> str | None:
    """Return which instance is meant; ``target`` is what it was called before."""
    errors = {
        name: ["must be a string"]
        for name in ("applicationInstance", "target")
        if not isinstance(fields.get(name), str | None)
    }
    if errors:
        raise invalid(errors)
    return fields.get("applicationInstance") or fields.get("target") or None


def _standing(pacticipant: Pacticipant, environment: Environment, instance: str | None) -> Any:
    return currently_deployed().where(
        Version.pacticipant_id == pacticipant.id,
        Deployment.environment == environment,
        Deployment.application_instance == instance,
    )


def _deployment_with(uuid: str) -> Deployment:
    deployment = session().scalar(select(Deployment).where(Deployment.uuid == uuid))
    if deployment is None:
        raise not_found()
    return deployment


def _url(deployment: Deployment) -> str:
    return url("deployed-versions", deployment.uuid)


def _answer_list(found: Sequence[Deployment], href: str, title: str) -> Response:
    return json_response(
        {
            "_embedded": {"deployedVersions": [_represent(one, with_environment=False) for one in found]},
            "_links": {"self": link(href, title=title)},
        }
    )


def _represent(deployment: Deployment, *, with_environment: bool) -> dict[str, Any]:
    fields = {
        "uuid": deployment.uuid,
        "currentlyDeployed": deployment.undeployed_at is None,
        "target": deployment.application_instance,
        "applicationInstance": deployment.application_instance,
        "undeployedAt": deployment.undeployed_at,
        "updatedAt": deployment.updated_at,
        "createdAt": deployment.created_at,
    }
    embedded = represent_version(deployment.version)
    if with_environment:
        embedded["environment"] = represent_environment(deployment.environment)
    return {
        **{key: value for key, value in fields.items() if value is not None},
        "_embedded": embedded,
        "_links": {"self": link(_url(deployment))},
    }


def represent_version(version: Version) -> dict[str, Any]:
    """Return what is embedded of the version that is deployed or released."""
    name, number = version.pacticipant.name, version.number
    return {
        "pacticipant": {"name": name, "_links": {"self": link(url("pacticipants", name))}},
        "version": {
            "number": number,
            "_links": {
                "self": link(url("pacticipants", name, "versions", number), title="Version", name=number)
            },
        },
    }
