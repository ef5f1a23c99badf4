"""The rows of the matrix: pacts of consumer versions, with the provider versions that verified them."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import select
from sqlalchemy.orm import contains_eager, defer, joinedload

from broker.embedded.matrix.query import LatestBy
from broker.embedded.matrix.selected import of_version
from broker.embedded.matrix.selection import consumers_of
from broker.embedded.storage.records import MOST_IN_A_QUERY, publications, session
from broker.embedded.storage.tables import PactVersion, Publication, VerificationResult, Version

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from sqlalchemy import Select

    from broker.embedded.matrix.query import MatrixQuery
    from broker.embedded.matrix.selected import Selected
    from broker.embedded.matrix.selection import Selection

Results = dict[int, list[VerificationResult]]
"""The results of each content, the latest provider version's first, then the latest."""


@dataclass(frozen=True)
class Row:
    """A consumer version's pact, and a result for it, if there is one."""

    consumer: Selected
    provider: Selected
    publication: Publication
    result: VerificationResult | None

    @property
    def success(self) -> bool | None:
        """The outcome; None without a result."""
        return self.result.success if self.result else None

    @property
    def pair(self) -> tuple[int, int]:
        """The ids of the consumer and the provider."""
        pact = self.publication.pact_version
        return pact.consumer_id, pact.provider_id


def rows(selection: Selection, query: MatrixQuery) -> list[Row]:
    """Return the rows for what is selected, by the consumer's name, the latest version first."""
    selected = selection.all
    limit = query.limit
    found = list(_rows_of_one(selected[0], limit) if len(selected) == 1 else _rows_between(selection, limit))
    if limit is not None and len(found) > limit:
        found = sorted(found, key=_last_action, reverse=True)[:limit]
    found = _latest(sorted(found, key=_place), query.latest_by)
    if query.successes:
        found = [row for row in found if row.success in query.successes]
    return found


def _rows_between(selection: Selection, limit: int | None) -> Iterator[Row]:
    """Return the rows of selected consumers' versions with selected providers'."""
    selected = selection.all
    pacts = consumers_of(selected)
    if pacts is None:
        return
    ids = {one.pacticipant_id for one in selected}
    specified = {one.pacticipant_id for one in selection.specified}
    pacts = pacts.where(
        PactVersion.provider_id.in_(ids),
        PactVersion.consumer_id.in_(specified) | PactVersion.provider_id.in_(specified),
    )
    of: dict[int | None, list[Selected]] = defaultdict(list)
    for one in selected:
        of[one.pacticipant_id].append(one)
    results = _results(pacts, selected)
    for publication in session().scalars(_loaded(pacts, limit)):
        pact, version = publication.pact_version, publication.consumer_version
        for consumer in of[pact.consumer_id]:
            if consumer.any_version or (consumer.version is not None and consumer.version.id == version.id):
                for provider, result in _verifications(of[pact.provider_id], publication, results[pact.id]):
                    yield Row(consumer, provider, publication, result)


def _verifications(
    providers: Sequence[Selected], publication: Publication, verified: Sequence[VerificationResult]
) -> Iterator[tuple[Selected, VerificationResult | None]]:
    """Return the results of a pact for the selected provider versions, None where it lacks one.

    Of a branch or a tag, the versions that have a result count; only if none has, one counts for all. In an environment
    each version counts.
    """
    some = False
    for provider in providers:
        found = [
            one
            for one in verified
            if provider.covers(publication.pact_version.provider_id, one.provider_version_id)
        ]
        yield from ((provider, result) for result in found)
        some = some or bool(found)
        if not found and provider.needs_each and len(providers) > 1:
            some = True
            yield provider, None
    if not some:
        yield (
            (providers[0] if len(providers) == 1 else of_version(publication.pact_version.provider, None)),
            None,
        )


