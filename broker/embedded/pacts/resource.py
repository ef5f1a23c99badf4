"""A pact: every URL it can be fetched from, and its document."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, quote_plus

from flask import Blueprint
from sqlalchemy import exists, select

from broker.embedded.http.errors import or_not_found
from broker.embedded.http.hal import encode, json_response, link, template, url
from broker.embedded.http.negotiation import prefers_json
from broker.embedded.pacts import metadata
from broker.embedded.storage.records import between, publications, session
from broker.embedded.storage.tables import Branch, BranchVersion, PactVersion, Publication, Tag, Version

if TYPE_CHECKING:
    from flask import Response
    from sqlalchemy import Select

    from broker.embedded.pacts.metadata import Metadata

blueprint = Blueprint("pacts", __name__)

JSON_UTF8 = "application/json;charset=utf-8"

PACT = "/pacts/provider/<name:provider>/consumer/<name:consumer>"


@blueprint.get(f"{PACT}/version/<name:version>")
def by_consumer_version(provider: str, consumer: str, version: str) -> Response:
    """Answer the pact of a consumer version."""
    return _answer(publication_of(provider, consumer, version))


@blueprint.delete(f"{PACT}/version/<name:version>")
def remove(provider: str, consumer: str, version: str) -> Response:
    """Delete the pact of a consumer version; the version stays."""
    session().delete(publication_of(provider, consumer, version))
    session().flush()
    return answer_deletion(provider, consumer)


@blueprint.get(f"{PACT}/version/<name:version>/previous-distinct")
def previous_distinct(provider: str, consumer: str, version: str) -> Response:
    """Answer the latest pact before a consumer version's that has another content."""
    current = publication_of(provider, consumer, version)
    return _answer(
        _first(
            between(publications(), provider=provider, consumer=consumer).where(
                Publication.consumer_version_id < current.consumer_version_id,
                Publication.pact_version_id != current.pact_version_id,
            )
        )
    )


@blueprint.get(f"{PACT}/latest")
@blueprint.get("/pact/provider/<name:provider>/consumer/<name:consumer>/latest", endpoint="latest_old_style")
def latest(provider: str, consumer: str) -> Response:
    """Answer the latest pact."""
    return _answer_latest(between(publications(), provider=provider, consumer=consumer))


@blueprint.get(f"{PACT}/latest/<name:tag>")
def latest_tagged(provider: str, consumer: str, tag: str) -> Response:
    """Answer the latest pact of a consumer version with the tag."""
    query = with_tag(between(publications(), provider=provider, consumer=consumer), tag)
    return _answer_latest(query, tag=tag)


@blueprint.get(f"{PACT}/latest-untagged")
def latest_untagged(provider: str, consumer: str) -> Response:
    """Answer the latest pact of a consumer version without tags."""
    query = without_tags(between(publications(), provider=provider, consumer=consumer))
    return _answer_latest(query, tag="untagged")


@blueprint.get(f"{PACT}/branch/<name:branch>/latest")
def latest_on_branch(provider: str, consumer: str, branch: str) -> Response:
    """Answer the latest pact of a consumer version on the branch."""
    return _answer_latest(on_branch(between(publications(), provider=provider, consumer=consumer), branch))


@blueprint.get(f"{PACT}/pact-version/<name:sha>")
def by_content(provider: str, consumer: str, sha: str) -> Response:
    """Answer the content with that hash, as its latest consumer version's pact."""
    return _answer(latest_of_content(provider, consumer, sha))


@blueprint.get(f"{PACT}/pact-version/<name:sha>/metadata/<name:segment>")
def by_content_for_versions(provider: str, consumer: str, sha: str, segment: str) -> Response:
    """Answer the content with that hash, as the pact of the consumer version in the URL's metadata."""
    publication = latest_of_content(provider, consumer, sha)
    versions = versions_in(metadata.decode(segment), publication.pact_version)
    if versions:
        query = publications().where(
            Publication.pact_version == publication.pact_version, Publication.consumer_version == versions[0]
        )
        publication = session().scalar(query) or publication
    return _answer(publication, segment=segment, versions=versions)


def latest_of_content(provider: str, consumer: str, sha: str) -> Publication:
    """Return the latest pact with the content of that hash; raise a `Refusal` with 404 if there is none."""
    return _first(between(publications(), provider=provider, consumer=consumer).where(PactVersion.sha == sha))


def with_tag(query: Select[Publication], tag: str) -> Select[Publication]:
    """Return the query narrowed to consumer versions with the tag."""
    return query.where(exists().where(Tag.version_id == Version.id, Tag.name == tag))


def without_tags(query: Select[Publication]) -> Select[Publication]:
    """Return the query narrowed to consumer versions without tags."""
    return query.where(~exists().where(Tag.version_id == Version.id))


def on_branch(query: Select[Publication], branch: str) -> Select[Publication]:
    """Return the query narrowed to consumer versions on the branch."""
    on_it = select(BranchVersion.version_id).join(BranchVersion.branch).where(Branch.name == branch)
    return query.where(Version.id.in_(on_it))


def pact_url(publication: Publication) -> str:
    """Return the URL of a consumer version's pact."""
    pact = publication.pact_version
    number = publication.consumer_version.number
    return url("pacts", "provider", pact.provider.name, "consumer", pact.consumer.name, "version", number)


def pact_version_url(pact: PactVersion, *more: str) -> str:
    """Return the URL of a pact's content, or of a resource below it."""
    names = ("pacts", "provider", pact.provider.name, "consumer", pact.consumer.name)
    return url(*names, "pact-version", pact.sha, *more)


def pact_name(publication: Publication) -> str:
    """Return the name of a pact in links."""
    pact = publication.pact_version
    return (
        f"Pact between {pact.consumer.name} ({publication.consumer_version.number}) and {pact.provider.name}"
    )


