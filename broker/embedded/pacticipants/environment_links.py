"""Links from a version or a pacticipant to the environments that it is in, and that it can be recorded in."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from broker.embedded.http.hal import link, url
from broker.embedded.storage.deployment_records import current, environments, recorded
from broker.embedded.storage.deployment_tables import Deployment, Release
from broker.embedded.storage.records import session
from broker.embedded.storage.tables import Version

if TYPE_CHECKING:
    from collections.abc import Sequence

    from broker.embedded.storage.deployment_tables import Environment
    from broker.embedded.storage.tables import Pacticipant

Links = dict[str, list[dict[str, Any]]]


def for_versions(versions: Sequence[Version]) -> dict[int, Links]:
    """Return the links of versions to environments, by the version's id: where they are, were or may be."""
    ids = [version.id for version in versions]
    deployed, released = defaultdict(list), defaultdict(list)
    for deployment in session().scalars(recorded(Deployment).where(Deployment.version_id.in_(ids))):
        deployed[deployment.version_id].append(deployment)
    for release in session().scalars(recorded(Release).where(Release.version_id.in_(ids))):
        released[release.version_id].append(release)
    known = environments()
    return {one.id: _for_version(one, deployed[one.id], released[one.id], known) for one in versions}


def _for_version(
    version: Version,
    deployed: Sequence[Deployment],
    released: Sequence[Release],
    known: Sequence[Environment],
) -> Links:
    return {
        "pb:deployed-environments": [_deployed(one) for one in deployed],
        "pb:released-environments": [
            {
                "title": f"Version released to {one.environment.shown_name}",
                "name": one.environment.shown_name,
                "href": url("released-versions", one.uuid),
                "currently_supported": one.ended_at is None,
            }
            for one in released
        ],
        **_to_record(version, known),
    }


def for_pacticipant(pacticipant: Pacticipant) -> Links:
    """Return the links of a pacticipant to the environments that its versions are deployed to."""
    query = current(Deployment).where(Version.pacticipant_id == pacticipant.id)
    return {"pb:deployed-environments": [_deployed(one) for one in session().scalars(query)]}


def _deployed(deployment: Deployment) -> dict[str, Any]:
    shown = deployment.environment.shown_name
    instance = deployment.application_instance
    return {
        "title": f"Version deployed to {shown}",
        "name": shown,
        "href": url("deployed-versions", deployment.uuid),
        "currently_deployed": deployment.ended_at is None,
        **({"application_instance": instance} if instance else {}),
    }


def _to_record(version: Version, known: Sequence[Environment]) -> Links:
    base = ("pacticipants", version.pacticipant.name, "versions", version.number)
    return {
        f"pb:record-{what}": [
            link(
                url(*base, collection, "environment", one.uuid),
                title=f"Record {what} to {one.shown_name}",
                name=one.name,
            )
            for one in known
        ]
        for what, collection in (("deployment", "deployed-versions"), ("release", "released-versions"))
    }
