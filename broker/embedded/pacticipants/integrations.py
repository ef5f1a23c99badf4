"""Integrations: the pairs of a consumer and a provider that have a pact."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Blueprint
from sqlalchemy import delete, select

from broker.embedded.http.errors import not_found
from broker.embedded.http.hal import json_response, link, no_content, url
from broker.embedded.storage.records import CONSUMER, PROVIDER, latest_pacts, pacticipant_named, session
from broker.embedded.storage.tables import PactVersion, VerificationResult

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
    last_result = (
        select(VerificationResult.success)
        .where(VerificationResult.pact_version_id == PactVersion.id)
        .order_by(VerificationResult.id.desc())
        .limit(1)
        .scalar_subquery()
    )
    query = latest_pacts(CONSUMER.name, PROVIDER.name, last_result)
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
