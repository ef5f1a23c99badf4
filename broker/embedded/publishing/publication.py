"""Publishing pacts: several at once with branch and tags, or one by PUT."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flask import Blueprint
from sqlalchemy import exists, select

from broker.embedded.http.bodies import json_object
from broker.embedded.http.errors import Refusal, invalid
from broker.embedded.http.hal import json_response, link, url
from broker.embedded.pacts.content import Document, describe_change, pact_sha, with_ids
from broker.embedded.pacts.resource import PACT, pact_name, pact_url, represent
from broker.embedded.publishing.events import happened
from broker.embedded.publishing.merging import CannotMerge, merge
from broker.embedded.publishing.request import PublicationRequest, name_of, parse
from broker.embedded.storage.branches_and_tags import put_on_branch, put_tag
from broker.embedded.storage.records import (
    between,
    ensure_pacticipant,
    ensure_version,
    last_result_id,
    publications,
    session,
)
from broker.embedded.storage.tables import (
    Pacticipant,
    PactVersion,
    Publication,
    VerificationResult,
    Version,
    now,
)
from broker.embedded.webhooks.records import applying_to, shown_description

if TYPE_CHECKING:
    from flask import Response

    from broker.embedded.storage.webhook_tables import TriggeredWebhook

blueprint = Blueprint("publishing", __name__)

CONTENT_CHANGED = (
    "Cannot change the content of the pact for {consumer} version {version} and provider {provider}, as race "
    "conditions will cause unreliable results for can-i-deploy. Each pact must be published with a unique consumer "
    "version number. Some Pact libraries generate random data when a concrete value for a type matcher is not "
    "specified, and this can cause the contract to mutate - ensure you have given example values for all type "
    "matchers. For more information see https://docs.pact.io/go/versioning"
)
ADD_VERIFICATION = "    * Add Pact verification tests to the {provider} build. See https://docs.pact.io/go/provider_verification"
CONFIGURE_WEBHOOK = (
    "    * Configure separate {provider} pact verification build and webhook to trigger it when the pact content "
    "changes. See https://docs.pact.io/go/webhooks"
)


SET_BRANCH = "  Next steps:\n    Configure the version branch to be the value of your repository branch."


@dataclass(frozen=True)
class _Notice:
    kind: str
    text: str


class _ContentChanged(Exception):
    """A consumer version's pact was published before with another content."""

    def __init__(self, version: Version, provider: str, difference: str) -> None:
        super().__init__(
            CONTENT_CHANGED.format(
                consumer=version.pacticipant.name, version=version.number, provider=provider
            )
        )
        self.difference = difference


@blueprint.put(f"{PACT}/version/<name:version>")
def put_pact(provider: str, consumer: str, version: str) -> Response:
    """Publish the pact of a consumer version: 201, or 200 where it was there with the same content."""
    document = json_object()
    _check_names(document, consumer=consumer, provider=provider)
    consumer_version, _ = ensure_version(ensure_pacticipant(consumer), version)
    try:
        publication, new = _publish(consumer_version, ensure_pacticipant(provider), document)
    except _ContentChanged as error:
        raise Refusal(409, {"error": str(error)}) from error
    happened(publication, new=new)
    return json_response(represent(publication), status=201 if new else 200)


@blueprint.patch(f"{PACT}/version/<name:version>")
def merge_pact(provider: str, consumer: str, version: str) -> Response:
    """Add interactions to the pact of a consumer version, which is made if need be."""
    document = json_object()
    _check_names(document, consumer=consumer, provider=provider)
    consumer_version, _ = ensure_version(ensure_pacticipant(consumer), version)
    of_provider = ensure_pacticipant(provider)
    existing = _existing(consumer_version, of_provider)
    if existing is None:
        publication, _ = _publish(consumer_version, of_provider, document)
        happened(publication, new=True)
        return json_response(represent(publication), status=201)
    try:
        merged = merge(json.loads(existing.pact_version.content), document)
    except CannotMerge as error:
        raise Refusal(409, {"error": str(error)}) from error
    existing.pact_version = _content(consumer_version.pacticipant, of_provider, merged)
    session().flush()
    happened(existing, new=True)
    return json_response(represent(existing))


@blueprint.post("/contracts/publish")
def publish_contracts() -> Response:
    """Publish the pacts of a consumer version, with its branch, tags and build URL."""
    publication_request = parse(json_object(empty_allowed=True))
    version, notice = _version_for(publication_request)
    published = []
    notices = [notice]
    if publication_request.branch is None:
        notices.append(_Notice("prompt", SET_BRANCH))
    for contract in publication_request.contracts:
        try:
            publication, new = _publish(version, ensure_pacticipant(contract.provider), contract.document)
        except _ContentChanged as error:
            raise _refused(error) from error
        published.append(publication)
        notices += _notices(publication, new=new)
    return json_response(_represent(publication_request, published, notices))


def _check_names(document: Document, *, consumer: str, provider: str) -> None:
    errors = {}
    for role, name in (("consumer", consumer), ("provider", provider)):
        inside = name_of(document, role)
        if inside is not None and inside != name:
            errors[f"{role}.name"] = [f"name in pact '{inside}' does not match name in URL path '{name}'."]
    if errors:
        raise invalid(errors)


