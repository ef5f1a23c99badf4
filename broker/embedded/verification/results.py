"""Verification results: stored, answered, and summed up for a consumer version."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from flask import Blueprint
from sqlalchemy import select

from broker.embedded.http.bodies import json_object
from broker.embedded.http.errors import invalid, or_not_found
from broker.embedded.http.hal import created, json_response, link, url
from broker.embedded.pacts import metadata
from broker.embedded.pacts.resource import (
    PACT,
    latest_of_content,
    pact_name,
    pact_version_url,
    publication_of,
    versions_in,
    with_tag,
)
from broker.embedded.storage.records import (
    between,
    ensure_version,
    publications,
    session,
    version_numbered,
)
from broker.embedded.storage.tables import PactVersion, Publication, VerificationResult
from broker.embedded.webhooks.events import of_result
from broker.embedded.webhooks.triggered_records import trigger
from broker.embedded.webhooks.variables import Occasion

if TYPE_CHECKING:
    from flask import Response

blueprint = Blueprint("verification_results", __name__)

CONTENT = f"{PACT}/pact-version/<name:sha>"


@blueprint.post(f"{CONTENT}/verification-results")
@blueprint.post(f"{CONTENT}/metadata/<name:segment>/verification-results")
def publish(provider: str, consumer: str, sha: str, segment: str = "") -> Response:
    """Take in a result. The metadata tells which consumer versions the pact was chosen for."""
    publication = latest_of_content(provider, consumer, sha)
    fields = json_object()
    _check(fields)
    pact = publication.pact_version
    version, _ = ensure_version(pact.provider, fields["providerApplicationVersion"])
    result = VerificationResult(
        pact_version=pact,
        provider_version=version,
        success=fields["success"],
        build_url=fields.get("buildUrl"),
        test_results=json.dumps(fields["testResults"]) if "testResults" in fields else None,
        verified_by=json.dumps(fields.get("verifiedBy") or {}),
        wip=metadata.decode(segment).wip,
    )
    session().add(result)
    session().flush()
    trigger(
        Occasion(event, verified, result)
        for event in of_result(success=result.success)
        for verified in _verified(publication, segment)
    )
    return created(_represent(result, publication))


@blueprint.get(f"{CONTENT}/verification-results/<int:number>")
@blueprint.get(f"{CONTENT}/metadata/<name:segment>/verification-results/<int:number>")
def show(provider: str, consumer: str, sha: str, number: int, segment: str = "") -> Response:
    """Answer a result."""
    del segment
    publication = latest_of_content(provider, consumer, sha)
    return _answer(_numbered(publication, number), publication)


@blueprint.get(f"{CONTENT}/verification-results/latest")
@blueprint.get(f"{CONTENT}/metadata/<name:segment>/verification-results/latest")
def show_latest(provider: str, consumer: str, sha: str, segment: str = "") -> Response:
    """Answer the latest result of a content."""
    del segment
    publication = latest_of_content(provider, consumer, sha)
    return _answer(_latest(publication.pact_version), publication)


@blueprint.get(f"{PACT}/version/<name:version>/verification-results/latest")
def show_latest_of_version(provider: str, consumer: str, version: str) -> Response:
    """Answer the latest result of a consumer version's pact."""
    publication = publication_of(provider, consumer, version)
    return _answer(_latest(publication.pact_version), publication)


@blueprint.get(f"{PACT}/latest/verification-results/latest")
@blueprint.get(f"{PACT}/latest/<name:tag>/verification-results/latest")
def show_latest_of_latest(provider: str, consumer: str, tag: str | None = None) -> Response:
    """Answer the latest result of the latest pact, perhaps of a consumer version with the tag."""
    query = between(publications(), provider=provider, consumer=consumer)
    publication = or_not_found(session().scalar((query if tag is None else with_tag(query, tag)).limit(1)))
    return _answer(_latest(publication.pact_version), publication)


