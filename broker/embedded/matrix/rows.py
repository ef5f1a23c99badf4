"""The rows of the matrix: pacts of consumer versions, with the provider versions that verified them."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import select
from sqlalchemy.orm import contains_eager, defer, joinedload
from sqlalchemy.orm.attributes import set_committed_value

from broker.embedded.matrix.query import LatestBy
from broker.embedded.storage.records import MOST_IN_A_QUERY, publications, session
from broker.embedded.storage.tables import PactVersion, Publication, VerificationResult, Version

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from sqlalchemy import Select

    from broker.embedded.matrix.selection import Selected
    from broker.embedded.storage.tables import Pacticipant


@dataclass(frozen=True)
class Row:
    """A consumer version's pact, and a result for it, if there is one."""

    consumer: Selected
    provider: Selected
    publication: Publication
    result: VerificationResult | None


def rows(selected: list[Selected], latest_by: LatestBy) -> list[Row]:
    """Return the rows for the selected versions, the latest consumer version first."""
    of: dict[int, list[Selected]] = defaultdict(list)
    for one in selected:
        of[one.pacticipant.id].append(one)
    pairs = select(PactVersion.consumer_id, PactVersion.provider_id).distinct()
    there = set(session().execute(pairs.where(PactVersion.consumer_id.in_(of))))
    found = [
        row
        for consumer, consumers in of.items()
        for provider, providers in of.items()
        if (consumer, provider) in there and (consumers[0].specified or providers[0].specified)
        for row in _between(consumers, providers, latest_by)
    ]
    found.sort(key=lambda row: row.publication.consumer_version_id, reverse=True)
    return found


def _between(consumers: list[Selected], providers: list[Selected], latest_by: LatestBy) -> Iterator[Row]:
    """Return the rows of one consumer's versions with one provider's."""
    by_version: dict[int | None, list[Selected]] = defaultdict(list)
    for one in consumers:
        if one.found:
            by_version[one.version.id if one.version else None].append(one)
    if not by_version:
        return
    pacts = publications().where(
        PactVersion.consumer == consumers[0].pacticipant, PactVersion.provider == providers[0].pacticipant
    )
    if None not in by_version and len(by_version) <= MOST_IN_A_QUERY:
        pacts = pacts.where(Version.id.in_(by_version))
    results = _results(pacts, providers)
    loaded = (contains_eager(Publication.consumer_version), contains_eager(Publication.pact_version))
    for publication in session().scalars(pacts.options(*loaded)):
        verified = results[publication.pact_version_id]
        _name(publication, verified, consumers[0].pacticipant, providers[0].pacticipant)
        for consumer in by_version[None] + by_version[publication.consumer_version_id]:
            for provider, result in _verifications(providers, verified, latest_by):
                yield Row(consumer, provider, publication, result)


def _name(
    publication: Publication,
    verified: Iterable[VerificationResult],
    consumer: Pacticipant,
    provider: Pacticipant,
) -> None:
    """Set the two pacticipants, which are known, so that they aren't loaded with each row."""
    set_committed_value(publication.consumer_version, "pacticipant", consumer)
    set_committed_value(publication.pact_version, "consumer", consumer)
    set_committed_value(publication.pact_version, "provider", provider)
    for result in verified:
        set_committed_value(result.provider_version, "pacticipant", provider)


def _verifications(
    providers: list[Selected], verified: list[VerificationResult], latest_by: LatestBy
) -> Iterator[tuple[Selected, VerificationResult | None]]:
    """Return which results a pact has of each of a provider's versions, None for a version that lacks one.

    Of a branch or a tag, those that have one count; only if none has, one counts for all.
    """
    lacking = [one for one in providers if one.interchangeable]
    for provider in providers:
        found = list(_latest(provider, verified, latest_by))
        if found and provider.interchangeable:
            lacking = []
        if found or not provider.interchangeable:
            yield from ((provider, result) for result in found or (None,))
    if lacking:
        yield lacking[0], None


def _latest(
    provider: Selected, verified: list[VerificationResult], latest_by: LatestBy
) -> Iterable[VerificationResult]:
    """Return which results count, the latest version's first."""
    if not provider.found:
        return []
    if provider.version is not None:
        verified = [one for one in verified if one.provider_version_id == provider.version.id]
        return verified if latest_by is LatestBy.EVERY else verified[:1]
    if latest_by is LatestBy.CONSUMER_VERSION_PROVIDER:
        return [max(verified, key=lambda one: one.id)] if verified else []
    if latest_by is LatestBy.CONSUMER_VERSION_PROVIDER_VERSION:
        # Reversed, so that of each version the first stays.
        latest = {one.provider_version_id: one for one in reversed(verified)}
        return reversed(latest.values())
    return verified


def _results(
    pacts: Select[Publication], providers: Sequence[Selected]
) -> dict[int, list[VerificationResult]]:
    """Return the results for the pacts by their content, the latest provider version's first, then the latest."""
    contents = pacts.with_only_columns(Publication.pact_version_id).order_by(None)
    query = (
        select(VerificationResult)
        .where(VerificationResult.pact_version_id.in_(contents))
        .order_by(VerificationResult.provider_version_id.desc(), VerificationResult.id.desc())
        .options(
            # Long, and nothing that a row shows.
            defer(VerificationResult.test_results),
            joinedload(VerificationResult.provider_version),
        )
    )
    named = [one.version.id for one in providers if one.version is not None]
    if len(named) <= MOST_IN_A_QUERY and not any(one.any_version for one in providers):
        query = query.where(VerificationResult.provider_version_id.in_(named))
    found: dict[int, list[VerificationResult]] = defaultdict(list)
    for result in session().scalars(query):
        found[result.pact_version_id].append(result)
    return found