def _version_for(publication_request: PublicationRequest) -> tuple[Version, _Notice]:
    pacticipant = ensure_pacticipant(publication_request.pacticipant)
    version, new = ensure_version(pacticipant, publication_request.version, published=True)
    if publication_request.build_url is not None and publication_request.build_url != version.build_url:
        version.build_url = publication_request.build_url
        version.updated_at = None if new else now()
    if publication_request.branch is not None:
        put_on_branch(version, publication_request.branch)
    for tag in publication_request.tags:
        put_tag(version, tag)
    where = []
    if publication_request.branch is not None:
        where.append(f"branch {publication_request.branch}")
    if publication_request.tags:
        where.append(f"tags {', '.join(publication_request.tags)}")
    text = f"{'Created' if new else 'Updated'} {pacticipant.name} version {version.number}"
    return version, _Notice("debug", f"{text} with {' and '.join(where)}" if where else text)


def _publish(version: Version, provider: Pacticipant, document: Document) -> tuple[Publication, bool]:
    """Store a pact, its content once; return it and whether it is new."""
    existing = _existing(version, provider)
    if existing is not None:
        if existing.pact_version.sha != pact_sha(document):
            before = json.loads(existing.pact_version.content)
            raise _ContentChanged(version, provider.name, describe_change(before, document))
        return existing, False
    publication = Publication(
        consumer_version=version,
        pact_version=_content(version.pacticipant, provider, document),
        results_before=last_result_id(),
    )
    session().add(publication)
    session().flush()
    return publication, True


def _existing(version: Version, provider: Pacticipant) -> Publication | None:
    query = between(publications(), provider=provider.name, consumer=version.pacticipant.name)
    return session().scalar(query.where(Publication.consumer_version == version))


def _content(consumer: Pacticipant, provider: Pacticipant, document: Document) -> PactVersion:
    """Return the content of a pact, stored once."""
    sha = pact_sha(document)
    pact = session().scalar(
        select(PactVersion).where(
            PactVersion.consumer == consumer, PactVersion.provider == provider, PactVersion.sha == sha
        )
    )
    if pact is None:
        content = json.dumps(with_ids(document), ensure_ascii=False, separators=(",", ":"))
        pact = PactVersion(consumer=consumer, provider=provider, sha=sha, content=content)
    return pact


def _notices(publication: Publication, *, new: bool) -> list[_Notice]:
    pact = publication.pact_version
    provider = pact.provider
    detected, triggered = happened(publication, new=new)
    webhooks = applying_to(pact.consumer, provider)
    what = f"{pact.consumer.name} version {publication.consumer_version.number} and provider {provider.name}"
    notices = [
        _Notice("success", f"Pact successfully published for {what}.")
        if new
        else _Notice("success", f"Pact successfully republished for {what} with no content changes."),
        _Notice("debug", f"  View the published pact at {pact_url(publication)}"),
        _Notice("debug", f"  Events detected: {detected}"),
        *(_Notice("debug", _triggered_text(one)) for one in triggered),
    ]
    if webhooks and not triggered:
        notices.append(_Notice("debug", "  No enabled webhooks found for the detected events"))
    steps = []
    if not _ever_verified(pact):
        steps.append(ADD_VERIFICATION)
    if not webhooks:
        steps.append(CONFIGURE_WEBHOOK)
    texts = ["  Next steps:", *(step.format(provider=provider.name) for step in steps)] if steps else []
    return notices + [_Notice("prompt", text) for text in texts]


def _triggered_text(triggered: TriggeredWebhook) -> str:
    description = shown_description(triggered.webhook) if triggered.webhook else ""
    logs = url("triggered-webhooks", triggered.uuid, "logs")
    return f'  Webhook "{description}" triggered for event {triggered.event_name}.\n    View logs at {logs}'


def _ever_verified(pact: PactVersion) -> bool:
    pacts = select(PactVersion.id).where(
        PactVersion.consumer_id == pact.consumer_id, PactVersion.provider_id == pact.provider_id
    )
    return bool(session().scalar(select(exists().where(VerificationResult.pact_version_id.in_(pacts)))))


def _refused(error: _ContentChanged) -> Refusal:
    notices = [{"type": "error", "text": str(error)}]
    if error.difference:
        notices.append({"type": "info", "text": error.difference})
    return Refusal(
        409,
        {"notices": notices, "errors": {"contracts": [str(error)]}},
        content_type="application/json;charset=utf-8",
    )


def _represent(
    publication_request: PublicationRequest, published: list[Publication], notices: list[_Notice]
) -> dict[str, Any]:
    pacticipant = url("pacticipants", publication_request.pacticipant)
    number = publication_request.version
    version = url("pacticipants", publication_request.pacticipant, "versions", number)
    return {
        "logs": [
            {"level": notice.kind, "message": notice.text, "deprecationWarning": "Replaced by notices"}
            for notice in notices
        ],
        "notices": [{"type": notice.kind, "text": notice.text} for notice in notices],
        "_embedded": {
            "pacticipant": {"name": publication_request.pacticipant, "_links": {"self": link(pacticipant)}},
            "version": {"number": number, "_links": {"self": link(version, title="Version", name=number)}},
        },
        "_links": {
            "pb:pacticipant": link(pacticipant, title="Pacticipant", name=publication_request.pacticipant),
            "pb:pacticipant-version": link(version, title="Pacticipant version", name=number),
            "pb:pacticipant-version-tags": [
                link(
                    url("pacticipants", publication_request.pacticipant, "versions", number, "tags", tag),
                    title="Tag",
                    name=tag,
                )
                for tag in publication_request.tags
            ],
            "pb:contracts": [link(pact_url(one), title="Pact", name=pact_name(one)) for one in published],
        },
    }
