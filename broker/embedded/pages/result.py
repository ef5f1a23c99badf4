"""The page of a verification result, with the outcome of each interaction."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from sqlalchemy import select

from broker.embedded.http.errors import not_found
from broker.embedded.pacts.resource import latest_of_content
from broker.embedded.pages.deliveries import MOST_LISTED, deliveries
from broker.embedded.pages.interactions import interactions_in, outcomes
from broker.embedded.pages.rendering import render
from broker.embedded.storage.records import session
from broker.embedded.storage.tables import VerificationResult
from broker.embedded.webhooks.events import of_result
from broker.embedded.webhooks.triggered_records import by_result

if TYPE_CHECKING:
    from flask import Response


def show(provider: str, consumer: str, sha: str, number: int, segment: str = "") -> Response:
    """Answer the page of a result; the metadata is for verifiers."""
    del segment
    publication = latest_of_content(provider, consumer, sha)
    pact = publication.pact_version
    result = session().scalar(
        select(VerificationResult).where(
            VerificationResult.pact_version == pact, VerificationResult.id == min(number, 2**63 - 1)
        )
    )
    if result is None:
        raise not_found()
    test_results = json.loads(result.test_results) if result.test_results else None
    verified_by = json.loads(result.verified_by) if result.verified_by else {}
    return render(
        "result.html",
        consumer=pact.consumer.name,
        provider=pact.provider.name,
        pact_number=publication.consumer_version.number,
        number=result.id,
        success=result.success,
        provider_version=result.provider_version.number,
        created_at=result.created_at,
        build_url=result.build_url,
        verified_by=" ".join(
            str(verified_by[key]) for key in ("implementation", "version") if key in verified_by
        ),
        outcomes=outcomes(test_results, interactions_in(json.loads(pact.content))),
        events=of_result(success=result.success),
        deliveries=deliveries(by_result(result.id)),
        most=MOST_LISTED,
    )
