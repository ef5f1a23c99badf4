"""Finding environments, and what is deployed and released in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import Select, or_, select, union
from sqlalchemy.orm import contains_eager

from broker.embedded.deployment_tables import Deployment, Environment, Release
from broker.embedded.errors import not_found
from broker.embedded.records import batched, session
from broker.embedded.tables import Pacticipant, Version

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence


def environments() -> Sequence[Environment]:
    """Return all environments by name."""
    return session().scalars(select(Environment).order_by(Environment.name)).all()


def find_environment(name: str) -> Environment | None:
    """Return the environment of that name, if there is one."""
    return session().scalar(select(Environment).where(Environment.name == name))


def environment_with(uuid: str) -> Environment:
    """Return the environment with the UUID.

    Raises:
        RefusalError: 404.
    """
    environment = session().scalar(select(Environment).where(Environment.uuid == uuid))
    if environment is None:
        raise not_found()
    return environment


def currently_deployed() -> Select[Deployment]:
    """Return the query for all deployments that still stand, the latest first."""
    return (
        select(Deployment)
        .join(Deployment.environment)
        .join(Deployment.version)
        .join(Version.pacticipant)
        .where(Deployment.undeployed_at.is_(None))
        .order_by(Deployment.id.desc())
        .options(
            contains_eager(Deployment.environment),
            contains_eager(Deployment.version).contains_eager(Version.pacticipant),
        )
    )


def currently_supported() -> Select[Release]:
    """Return the query for all releases that are still supported, the latest first."""
    return (
        select(Release)
        .join(Release.environment)
        .join(Release.version)
        .join(Version.pacticipant)
        .where(Release.support_ended_at.is_(None))
        .order_by(Release.id.desc())
        .options(
            contains_eager(Release.environment),
            contains_eager(Release.version).contains_eager(Version.pacticipant),
        )
    )


def versions_in(pacticipant: Pacticipant, environment: Environment) -> Sequence[Version]:
    """Return the versions that are deployed or released in an environment, the latest first."""
    deployed = select(Deployment.version_id).where(
        Deployment.environment == environment, Deployment.undeployed_at.is_(None)
    )
    released = select(Release.version_id).where(
        Release.environment == environment, Release.support_ended_at.is_(None)
    )
    there = or_(Version.id.in_(deployed), Version.id.in_(released))
    query = select(Version).where(Version.pacticipant == pacticipant, there)
    return session().scalars(query.order_by(Version.id.desc())).all()


def environments_of(versions: Collection[Version]) -> dict[int, list[Environment]]:
    """Return the environments in which versions are deployed or released, by the version's id, by name."""
    found: dict[int, list[Environment]] = {version.id: [] for version in versions}
    there = union(
        select(Deployment.version_id, Deployment.environment_id).where(Deployment.undeployed_at.is_(None)),
        select(Release.version_id, Release.environment_id).where(Release.support_ended_at.is_(None)),
    ).subquery()
    query = select(there.c.version_id, Environment).join(
        Environment, Environment.id == there.c.environment_id
    )
    for ids in batched(versions):
        of_these = query.where(there.c.version_id.in_(ids)).order_by(Environment.name)
        for version_id, environment in session().execute(of_these).tuples():
            found[version_id].append(environment)
    return found