@blueprint.get("/verification-results/consumer/<name:consumer>/version/<name:number>/latest")
def show_latest_of_consumer_version(consumer: str, number: str) -> Response:
    """Answer the latest result of each pact of a consumer version."""
    version = version_numbered(consumer, number)
    pacts = session().scalars(publications().where(Publication.consumer_version == version)).all()
    results = {one: _latest(one.pact_version) for one in pacts}
    names: dict[bool | None, list[str]] = {True: [], False: [], None: []}
    for one, result in results.items():
        names[result.success if result else None].append(one.pact_version.provider.name)
    return json_response(
        {
            "success": not (names[False] or names[None]),
            "providerSummary": {"successful": names[True], "failed": names[False], "unknown": names[None]},
            "_embedded": {
                "verificationResults": [_represent(result, one) for one, result in results.items() if result]
            },
            "_links": {
                "self": link(
                    url("verification-results", "consumer", consumer, "version", number, "latest"),
                    title=f"Latest verification results for consumer {consumer} version {number}",
                )
            },
        }
    )


def result_numbered(provider: str, consumer: str, sha: str, number: int) -> VerificationResult:
    """Return a result of the content with that hash; raise a `Refusal` with 404 if there is none."""
    return or_not_found(_numbered(latest_of_content(provider, consumer, sha), number))


def _numbered(publication: Publication, number: int) -> VerificationResult | None:
    query = select(VerificationResult).where(
        VerificationResult.pact_version == publication.pact_version,
        VerificationResult.id == min(number, 2**63 - 1),
    )
    return session().scalar(query)


def _verified(publication: Publication, segment: str) -> list[Publication]:
    """Return the pacts that a result is for: those of the versions in the metadata, else the latest."""
    versions = versions_in(metadata.decode(segment), publication.pact_version)
    query = publications().where(
        Publication.pact_version == publication.pact_version,
        Publication.consumer_version_id.in_([version.id for version in versions]),
    )
    return list(session().scalars(query)) or [publication]


def _check(fields: dict[str, Any]) -> None:
    errors = {}
    if "success" not in fields:
        errors["success"] = ["is missing"]
    elif not isinstance(fields["success"], bool):
        errors["success"] = ["must be boolean"]
    version = fields.get("providerApplicationVersion")
    if "providerApplicationVersion" not in fields:
        errors["providerApplicationVersion"] = ["is missing"]
    elif not isinstance(version, str):
        errors["providerApplicationVersion"] = ["must be a string"]
    elif not version.strip():
        errors["providerApplicationVersion"] = ["cannot be blank" if version else "must be filled"]
    if not isinstance(fields.get("buildUrl"), str | None):
        errors["buildUrl"] = ["must be a string"]
    if not isinstance(fields.get("verifiedBy"), dict | None):
        errors["verifiedBy"] = ["must be an object"]
    if errors:
        raise invalid(errors)


def _latest(pact: PactVersion) -> VerificationResult | None:
    query = select(VerificationResult).where(VerificationResult.pact_version == pact)
    return session().scalar(query.order_by(VerificationResult.id.desc()).limit(1))


def _answer(result: VerificationResult | None, publication: Publication) -> Response:
    return json_response(_represent(or_not_found(result), publication))


def _result_url(result: VerificationResult) -> str:
    return pact_version_url(result.pact_version, "verification-results", str(result.id))


def _represent(result: VerificationResult, publication: Publication) -> dict[str, Any]:
    name = pact_name(publication)
    for_version = metadata.encode([("cvn", publication.consumer_version.number)])
    document: dict[str, Any] = {
        "providerName": result.pact_version.provider.name,
        "providerApplicationVersion": result.provider_version.number,
        "success": result.success,
        "verificationDate": result.created_at,
    }
    if result.build_url is not None:
        document["buildUrl"] = result.build_url
    if result.test_results is not None:
        document["testResults"] = json.loads(result.test_results)
    document["verifiedBy"] = json.loads(result.verified_by) if result.verified_by else {}
    document["_links"] = {
        "self": link(
            _result_url(result),
            title="Verification result",
            name=f"Verification result {result.id} for {name}",
        ),
        "pb:pact-version": link(
            pact_version_url(result.pact_version, "metadata", for_version), title="Pact", name=name
        ),
        "pb:triggered-webhooks": link(
            f"{_result_url(result)}/triggered-webhooks",
            title="Webhooks triggered by the publication of this verification result",
        ),
    }
    return document
