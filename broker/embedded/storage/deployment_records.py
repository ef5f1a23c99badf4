"""Queries of environments, and of the versions in them."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from sqlalchemy import Select, or_, select, union
from sqlalchemy.orm import contains_eager

from broker.embedded.http.errors import or_not_found
from broker.embedded.storage.deployment_tables import Deployment, Environment, InEnvironment, Release
from broker.embedded.storage.records import batched, session
from broker.embedded.storage.tables import Pacticipant, Version

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence


Record = TypeVar("Record", bound=InEnvironment)

KINDS: tuple[type[InEnvironment], ...] = (Deployment, Release)


def environments() -> Sequence[Environment]:
    """Return all environments by name."""
    return session().scalars(select(Environment).order_by(Environment.name)).all()


def find_environment(name: str) -> Environment | None:
    """Return the environment of that name, if there is one."""
    return session().scalar(select(Environment).where(Environment.name == name))


def environment_with(uuid: str) -> Environment:
    """Return the environment with the UUID; raise a `Refusal` with 404 if there is none."""
    return or_not_found(session().scalar(select(Environment).where(Environment.uuid == uuid)))


def current(kind: type[Record]) -> Select[Record]:
    """Return the query for all current deployments, or all releases still supported, the latest first."""
    return recorded(kind).where(kind.ended_at.is_(None)).order_by(None).order_by(kind.id.desc())


def recorded(kind: type[Record]) -> Select[Record]:
    """Return the query for all deployments or releases, also those that have ended, the oldest first."""
    return (
        select(kind)
        .join(kind.environment)
        .join(kind.version)
        .join(Version.pacticipant)
        .order_by(kind.id)
        .options(
            contains_eager(kind.environment), contains_eager(kind.version).contains_eager(Version.pacticipant)
        )
    )


def versions_in(pacticipant: Pacticipant, environment: Environment) -> Sequence[Version]:
    """Return the versions that are deployed or released in an environment, the latest first."""
    there = or_(
        *(
            Version.id.in_(
                select(kind.version_id).where(kind.environment == environment, kind.ended_at.is_(None))
            )
            for kind in KINDS
        )
    )
    query = select(Version).where(Version.pacticipant == pacticipant, there)
    return session().scalars(query.order_by(Version.id.desc())).all()


def environments_of(versions: Collection[Version]) -> dict[int, list[Environment]]:
    """Return the environments in which versions are deployed or released, by the version's id, by name."""
    found: dict[int, list[Environment]] = {version.id: [] for version in versions}
    there = union(
        *(select(kind.version_id, kind.environment_id).where(kind.ended_at.is_(None)) for kind in KINDS)
    ).subquery()
    query = select(there.c.version_id, Environment).join(
        Environment, Environment.id == there.c.environment_id
    )
    for ids in batched(versions):
        of_these = query.where(there.c.version_id.in_(ids)).order_by(Environment.name)
        for version_id, environment in session().execute(of_these):
            found[version_id].append(environment)
    return found
