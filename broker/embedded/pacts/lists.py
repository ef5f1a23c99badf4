"""Lists of pacts: the latest of all, those of a provider, all versions of one."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from flask import Blueprint
from sqlalchemy import func
from sqlalchemy.orm import aliased

from broker.embedded.http.errors import not_found
from broker.embedded.http.hal import encode, json_response, link, url
from broker.embedded.pacts.resource import PACT, pact_name, pact_url, with_tag
from broker.embedded.storage.records import between, pacticipant_named, publications, session, with_names
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


@blueprint.get("/pacts/provider/<name:provider>")
def of_provider(provider: str) -> Response:
    """Answer all pacts of a provider."""
    query = _of_provider(publications(), provider)
    title = f"All pact versions for the provider {provider}"
    return _answer_provider(provider, session().scalars(with_names(query)).all(), (), title)


@blueprint.get("/pacts/provider/<name:provider>/latest")
def latest_of_provider(provider: str) -> Response:
    """Answer a provider's latest pact with each consumer."""
    query = latest_of_each(_of_provider(publications(), provider))
    title = f"Latest pact versions for the provider {provider}"
    return _answer_provider(provider, session().scalars(with_names(query)).all(), ("latest",), title)


@blueprint.get("/pacts/provider/<name:provider>/latest/<name:tag>")
def latest_tagged_of_provider(provider: str, tag: str) -> Response:
    """Answer a provider's latest pact with each consumer, among the versions with the tag."""
    query = latest_of_each(with_tag(_of_provider(publications(), provider), tag))
    title = f"Latest pact versions for the provider {provider} with consumer version tag '{tag}'"
    return _answer_provider(provider, session().scalars(with_names(query)).all(), ("latest", tag), title)


@blueprint.get(f"{PACT}/versions")
def versions(provider: str, consumer: str) -> Response:
    """Answer all pacts of a consumer with a provider, the latest first."""
    query = with_names(between(publications(), provider=provider, consumer=consumer))
    pacts = session().scalars(query).all()
    if not pacts:
        raise not_found()
    return json_response(
        {
            "_embedded": {"pacts": [_represent_version(one) for one in pacts]},
            "_links": {
                "self": link(
                    _pair_url(pacts[0], "versions"),
                    title=f"All versions of the pact between {consumer} and {provider}",
                ),
                "consumer": link(url("pacticipants", consumer), title="Consumer", name=consumer),
                "provider": link(url("pacticipants", provider), title="Provider", name=provider),
                "pact-versions": [
                    link(
                        pact_url(one),
                        title="Pact",
                        name=f"Version {one.consumer_version.number} - {_day(one.created_at)}",
                    )
                    for one in pacts
                ],
            },
        }
    )


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


def _of_provider(query: Select[Publication], provider: str) -> Select[Publication]:
    return query.where(PactVersion.provider_id == pacticipant_named(provider).id)


def _answer_provider(
    provider: str, pacts: Sequence[Publication], path: tuple[str, ...], title: str
) -> Response:
    deprecated = "DEPRECATED - please use the pb:{} relation"
    return json_response(
        {
            "_links": {
                "self": link(url("pacts", "provider", provider, *path), title=title),
                "pb:provider": link(url("pacticipants", provider), name=provider),
                "pb:pacts": [
                    link(pact_url(one), title=pact_name(one), name=one.pact_version.consumer.name)
                    for one in pacts
                ],
                "provider": link(
                    url("pacticipants", provider), title=provider, name=deprecated.format("provider")
                ),
                "pacts": [
                    link(
                        pact_url(one),
                        title=f"{deprecated.format('pacts')}. {pact_name(one)}",
                        name=one.pact_version.consumer.name,
                    )
                    for one in pacts
                ],
            }
        }
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


def _pair_url(publication: Publication, *more: str) -> str:
    pact = publication.pact_version
    return url("pacts", "provider", pact.provider.name, "consumer", pact.consumer.name, *more)


def _day(time: str) -> str:
    return datetime.fromisoformat(time).strftime("%d/%m/%Y")
