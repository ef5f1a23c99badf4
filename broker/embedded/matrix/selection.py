"""The versions that a query of the matrix selects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import or_, select

from broker.embedded.matrix.query import InvalidMatrixQuery, Scope
from broker.embedded.storage.deployment_records import find_environment, versions_in
from broker.embedded.storage.records import (
    find_pacticipant,
    find_version,
    latest_version,
    publications,
    session,
    versions_of,
)
from broker.embedded.storage.tables import Pacticipant, PactVersion, Publication, Version

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from broker.embedded.matrix.query import MatrixQuery


@dataclass(frozen=True)
class Selected:
    """A pacticipant in the matrix, and the version of it that is meant.

    Attributes:
        pacticipant: The pacticipant.
        description: The version in words, for reasons.
        version: None where any version is meant, or none was found.
        any_version: Whether the scope left the version open.
        specified: Whether the query names the pacticipant, rather than its being integrated with one named.
        interchangeable: Whether a result of this version counts for the others of its branch or tag.
    """

    pacticipant: Pacticipant
    description: str
    version: Version | None
    any_version: bool
    specified: bool
    interchangeable: bool = False

    @property
    def found(self) -> bool:
        """Whether the version exists."""
        return self.any_version or self.version is not None


def select_versions(query: MatrixQuery) -> list[Selected]:
    """Return the pacticipants that the query names, and perhaps those they are integrated with.

    They are added if the query names just one, or which versions of the others are meant.

    Raises:
        InvalidMatrixQuery: A pacticipant or an environment isn't known.
    """
    specified = []
    for name, scope in query.selectors:
        pacticipant = find_pacticipant(name)
        if pacticipant is None:
            raise InvalidMatrixQuery(f"Pacticipant {name} not found")
        specified += _select(pacticipant, scope, specified=True)
    if len(query.selectors) > 1 and not query.others.given:
        return specified
    names = {one.pacticipant.id for one in specified}
    inferred = [
        selected
        for pacticipant in _integrated(specified)
        if pacticipant.id not in names
        for selected in _select(pacticipant, query.others, specified=False)
    ]
    return specified + inferred


def _select(pacticipant: Pacticipant, scope: Scope, *, specified: bool) -> list[Selected]:
    name = pacticipant.name
    if scope.version is not None:
        version = find_version(name, scope.version)
        return [Selected(pacticipant, f"version {scope.version} of {name}", version, False, specified)]
    if scope.environment is not None:
        return _select_in(pacticipant, scope.environment, specified=specified)
    if scope.tag is None and scope.branch is None and not scope.main_branch:
        if not scope.latest:
            return [Selected(pacticipant, f"any version of {name}", None, True, specified)]
        return [_latest(pacticipant, f"the latest version of {name}", latest_version(pacticipant), specified)]
    return _select_of(pacticipant, scope, specified=specified)


def _select_in(pacticipant: Pacticipant, environment: str, *, specified: bool) -> list[Selected]:
    """Return every version that is deployed or released in an environment: each of them counts."""
    found = find_environment(environment)
    if found is None:
        raise InvalidMatrixQuery(f"Environment with name '{environment}' does not exist")
    versions = versions_in(pacticipant, found)
    what = "one of the versions" if len(versions) > 1 else "the version"
    text = f"{what} of {pacticipant.name} currently in {environment}"
    if not versions:
        return [Selected(pacticipant, f"{text} (no such version exists)", None, False, specified)]
    return [
        Selected(pacticipant, f"{text} ({version.number})", version, False, specified) for version in versions
    ]


def _select_of(pacticipant: Pacticipant, scope: Scope, *, specified: bool) -> list[Selected]:
    """Return the versions on a branch or with a tag: all, or the latest."""
    tag, branch = scope.tag, scope.branch
    which = f"with tag {tag}" if tag is not None else f"from branch {branch}"
    if tag is None and scope.main_branch:
        branch = pacticipant.main_branch
        which = f"from branch {branch}" if branch else "from its main branch"
    known = tag is not None or bool(branch)
    if scope.latest:
        version = latest_version(pacticipant, tag=tag, branch=branch) if known else None
        return [_latest(pacticipant, f"the latest version of {pacticipant.name} {which}", version, specified)]
    versions: Sequence[Version] = versions_of(pacticipant, tag=tag, branch=branch) if known else []
    if not versions:
        return [_latest(pacticipant, f"a version of {pacticipant.name} {which}", None, specified)]
    several = "one of the versions" if len(versions) > 1 else "the version"
    text = f"{several if tag is None else 'a version'} of {pacticipant.name} {which}"
    return [
        Selected(pacticipant, f"{text} ({one.number})", one, False, specified, interchangeable=True)
        for one in versions
    ]


def _latest(
    pacticipant: Pacticipant,
    what: str,
    version: Version | None,
    specified: bool,  # noqa: FBT001 - as in Selected
) -> Selected:
    number = version.number if version else "no such version exists"
    return Selected(pacticipant, f"{what} ({number})", version, False, specified)


def _integrated(specified: Sequence[Selected]) -> Iterable[Pacticipant]:
    """Return the providers of the selected versions' pacts, and the consumers of the pacticipants."""
    ids = {one.pacticipant.id for one in specified}
    open_ones = {one.pacticipant.id for one in specified if one.any_version}
    versions = {one.version.id for one in specified if one.version is not None}
    query = publications().where(or_(PactVersion.consumer_id.in_(ids), PactVersion.provider_id.in_(ids)))
    columns = query.with_only_columns(
        PactVersion.consumer_id, PactVersion.provider_id, Publication.consumer_version_id
    ).order_by(None)
    selected = set()
    for consumer_id, provider_id, version_id in session().execute(columns):
        if provider_id in ids:
            selected.add(consumer_id)
        if consumer_id in open_ones or version_id in versions:
            selected.add(provider_id)
    return session().scalars(
        select(Pacticipant).where(Pacticipant.id.in_(selected)).order_by(Pacticipant.name)
    )
