"""Integrations: the pairs of a consumer and a provider that have a pact."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Blueprint
from sqlalchemy import delete, func, select
from sqlalchemy.orm import aliased

from broker.embedded.http.errors import not_found
from broker.embedded.http.hal import json_response, link, no_content, url
from broker.embedded.storage.records import pacticipant_named, session
from broker.embedded.storage.tables import Pacticipant, PactVersion, Publication, VerificationResult

if TYPE_CHECKING:
    from collections.abc import Iterable

    from flask import Response

blueprint = Blueprint("integrations", __name__)


@blueprint.get("/integrations")
def show_all() -> Response:
    """Answer all integrations, with what became of the last verification of the latest pact."""
    return json_response(
        {
            "_embedded": {"integrations": [_represent(*one) for one in _integrations()]},
            "_links": {"self": link(url("integrations"), title="All integrations")},
        }
    )


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


def _integrations() -> Iterable[tuple[str, str, bool | None]]:
    """Return consumer, provider, and the success of the latest pact's last result."""
    pair = (PactVersion.consumer_id, PactVersion.provider_id)
    latest = (
        select(*pair, func.max(Publication.consumer_version_id).label("version_id"))
        .join(Publication.pact_version)
        .group_by(*pair)
        .subquery()
    )
    last_result = (
        select(VerificationResult.success)
        .where(VerificationResult.pact_version_id == PactVersion.id)
        .order_by(VerificationResult.id.desc())
        .limit(1)
        .scalar_subquery()
    )
    consumer, provider = aliased(Pacticipant), aliased(Pacticipant)
    query = (
        select(consumer.name, provider.name, last_result)
        .select_from(latest)
        .join(Publication, Publication.consumer_version_id == latest.c.version_id)
        .join(
            PactVersion,
            (PactVersion.id == Publication.pact_version_id)
            & (PactVersion.consumer_id == latest.c.consumer_id)
            & (PactVersion.provider_id == latest.c.provider_id),
        )
        .join(consumer, consumer.id == PactVersion.consumer_id)
        .join(provider, provider.id == PactVersion.provider_id)
        .order_by(func.lower(consumer.name), func.lower(provider.name))
    )
    return [(row[0], row[1], row[2]) for row in session().execute(query)]


def _represent(consumer: str, provider: str, success: bool | None) -> dict[str, Any]:  # noqa: FBT001 - a row's column
    status = {True: "success", False: "failed", None: "never"}[success]
    return {
        "consumer": {"name": consumer},
        "provider": {"name": provider},
        "verificationStatus": status,
        "_links": {
            "pb:matrix": link(
                url("matrix", "provider", provider, "consumer", consumer),
                title=f"Matrix of pacts/verification results for {consumer} and {provider}",
            )
        },
    }