def represent(
    publication: Publication, *, segment: str | None = None, versions: list[Version] | None = None
) -> dict[str, Any]:
    """Return a pact as clients see it: its content, with createdAt and links.

    Args:
        publication: The pact.
        segment: The metadata that results are to be published with.
        versions: The consumer versions that the metadata names.
    """
    pact = publication.pact_version
    consumer, provider = pact.consumer.name, pact.provider.name
    number = publication.consumer_version.number
    pair = f"pacts/provider/{encode(provider)}/consumer/{encode(consumer)}"
    version = f"pacticipants/{encode(consumer)}/versions/{encode(number)}"
    results = ("metadata", segment, "verification-results") if segment else ("verification-results",)
    links: dict[str, Any] = {
        "self": link(pact_url(publication), title="Pact", name=pact_name(publication)),
        "pb:consumer": link(url("pacticipants", consumer), title="Consumer", name=consumer),
        "pb:consumer-version": link(template(version), title="Consumer version", name=number),
        "pb:consumer-versions": [
            link(
                url("pacticipants", consumer, "versions", one.number),
                title="Consumer version",
                name=one.number,
            )
            for one in versions or ()
        ],
        "pb:provider": link(url("pacticipants", provider), title="Provider", name=provider),
        "pb:pact-version": link(
            pact_version_url(pact), title="Pact content version permalink", name=pact.sha
        ),
        "pb:latest-pact-version": link(template(f"{pair}/latest"), title="Latest version of this pact"),
        "pb:all-pact-versions": link(template(f"{pair}/versions"), title="All versions of this pact"),
        "pb:latest-untagged-pact-version": link(
            template(f"{pair}/latest-untagged"), title="Latest untagged version of this pact"
        ),
        "pb:latest-tagged-pact-version": link(
            template(f"{pair}/latest/{{tag}}"), title="Latest tagged version of this pact"
        ),
        "pb:previous-distinct": link(
            f"{pact_url(publication)}/previous-distinct", title="Previous distinct version of this pact"
        ),
        "pb:pact-webhooks": link(
            url("webhooks", "provider", provider, "consumer", consumer),
            title=f"Webhooks for the pact between {consumer} and {provider}",
        ),
        # A real broker has the provider's name here, in both.
        "pb:consumer-webhooks": link(
            url("webhooks", "consumer", provider), title=f"Webhooks for all pacts with provider {provider}"
        ),
        "pb:tag-prod-version": link(
            template(f"{version}/tags/prod"),
            title="PUT to this resource to tag this consumer version as 'production'",
        ),
        # A real broker doesn't say of this one that it is templated.
        "pb:tag-version": {
            "title": "PUT to this resource to tag this consumer version",
            "href": template(f"{version}/tags/{{tag}}"),
        },
        "pb:publish-verification-results": link(
            pact_version_url(pact, *results), title="Publish verification results"
        ),
        "pb:latest-verification-results": link(pact_version_url(pact, "verification-results", "latest")),
        "pb:triggered-webhooks": link(
            f"{pact_url(publication)}/triggered-webhooks",
            title="Webhooks triggered by the publication of this pact",
        ),
        "pb:matrix-for-consumer-version": link(
            template(
                f"matrix?{quote('q[][pacticipant]')}={quote_plus(consumer)}"
                f"&{quote('q[][version]')}={quote_plus(number)}&latestby=cvpv"
            ),
            title="View matrix rows for the consumer version to which this pact belongs",
        ),
    }
    if versions is None:
        del links["pb:consumer-versions"]
    return {**json.loads(pact.content), "createdAt": publication.created_at, "_links": links}


def publication_of(provider: str, consumer: str, number: str) -> Publication:
    """Return the pact of a consumer version; raise a `Refusal` with 404 if there is none."""
    query = between(publications(), provider=provider, consumer=consumer)
    return _first(query.where(Version.number == number))


def _first(query: Select[Publication]) -> Publication:
    return or_not_found(session().scalar(query.limit(1)))


def versions_in(named: Metadata, pact: PactVersion) -> list[Version]:
    """Return the versions of a pact's consumer that the metadata of a URL names, the latest first."""
    query = select(Version).where(
        Version.pacticipant_id == pact.consumer_id,
        Version.id.in_(named.ids) | Version.number.in_(named.numbers),
    )
    return list(session().scalars(query.order_by(Version.id.desc())))


def _answer(
    publication: Publication, *, segment: str | None = None, versions: list[Version] | None = None
) -> Response:
    document = represent(publication, segment=segment, versions=versions)
    return json_response(document, content_type=JSON_UTF8 if prefers_json() else None)


def answer_deletion(provider: str, consumer: str) -> Response:
    """Answer the deletion of pacts of a consumer with a provider: where to go on."""
    links = {"index": link(template("").rstrip("/"))}
    query = between(publications(), provider=provider, consumer=consumer)
    if session().scalar(query.limit(1)) is not None:
        latest_pact = url("pacts", "provider", provider, "consumer", consumer, "latest")
        links["pb:latest-pact-version"] = link(latest_pact, title="Latest pact")
    return json_response({"_links": links})


def _answer_latest(query: Select[Publication], *, tag: str | None = None) -> Response:
    publication = _first(query)
    number = publication.consumer_version.number
    pairs = [("cvt[]", tag)] if tag is not None else []
    segment = metadata.encode([*pairs, ("cv", str(publication.consumer_version_id))])
    response = _answer(publication, segment=segment)
    # A header holds no control character and nothing beyond ASCII.
    printable = number.isascii() and number.isprintable()
    response.headers["X-Pact-Consumer-Version"] = number if printable else encode(number)
    return response
