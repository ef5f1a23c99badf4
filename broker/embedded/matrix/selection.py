"""The versions that a query of the matrix selects, and what they are integrated with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import select

from broker.embedded.matrix.query import InvalidMatrixQuery
from broker.embedded.matrix.selected import Selected
from broker.embedded.storage.deployment_records import find_environment, versions_in
from broker.embedded.storage.records import MOST_IN_A_QUERY, find_pacticipant, publications, session
from broker.embedded.storage.tables import Branch, BranchVersion, Pacticipant, PactVersion, Tag, Version

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy import Select

    from broker.embedded.matrix.query import MatrixQuery, Scope, Selector
    from broker.embedded.storage.tables import Publication

Pair = tuple[int, int]
"""The ids of a consumer and a provider."""


@dataclass(frozen=True)
class Selection:
    """What a query selects.

    Attributes:
        specified: The versions that the query names.
        inferred: Those of the pacticipants that they are integrated with.
        ignored: What needs no result.
        required: The consumers and providers that must have a row: a consumer needs its provider.
    """

    specified: tuple[Selected, ...]
    inferred: tuple[Selected, ...]
    ignored: tuple[Selected, ...]
    required: frozenset[Pair]

    @property
    def all(self) -> tuple[Selected, ...]:
        """All versions."""
        return self.specified + self.inferred


def select_versions(query: MatrixQuery) -> Selection:
    """Return what the query selects.

    Raises:
        InvalidMatrixQuery: A pacticipant or an environment isn't known.
    """
    mistakes = [
        f"Pacticipant {one.pacticipant} not found"
        for one in query.selectors
        if one.pacticipant is not None and find_pacticipant(one.pacticipant) is None
    ]
    environment = query.others.environment
    if environment is not None and find_environment(environment) is None:
        mistakes.append(f"Environment with name '{environment}' does not exist")
    if mistakes:
        raise InvalidMatrixQuery(*mistakes)
    ignored = tuple(one for selector in query.ignored for one in _resolve(selector))
    specified = tuple(one for selector in query.selectors for one in _resolve(selector, specified=True))
    others = query.others
    infers = others.latest or bool(others.tag or others.environment or others.main_branch)
    required = _pairs_of_consumers(specified)
    if not infers:
        among = {one.pacticipant_id for one in specified}
        if len(specified) > 1:
            required = {pair for pair in required if pair[1] in among}
        return Selection(specified, (), ignored, frozenset(required))
    inferred = tuple(
        one for pacticipant in _integrated(specified, required) for one in _resolve_for(pacticipant, others)
    )
    return Selection(specified, inferred, ignored, frozenset(required))


def consumers_of(selected: Iterable[Selected]) -> Select[Publication] | None:
    """Return the query for the pacts of selected versions as consumers; None if there can be none."""
    versions = {one.version.id for one in selected if one.version is not None}
    open_ones = {one.pacticipant_id for one in selected if one.any_version and not one.missing}
    if not versions and not open_ones:
        return None
    query = publications()
    if len(versions) > MOST_IN_A_QUERY:
        # All of these have the same few pacticipants; the rest is left to whoever reads the rows.
        open_ones |= {one.pacticipant_id for one in selected if one.version is not None}
        versions = set()
    if not versions:
        return query.where(PactVersion.consumer_id.in_(open_ones))
    of_versions = Version.id.in_(versions)
    return query.where(of_versions | PactVersion.consumer_id.in_(open_ones) if open_ones else of_versions)


def _pairs_of_consumers(specified: Sequence[Selected]) -> set[Pair]:
    query = consumers_of(specified)
    if query is None:
        return set()
    columns = query.with_only_columns(PactVersion.consumer_id, PactVersion.provider_id).order_by(None)
    return {(row[0], row[1]) for row in session().execute(columns.distinct())}


def _integrated(specified: Sequence[Selected], required: Iterable[Pair]) -> Sequence[Pacticipant]:
    """Return the providers of the selected versions' pacts, and the consumers of the pacticipants, by name."""
    ids = {one.pacticipant_id for one in specified}
    pairs = select(PactVersion.consumer_id).where(PactVersion.provider_id.in_(ids)).distinct()
    others = ({provider for _, provider in required} | set(session().scalars(pairs))) - ids
    query = select(Pacticipant).where(Pacticipant.id.in_(others)).order_by(Pacticipant.name)
    return session().scalars(query).all()


def _resolve(selector: Selector, *, specified: bool = False) -> list[Selected]:
    name = selector.pacticipant or ""
    pacticipant = find_pacticipant(name)
    if pacticipant is None:
        return [Selected(name, None, selector.scope)]
    return _resolve_for(pacticipant, selector.scope, specified=specified)


def _resolve_for(pacticipant: Pacticipant, scope: Scope, *, specified: bool = False) -> list[Selected]:
    """Return the versions of a scope: each that it means, or one that is missing."""
    branch = scope.branch or (pacticipant.main_branch if scope.main_branch else None)
    found: Sequence[Version | None] = [None]
    if scope.given:
        found = _versions(pacticipant, scope, branch) or [None]
    if found == [None]:
        branch = scope.branch
    return [
        Selected(
            pacticipant.name,
            pacticipant.id,
            scope,
            version,
            specified,
            one_of_many=len(found) > 1,
            branch=branch,
        )
        for version in found
    ]


def _versions(pacticipant: Pacticipant, scope: Scope, branch: str | None) -> Sequence[Version]:
    query = select(Version).where(Version.pacticipant == pacticipant).order_by(Version.id.desc())
    if scope.version is not None:
        query = query.where(Version.number == scope.version)
    if scope.tag is not None:
        query = query.where(Version.id.in_(select(Tag.version_id).where(Tag.name == scope.tag)))
    if branch is not None or scope.main_branch:
        on_it = select(BranchVersion.version_id).join(BranchVersion.branch)
        on_it = on_it.where(Branch.name == branch, Branch.pacticipant_id == pacticipant.id)
        query = query.where(Version.id.in_(on_it))
    if scope.environment is not None:
        environment = find_environment(scope.environment)
        there = versions_in(pacticipant, environment) if environment else []
        query = query.where(Version.id.in_([version.id for version in there]))
    return session().scalars(query.limit(1) if scope.latest else query).all()
