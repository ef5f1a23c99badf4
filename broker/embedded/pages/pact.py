"""The page of a pact: its interactions, its versions, and the results of its content."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from broker.embedded.http.errors import not_found
from broker.embedded.pacts.resource import latest_of_content
from broker.embedded.pages.deliveries import MOST_LISTED, deliveries
from broker.embedded.pages.interactions import interactions_in, outcomes
from broker.embedded.pages.pacts import branches_of, by_version
from broker.embedded.pages.rendering import render
from broker.embedded.pages.results import last_results, results_of
from broker.embedded.pages.webhooks import publications_events, webhooks_of
from broker.embedded.storage.records import between, publications, session
from broker.embedded.storage.tables import (
    BranchVersion,
    PactVersion,
    Publication,
    Tag,
    VerificationResult,
    Version,
)
from broker.embedded.webhooks.triggered_records import by_publication

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flask import Response

    from broker.embedded.pages.interactions import Interaction
    from broker.embedded.pages.results import Result


def show_version(provider: str, consumer: str, version: str) -> Response:
    """Answer the page of a consumer version's pact."""
    query = between(publications(), provider=provider, consumer=consumer)
    return _show(session().scalar(query.where(Version.number == version).limit(1)))


def show_latest(provider: str, consumer: str) -> Response:
    """Answer the page of the latest pact."""
    query = between(publications(), provider=provider, consumer=consumer)
    return _show(session().scalar(query.limit(1)))


def show_content(provider: str, consumer: str, sha: str, segment: str = "") -> Response:
    """Answer the page of the latest pact with a content; the metadata is for verifiers."""
    del segment
    return _show(latest_of_content(provider, consumer, sha))


def _show(publication: Publication | None) -> Response:
    if publication is None:
        raise not_found()
    pact = publication.pact_version
    happened = publications_events(publication)
    interactions = interactions_in(json.loads(pact.content))
    results = results_of(pact.id, limit=MOST_LISTED)
    return render(
        "pact.html",
        consumer=pact.consumer.name,
        provider=pact.provider.name,
        sha=pact.sha,
        number=publication.consumer_version.number,
        published_at=publication.created_at,
        build_url=publication.consumer_version.build_url,
        branches=branches_of(BranchVersion.version_id == publication.consumer_version_id).get(
            publication.consumer_version_id, ()
        ),
        tags=[tag.name for tag in publication.consumer_version.tags],
        interactions=interactions,
        results=results,
        failed=_failed(results, interactions),
        versions=_versions(pact),
        happened=happened,
        webhooks=webhooks_of(publication, happened),
        deliveries=deliveries(by_publication(publication)),
        most=MOST_LISTED,
    )


def _failed(results: Sequence[Result], interactions: list[Interaction]) -> set[str | None]:
    """Return the ids of the interactions that failed in the last result."""
    if not results or results[0].success:
        return set()
    tests = session().scalar(
        select(VerificationResult.test_results).where(VerificationResult.id == results[0].number)
    )
    failed = {
        one.description
        for one in outcomes(json.loads(tests) if tests else None, interactions)
        if one.success is False
    }
    return {one.id for one in interactions if one.description in failed}


def _versions(pact: PactVersion) -> list[dict[str, Any]]:
    """Return the versions of the pact, the latest first, with the last result of each content."""
    query = (
        select(Version.id, Version.number, Publication.created_at, PactVersion.id, PactVersion.sha)
        .select_from(Publication)
        .join(Publication.consumer_version)
        .join(Publication.pact_version)
        .where(PactVersion.consumer_id == pact.consumer_id, PactVersion.provider_id == pact.provider_id)
        .order_by(Version.id.desc())
        .limit(MOST_LISTED)
    )
    rows = session().execute(query).all()
    ids = [row[0] for row in rows]
    branches = branches_of(BranchVersion.version_id.in_(ids))
    tagged = select(Tag.version_id, Tag.name).where(Tag.version_id.in_(ids)).order_by(Tag.id)
    tags = by_version((row[0], row[1]) for row in session().execute(tagged))
    results = last_results({row[3] for row in rows})
    return [
        {
            "number": number,
            "published_at": published_at,
            "branches": branches.get(version_id, ()),
            "tags": tags.get(version_id, ()),
            "result": results.get(content_id),
            "same_content": sha == pact.sha,
        }
        for version_id, number, published_at, content_id, sha in rows
    ]
