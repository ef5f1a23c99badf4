"""Which provider versions lack a verification result for a pact, although it matters to them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import exists, select

from broker.embedded.storage.deployment_tables import Deployment, Environment, Release
from broker.embedded.storage.records import latest_version, session
from broker.embedded.storage.tables import VerificationResult, Version

if TYPE_CHECKING:
    from broker.embedded.storage.tables import PactVersion


@dataclass(frozen=True)
class RequiredVerification:
    """A provider version that lacks a result, and why it matters: `latest from main branch`."""

    version: Version
    description: str


def versions_requiring_verification(pact: PactVersion) -> list[RequiredVerification]:
    """Return each provider version without a result for the content once.

    That is the latest on the provider's main branch, then each that is deployed or released.
    """
    reasons: dict[int, list[str]] = {}
    versions: dict[int, Version] = {}
    for version, reason in (
        *_on_main_branch(pact),
        *_in_environments(pact, Deployment, "deployed"),
        *_in_environments(pact, Release, "released"),
    ):
        versions[version.id] = version
        reasons.setdefault(version.id, []).append(reason)
    return [
        RequiredVerification(versions[number], ", ".join(dict.fromkeys(texts)))
        for number, texts in reasons.items()
        if not _has_result(pact, number)
    ]


def _on_main_branch(pact: PactVersion) -> list[tuple[Version, str]]:
    branch = pact.provider.main_branch
    version = latest_version(pact.provider, branch=branch) if branch else None
    return [(version, "latest from main branch")] if version else []


def _in_environments(
    pact: PactVersion, records: type[Deployment | Release], state: str
) -> list[tuple[Version, str]]:
    query = (
        select(Version, Environment.name)
        .join(records, records.version_id == Version.id)
        .join(records.environment)
        .where(Version.pacticipant_id == pact.provider_id, records.ended_at.is_(None))
        .order_by(records.id)
    )
    return [(version, f"{state} in {name}") for version, name in session().execute(query)]


def _has_result(pact: PactVersion, version: int) -> bool:
    there = exists().where(
        VerificationResult.pact_version_id == pact.id, VerificationResult.provider_version_id == version
    )
    return bool(session().scalar(select(there)))
