"""Lists of pacts: the latest of all, and those of a consumer with a provider."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Blueprint
from sqlalchemy import func
from sqlalchemy.orm import aliased

from broker.embedded.http.errors import not_found
from broker.embedded.http.hal import day, encode, json_response, link, url
from broker.embedded.pacts.resource import PACT, answer_deletion, on_branch, pact_name, pact_url, with_tag
from broker.embedded.storage.records import between, find_pacticipant, publications, session, with_names
from broker.embedded.storage.tables import Pacticipant, PactVersion, Publication, Version

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flask import Response
    from sqlalchemy import Select

blueprint = Blueprint("pact_lists", __name__)


@blueprint.get("/pacts/latest")
def latest() -> Response:
    """Answer the latest pact of each consumer with each provider."""
    consumer, provider = aliased(Pacticipant), aliased(Pacticipant)
    # The list may be long: names and times are all that it needs.
    query = (
        latest_of_each(publications())
        .join(consumer, consumer.id == PactVersion.consumer_id)
        .join(provider, provider.id == PactVersion.provider_id)
        .with_only_columns(consumer.name, provider.name, Version.number, Publication.created_at)
        .order_by(None)
        .order_by(consumer.name, provider.name)
    )
    pacts = [
        (row[0], row[1], row[2], row[3], url("pacts", "provider", row[1], "consumer", row[0]))
        for row in session().execute(query)
    ]
    titled = [(f"{one[4]}/latest", f"Latest pact between {one[0]} and {one[1]}") for one in pacts]
    deprecated = "DEPRECATED - please use the pb:pacts relation"
    return json_response(
        {
            "pacts": [_represent_latest(*one) for one in pacts],
            "_links": {
                "self": link(url("pacts", "latest")),
                "pb:pacts": [link(href, title=title) for href, title in titled],
                "pacts": [link(href, title=title, name=deprecated) for href, title in titled],
            },
        }
    )


@blueprint.get(f"{PACT}/versions")
def versions(provider: str, consumer: str) -> Response:
    """Answer all pacts of a consumer with a provider, the latest first."""
    query = with_names(between(publications(), provider=provider, consumer=consumer))
    pacts = session().scalars(query).all()
    if not pacts:
        raise not_found()
    return _answer_versions(provider, consumer, pacts, ("versions",))


@blueprint.get(f"{PACT}/branch/<name:branch>")
def versions_on_branch(provider: str, consumer: str, branch: str) -> Response:
    """Answer all pacts of a consumer with a provider from a branch, the oldest first."""
    query = on_branch(_between_known(provider, consumer), branch)
    pacts = session().scalars(with_names(query).order_by(None).order_by(Version.id)).all()
    return _answer_versions(provider, consumer, pacts, ("branch", branch))


@blueprint.delete(f"{PACT}/branch/<name:branch>")
def remove_on_branch(provider: str, consumer: str, branch: str) -> Response:
    """Delete all pacts of a consumer with a provider from a branch; the versions stay."""
    return _remove(on_branch(_between_known(provider, consumer), branch), provider, consumer)


@blueprint.get(f"{PACT}/tag/<name:tag>")
def versions_with_tag(provider: str, consumer: str, tag: str) -> Response:
    """Answer all pacts of a consumer with a provider whose versions have a tag, the latest first."""
    query = with_names(with_tag(_between_known(provider, consumer), tag))
    pacts = session().scalars(query).all()
    return json_response(
        {
            "_embedded": {"pacts": [_represent_version(one) for one in pacts]},
            "_links": {
                "self": link(
                    _pair_url(provider, consumer, "tag", tag),
                    title=f"All versions of the pact between {consumer} and {provider} with tag {tag}",
                ),
                "pb:consumer": link(url("pacticipants", consumer), title="Consumer", name=consumer),
                "pb:provider": link(url("pacticipants", provider), title="Provider", name=provider),
                "pb:pact-versions": [_version_link(one, "Pact version") for one in pacts],
            },
        }
    )


@blueprint.delete(f"{PACT}/tag/<name:tag>")
def remove_with_tag(provider: str, consumer: str, tag: str) -> Response:
    """Delete all pacts of a consumer with a provider whose versions have a tag; the versions stay."""
    return _remove(with_tag(_between_known(provider, consumer), tag), provider, consumer)


def _answer_versions(
    provider: str, consumer: str, pacts: Sequence[Publication], path: tuple[str, ...]
) -> Response:
    return json_response(
        {
            "_embedded": {"pacts": [_represent_version(one) for one in pacts]},
            "_links": {
                "self": link(
                    _pair_url(provider, consumer, *path),
                    title=f"All versions of the pact between {consumer} and {provider}",
                ),
                "consumer": link(url("pacticipants", consumer), title="Consumer", name=consumer),
                "provider": link(url("pacticipants", provider), title="Provider", name=provider),
                "pact-versions": [_version_link(one, "Pact") for one in pacts],
            },
        }
    )


def _version_link(publication: Publication, title: str) -> dict[str, Any]:
    name = f"Version {publication.consumer_version.number} - {day(publication.created_at)}"
    return link(pact_url(publication), title=title, name=name)


def _between_known(provider: str, consumer: str) -> Select[Publication]:
    if find_pacticipant(provider) is None or find_pacticipant(consumer) is None:
        raise not_found()
    return between(publications(), provider=provider, consumer=consumer)


def _remove(query: Select[Publication], provider: str, consumer: str) -> Response:
    for publication in session().scalars(query).all():
        session().delete(publication)
    session().flush()
    return answer_deletion(provider, consumer)


def latest_of_each(query: Select[Publication]) -> Select[Publication]:
    """Return the query narrowed to the latest pact of each consumer with each provider."""
    newest = (
        query.with_only_columns(func.max(Publication.consumer_version_id), PactVersion.provider_id)
        .order_by(None)
        .group_by(PactVersion.consumer_id, PactVersion.provider_id)
        .subquery()
    )
    return query.join(
        newest,
        (newest.c[0] == Publication.consumer_version_id) & (newest.c.provider_id == PactVersion.provider_id),
    )


def _represent_latest(
    consumer: str, provider: str, number: str, created_at: str, pair: str
) -> dict[str, Any]:
    consumer_url = url("pacticipants", consumer)
    version = link(f"{consumer_url}/versions/{encode(number)}", title="Version", name=number)
    return {
        "createdAt": created_at,
        "_embedded": {
            "consumer": {
                "name": consumer,
                "_embedded": {"version": {"number": number, "_links": {"self": version}}},
                "_links": {"self": link(consumer_url)},
            },
            "provider": {"name": provider, "_links": {"self": link(url("pacticipants", provider))}},
        },
        "_links": {"self": [link(f"{pair}/latest"), link(f"{pair}/version/{encode(number)}")]},
    }


def _represent_version(publication: Publication) -> dict[str, Any]:
    return {
        "createdAt": publication.created_at,
        "_embedded": {"consumerVersion": _represent_consumer_version(publication)},
        "_links": {"self": link(pact_url(publication), title=pact_name(publication))},
    }


def _represent_consumer_version(publication: Publication) -> dict[str, Any]:
    number = publication.consumer_version.number
    href = url("pacticipants", publication.pact_version.consumer.name, "versions", number)
    return {"number": number, "_links": {"self": link(href, title="Version", name=number)}}


def _pair_url(provider: str, consumer: str, *more: str) -> str:
    return url("pacts", "provider", provider, "consumer", consumer, *more)
