"""The rows of the matrix as clients see them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from broker.embedded.environments.resource import environment_url
from broker.embedded.http.hal import link, url
from broker.embedded.pacticipants.versions import represent_branches, represent_tags
from broker.embedded.pacts import metadata
from broker.embedded.pacts.resource import pact_url, pact_version_url
from broker.embedded.storage.deployment_records import environments_of
from broker.embedded.storage.records import latest_branch_version_ids, latest_tag_ids, load_branches_and_tags

if TYPE_CHECKING:
    from collections.abc import Collection

    from broker.embedded.matrix.rows import Row
    from broker.embedded.storage.deployment_tables import Environment
    from broker.embedded.storage.tables import Pacticipant, Version


def represent(found: list[Row], *, ignored: list[Row]) -> list[dict[str, Any]]:
    """Return all rows; those that don't count are marked."""
    versions = {row.publication.consumer_version_id: row.publication.consumer_version for row in found}
    versions |= {row.result.provider_version_id: row.result.provider_version for row in found if row.result}
    shown = _versions(versions.values())
    uncounted = {id(row) for row in ignored}
    return [{**_row(row, shown), **({"ignored": True} if id(row) in uncounted else {})} for row in found]


def _row(row: Row, versions: dict[int, dict[str, Any]]) -> dict[str, Any]:
    publication, result = row.publication, row.result
    return {
        "consumer": _party(publication.pact_version.consumer, versions[publication.consumer_version_id]),
        "provider": _party(
            publication.pact_version.provider, versions[result.provider_version_id] if result else None
        ),
        "pact": {"createdAt": publication.created_at, "_links": {"self": link(pact_url(publication))}},
        "verificationResult": {
            "success": result.success,
            "verifiedAt": result.created_at,
            "_links": {
                "self": link(
                    pact_version_url(
                        publication.pact_version,
                        "metadata",
                        metadata.encode([("cvn", publication.consumer_version.number)]),
                        "verification-results",
                        str(result.id),
                    )
                )
            },
        }
        if result
        else None,
    }


def _party(pacticipant: Pacticipant, version: dict[str, Any] | None) -> dict[str, Any]:
    return {
        "name": pacticipant.name,
        "version": version,
        "_links": {"self": link(url("pacticipants", pacticipant.name))},
    }


def _versions(found: Collection[Version]) -> dict[int, dict[str, Any]]:
    """Return versions by id, with the same few queries for one as for many."""
    load_branches_and_tags(found)
    on_branches, with_tags, environments = (
        latest_branch_version_ids(found),
        latest_tag_ids(found),
        environments_of(found),
    )
    shown = {}
    for version in found:
        branches = represent_branches(version, on_branches)
        href = url("pacticipants", version.pacticipant.name, "versions", version.number)
        shown[version.id] = {
            "number": version.number,
            "branch": branches[-1]["name"] if branches else None,
            "branches": branches,
            "branchVersions": branches,
            "environments": [_represent_environment(one) for one in environments[version.id]],
            "_links": {"self": link(href)},
            "tags": represent_tags(version, with_tags),
        }
    return shown


def _represent_environment(environment: Environment) -> dict[str, Any]:
    return {
        "uuid": environment.uuid,
        "name": environment.name,
        "displayName": environment.shown_name,
        "production": environment.production,
        **({"updatedAt": environment.updated_at} if environment.updated_at else {}),
        "createdAt": environment.created_at,
        "_links": {"self": link(environment_url(environment), title="Environment", name=environment.name)},
    }