def _rows_of_one(selected: Selected, limit: int | None) -> Iterator[Row]:
    """Return all rows of one selected version, with whatever it is integrated with."""
    if selected.missing:
        return
    pacts = consumers_of([selected])
    if pacts is not None:
        results = _results(pacts, ())
        for publication in session().scalars(_loaded(pacts, limit)):
            provider = publication.pact_version.provider
            verified = results[publication.pact_version_id]
            for result in verified:
                yield Row(selected, of_version(provider, result.provider_version), publication, result)
            if not verified:
                yield Row(selected, of_version(provider, None), publication, None)
    contents = select(VerificationResult.pact_version_id).join(VerificationResult.pact_version)
    if selected.version is not None:
        contents = contents.where(VerificationResult.provider_version_id == selected.version.id)
    else:
        contents = contents.where(PactVersion.provider_id == selected.pacticipant_id)
    pacts = publications().where(PactVersion.id.in_(contents))
    results = _results(pacts, [selected])
    for publication in session().scalars(_loaded(pacts, limit)):
        consumer = of_version(publication.pact_version.consumer, publication.consumer_version)
        for result in results[publication.pact_version_id]:
            yield Row(consumer, selected, publication, result)


def _latest(found: list[Row], latest_by: LatestBy) -> list[Row]:
    """Return which rows count, if there are several of the same kind."""
    if latest_by is LatestBy.EVERY:
        return found
    groups: dict[tuple[object, ...], list[Row]] = defaultdict(list)
    for row in found:
        result = row.result
        version: object = result.provider_version_id if result else None
        if latest_by is LatestBy.CONSUMER_VERSION_PROVIDER_VERSION:
            lacking = id(row.provider) if result is None and row.provider.needs_each else None
            groups[(*row.pair, row.publication.consumer_version_id, version, lacking)].append(row)
        elif latest_by is LatestBy.CONSUMER_VERSION_PROVIDER:
            groups[(*row.pair, row.publication.consumer_version_id)].append(row)
        else:
            groups[row.pair].append(row)
    # A group is sorted: the row without a result is its first, then the latest provider version's latest result.
    return [group[0] for group in groups.values()]


def _place(row: Row) -> tuple[object, ...]:
    pact, result = row.publication.pact_version, row.result
    return (
        pact.consumer.name,
        -row.publication.consumer_version_id,
        pact.provider.name,
        (0, 0, 0) if result is None else (1, -result.provider_version_id, -result.id),
    )


def _last_action(row: Row) -> tuple[int, ...]:
    """Return the place of what happened last: the result, or the publication of what had been verified before."""
    published, result = row.publication, row.result
    if result is not None and result.id > published.results_before:
        return result.id, 0, published.id
    return published.results_before, 1, published.id


def _loaded(pacts: Select[Publication], limit: int | None) -> Select[Publication]:
    """Return the query for the latest pacts with all that a row shows, so that it isn't loaded row by row."""
    latest = pacts.order_by(None).order_by(Publication.id.desc()).limit(limit)
    return latest.options(
        contains_eager(Publication.consumer_version).joinedload(Version.pacticipant),
        contains_eager(Publication.pact_version).options(
            joinedload(PactVersion.consumer), joinedload(PactVersion.provider)
        ),
    )


def _results(pacts: Select[Publication], providers: Iterable[Selected]) -> Results:
    """Return the results for the pacts, of the selected versions or, without any, of all."""
    contents = pacts.with_only_columns(Publication.pact_version_id).order_by(None)
    query = (
        select(VerificationResult)
        .where(VerificationResult.pact_version_id.in_(contents))
        .order_by(VerificationResult.provider_version_id.desc(), VerificationResult.id.desc())
        .options(
            # Long, and nothing that a row shows.
            defer(VerificationResult.test_results),
            joinedload(VerificationResult.provider_version).joinedload(Version.pacticipant),
        )
    )
    named = {one.version.id for one in providers if one.version is not None}
    if 0 < len(named) <= MOST_IN_A_QUERY and not any(one.any_version for one in providers):
        query = query.where(VerificationResult.provider_version_id.in_(named))
    found: Results = defaultdict(list)
    for result in session().scalars(query):
        found[result.pact_version_id].append(result)
    return found
