"""Integrations: the pairs of a consumer and a provider that have a pact."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Blueprint
from sqlalchemy import delete, func, select

from broker.embedded.http.errors import not_found
from broker.embedded.http.hal import json_response, link, no_content, url
from broker.embedded.http.paging import asked_page, matching
from broker.embedded.storage.records import CONSUMER, PROVIDER, pacticipant_named, session
from broker.embedded.storage.tables import Pacticipant, PactVersion, Publication, VerificationResult

if TYPE_CHECKING:
    from flask import Response

blueprint = Blueprint("integrations", __name__)


@blueprint.get("/integrations")
def show_all() -> Response:
    """Answer all integrations, the one with the latest pact or result first; `q` is a part of a name."""
    query = _integrations()
    by_consumer, by_provider = matching(CONSUMER.name), matching(PROVIDER.name)
    if by_consumer is not None and by_provider is not None:
        query = query.where(by_consumer | by_provider)
    page = asked_page()
    paged = {} if page is None else {"page": page.document(query, session())}
    rows = session().execute(page.of(query) if page else query)
    href = url("integrations")
    return json_response(
        {
            **paged,
            "_embedded": {"integrations": [_represent(row[0], row[1]) for row in rows]},
            "_links": {
                "self": link(href, title="All integrations"),
                **(page.links(paged["page"], href) if page else {}),
            },
        }
    )


@blueprint.delete("/integrations")
def remove_all() -> Response:
    """Delete all pacticipants with their versions, pacts and results."""
    session().execute(delete(Pacticipant))
    return no_content()


@blueprint.delete("/integrations/provider/<name:provider>/consumer/<name:consumer>")
def remove(provider: str, consumer: str) -> Response:
    """Delete all pacts of a consumer with a provider, with their results; the pacticipants stay."""
    of_both = (
        PactVersion.provider_id == pacticipant_named(provider).id,
        PactVersion.consumer_id == pacticipant_named(consumer).id,
    )
    if session().scalar(select(PactVersion.id).where(*of_both).limit(1)) is None:
        raise not_found()
    session().execute(delete(PactVersion).where(*of_both))
    return no_content()


def _integrations() -> Any:
    """Return the query for consumer and provider by name, in the order of what happened last."""
    last_result = (
        select(func.max(VerificationResult.id))
        .join(PactVersion, PactVersion.id == VerificationResult.pact_version_id)
        .where(PactVersion.consumer_id == CONSUMER.id, PactVersion.provider_id == PROVIDER.id)
        .scalar_subquery()
    )
    published = func.max(Publication.id)
    after = func.max(Publication.results_before)
    latest = func.max(func.coalesce(last_result, 0), after)
    return (
        select(CONSUMER.name, PROVIDER.name)
        .select_from(Publication)
        .join(Publication.pact_version)
        .join(CONSUMER, CONSUMER.id == PactVersion.consumer_id)
        .join(PROVIDER, PROVIDER.id == PactVersion.provider_id)
        .group_by(CONSUMER.id, PROVIDER.id)
        .order_by(latest.desc(), (after >= func.coalesce(last_result, 0)).desc(), published.desc())
    )


def _represent(consumer: str, provider: str) -> dict[str, Any]:
    return {
        "consumer": {"name": consumer},
        "provider": {"name": provider},
        "_links": {
            "pb:matrix": link(
                url("matrix", "provider", provider, "consumer", consumer),
                title=f"Matrix of pacts/verification results for {consumer} and {provider}",
            ),
            "pb:group": link(url("pacticipants", consumer)),
            "pb:delete_integration": link(
                url("integrations", "provider", provider, "consumer", consumer),
                title=f"Delete the integration between {consumer} and {provider}",
            ),
        },
    }
