"""The rows of the matrix: pacts of consumer versions, with the provider versions that verified them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import func, or_, select

from broker.embedded.deployment_records import find_environment, versions_in
from broker.embedded.matrix_query import LatestBy, MatrixQueryError, Scope
from broker.embedded.records import find_pacticipant, find_version, latest_version, publications, session
from broker.embedded.tables import Pacticipant, PactVersion, Publication, VerificationResult, Version

if TYPE_CHECKING:
    from collections.abc import Iterable

    from broker.embedded.matrix_query import MatrixQuery


@dataclass(frozen=True)
class Selected:
    """A pacticipant in the matrix, and the version of it that is meant.

    Attributes:
        pacticipant: it.
        description: the version in words, for reasons.
        version: None where any version is meant, or none was found.
        any_version: whether the scope left the version open.
        specified: whether the query names the pacticipant, rather than its being integrated with one named.
    """

    pacticipant: Pacticipant
    description: str
    version: Version | None
    any_version: bool
    specified: bool

    @property
    def found(self) -> bool:
        """Whether there is such a version."""
        return self.any_version or self.version is not None


@dataclass(frozen=True)
class Row:
    """A consumer version's pact, and a result for it, if there is one."""

    consumer: Selected
    provider: Selected
    publication: Publication
    result: VerificationResult | None


def select_versions(query: MatrixQuery) -> list[Selected]:
    """Return the pacticipants that the query names, and perhaps those they are integrated with.

    They are added where the query names just one, or says which versions of the others are meant.

    Raises:
        MatrixQueryError: a pacticipant or an environment isn't known.
    """
    specified = []
    for name, scope in query.selectors:
        pacticipant = find_pacticipant(name)
        if pacticipant is None:
            raise MatrixQueryError(f"Pacticipant {name} not found")
        specified += _select(pacticipant, scope, specified=True)
    if len(query.selectors) > 1 and not query.others.given:
        return specified
    names = {one.pacticipant.id for one in specified}
    others = {pacticipant.id: pacticipant for one in specified for pacticipant in _integrated(one)}
    inferred = [
        selected
        for pacticipant in others.values()
        if pacticipant.id not in names
        for selected in _select(pacticipant, query.others, specified=False)
    ]
    return specified + inferred


def rows(selected: list[Selected], latest_by: LatestBy) -> list[Row]:
    """Return the rows for the selected versions, the latest consumer version first."""
    found = [
        row
        for consumer in selected
        for provider in selected
        if consumer.specified or provider.specified
        for row in _between(consumer, provider, latest_by)
    ]
    found.sort(key=lambda row: row.publication.consumer_version_id, reverse=True)
    return found


def _select(pacticipant: Pacticipant, scope: Scope, *, specified: bool) -> list[Selected]:
    if scope.environment is not None and scope.version is None:
        return _select_in(pacticipant, scope.environment, specified=specified)
    return [_select_one(pacticipant, scope, specified=specified)]


def _select_in(pacticipant: Pacticipant, environment: str, *, specified: bool) -> list[Selected]:
    """Return every version that is deployed or released in an environment: each of them counts."""
    found = find_environment(environment)
    if found is None:
        raise MatrixQueryError(f"Environment with name '{environment}' does not exist")
    versions = versions_in(pacticipant, found)
    what = "one of the versions" if len(versions) > 1 else "the version"
    text = f"{what} of {pacticipant.name} currently in {environment}"
    if not versions:
        return [Selected(pacticipant, f"{text} (no such version exists)", None, False, specified)]
    return [
        Selected(pacticipant, f"{text} ({version.number})", version, False, specified) for version in versions
    ]


def _select_one(pacticipant: Pacticipant, scope: Scope, *, specified: bool) -> Selected:
    name = pacticipant.name
    if scope.version is not None:
        version = find_version(name, scope.version)
        return Selected(pacticipant, f"version {scope.version} of {name}", version, False, specified)
    if scope.tag is not None:
        version = latest_version(pacticipant, tag=scope.tag)
        what = f"the latest version of {name} with tag {scope.tag}"
    elif scope.main_branch or scope.branch is not None:
        branch = pacticipant.main_branch if scope.main_branch else scope.branch
        version = latest_version(pacticipant, branch=branch) if branch else None
        what = f"the latest version of {name} from {f'branch {branch}' if branch else 'its main branch'}"
    elif scope.latest:
        version = latest_version(pacticipant)
        what = f"the latest version of {name}"
    else:
        return Selected(pacticipant, f"any version of {name}", None, True, specified)
    number = version.number if version else "no such version exists"
    return Selected(pacticipant, f"{what} ({number})", version, False, specified)


def _integrated(one: Selected) -> Iterable[Pacticipant]:
    """Return the providers of the selected version's pacts, and the consumers of the pacticipant."""
    query = publications().where(
        or_(PactVersion.consumer == one.pacticipant, PactVersion.provider == one.pacticipant)
    )
    ids = query.with_only_columns(
        PactVersion.consumer_id, PactVersion.provider_id, Publication.consumer_version_id
    ).order_by(None)
    wanted = set()
    for consumer_id, provider_id, version_id in session().execute(ids):
        if consumer_id != one.pacticipant.id:
            wanted.add(consumer_id)
        elif one.any_version or (one.version is not None and one.version.id == version_id):
            wanted.add(provider_id)
    return session().scalars(select(Pacticipant).where(Pacticipant.id.in_(wanted)).order_by(Pacticipant.name))


def _between(consumer: Selected, provider: Selected, latest_by: LatestBy) -> Iterable[Row]:
    if not consumer.found:
        return
    pacts = publications().where(
        PactVersion.consumer == consumer.pacticipant, PactVersion.provider == provider.pacticipant
    )
    if not consumer.any_version:
        pacts = pacts.where(Version.id == (consumer.version.id if consumer.version else None))
    for publication in session().scalars(pacts).all():
        results = _results(publication.pact_version, provider, latest_by)
        for result in results or [None]:
            yield Row(consumer, provider, publication, result)


def _results(pact: PactVersion, provider: Selected, latest_by: LatestBy) -> list[VerificationResult | None]:
    if not provider.found:
        return []
    query = select(VerificationResult).where(VerificationResult.pact_version == pact)
    if provider.version is not None:
        query = query.where(VerificationResult.provider_version == provider.version)
    newest = func.max(VerificationResult.id)
    ids = query.with_only_columns(newest)
    if latest_by is LatestBy.CONSUMER_VERSION_PROVIDER:
        query = query.where(VerificationResult.id.in_(ids))
    elif latest_by is LatestBy.CONSUMER_VERSION_PROVIDER_VERSION:
        ids = ids.group_by(VerificationResult.provider_version_id)
        query = query.where(VerificationResult.id.in_(ids))
    latest_first = (VerificationResult.provider_version_id.desc(), VerificationResult.id.desc())
    return list(session().scalars(query.order_by(*latest_first)))
