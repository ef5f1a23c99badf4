"""Queries and changes of rows that more than one resource needs."""

from __future__ import annotations

from collections import defaultdict
from itertools import islice
from typing import TYPE_CHECKING, Any

from flask import g
from sqlalchemy import Select, func, select
from sqlalchemy.orm import aliased, contains_eager, joinedload
from sqlalchemy.orm.attributes import set_committed_value

from broker.embedded.http.errors import Refusal, no_such_pacticipant, or_not_found
from broker.embedded.storage.tables import (
    Branch,
    BranchVersion,
    Pacticipant,
    PactVersion,
    Publication,
    Tag,
    VerificationResult,
    Version,
    now,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from sqlalchemy.orm import Session

MOST_IN_A_QUERY = 500
"""The most values in one query; SQLite takes more."""

CONSUMER, PROVIDER = aliased(Pacticipant), aliased(Pacticipant)


def session() -> Session:
    """Return the session of this request."""
    current: Session = g.session
    return current


def find_pacticipant(name: str) -> Pacticipant | None:
    """Return the pacticipant of that name, if there is one."""
    return session().scalar(select(Pacticipant).where(Pacticipant.name == name))


def pacticipant_named(name: str) -> Pacticipant:
    """Return the pacticipant of that name; raise a `Refusal` with 404 if there is none."""
    pacticipant = find_pacticipant(name)
    if pacticipant is None:
        raise no_such_pacticipant(name)
    return pacticipant


def provider_named(name: str) -> Pacticipant:
    """Return the provider of that name; raise a `Refusal` with 404 if there is none."""
    return _in_role("provider", name)


def consumer_named(name: str) -> Pacticipant:
    """Return the consumer of that name; raise a `Refusal` with 404 if there is none."""
    return _in_role("consumer", name)


def _in_role(role: str, name: str) -> Pacticipant:
    pacticipant = find_pacticipant(name)
    if pacticipant is None:
        raise Refusal(404, {"error": f"No {role} with name '{name}' found"})
    return pacticipant


def ensure_pacticipant(name: str) -> Pacticipant:
    """Return the pacticipant of that name, made if need be."""
    pacticipant = find_pacticipant(name)
    if pacticipant is None:
        pacticipant = Pacticipant(name=name)
        session().add(pacticipant)
        session().flush()
    return pacticipant


def find_version(pacticipant: str, number: str) -> Version | None:
    """Return a pacticipant's version, if it is known."""
    return session().scalar(
        select(Version)
        .join(Version.pacticipant)
        .where(Pacticipant.name == pacticipant, Version.number == number)
    )


def version_numbered(pacticipant: str, number: str) -> Version:
    """Return a pacticipant's version; raise a `Refusal` with 404 if there is none."""
    return or_not_found(find_version(pacticipant, number))


def ensure_version(pacticipant: Pacticipant, number: str, *, published: bool = False) -> tuple[Version, bool]:
    """Return a pacticipant's version, and whether it had to be made.

    Args:
        pacticipant: The pacticipant.
        number: The version's number.
        published: Whether the version itself is sent: one that is made on the way counts as changed at once, as with
            a real broker.
    """
    version = find_version(pacticipant.name, number)
    if version is not None:
        return version, False
    version = Version(pacticipant=pacticipant, number=number, updated_at=None if published else now())
    session().add(version)
    session().flush()
    return version, True


def latest_version(
    pacticipant: Pacticipant, *, tag: str | None = None, branch: str | None = None
) -> Version | None:
    """Return the pacticipant's latest version: of all, with the tag, or on the branch."""
    return session().scalar(_versions_of(pacticipant, tag, branch).limit(1))


def versions_of(
    pacticipant: Pacticipant, *, tag: str | None = None, branch: str | None = None
) -> Sequence[Version]:
    """Return the pacticipant's versions, the latest first: all, those with the tag, or those on the branch."""
    return session().scalars(_versions_of(pacticipant, tag, branch)).all()


def _versions_of(pacticipant: Pacticipant, tag: str | None, branch: str | None) -> Select[Version]:
    query = select(Version).where(Version.pacticipant == pacticipant)
    if tag is not None:
        query = query.join(Tag, Tag.version_id == Version.id).where(Tag.name == tag)
    if branch is not None:
        query = query.join(BranchVersion, BranchVersion.version_id == Version.id)
        query = query.join(BranchVersion.branch).where(Branch.name == branch)
    return query.order_by(Version.id.desc())


def load_branches_and_tags(versions: Collection[Version]) -> None:
    """Load the branches and tags of versions, all at once rather than one by one."""
    tags: dict[int, list[Tag]] = defaultdict(list)
    places: dict[int, list[BranchVersion]] = defaultdict(list)
    on_branches = select(BranchVersion).options(joinedload(BranchVersion.branch)).order_by(BranchVersion.id)
    for ids in batched(versions):
        for tag in session().scalars(select(Tag).where(Tag.version_id.in_(ids)).order_by(Tag.id)):
            tags[tag.version_id].append(tag)
        for place in session().scalars(on_branches.where(BranchVersion.version_id.in_(ids))):
            places[place.version_id].append(place)
    for version in versions:
        set_committed_value(version, "tags", tags[version.id])
        set_committed_value(version, "branch_versions", places[version.id])


def latest_branch_version_ids(versions: Collection[Version]) -> set[int]:
    """Return which of the versions' places on branches are those of the branch's latest version."""
    places = [one for version in versions for one in version.branch_versions]
    newest = select(BranchVersion.branch_id, func.max(BranchVersion.version_id)).group_by(
        BranchVersion.branch_id
    )
    of_these = newest.where(BranchVersion.branch_id.in_({one.branch_id for one in places}))
    latest = set(session().execute(of_these))
    return {one.id for one in places if (one.branch_id, one.version_id) in latest}


def latest_tag_ids(versions: Collection[Version]) -> set[int]:
    """Return which of the versions' tags are on no later version of the pacticipant."""
    newest = (
        select(func.max(Tag.version_id), Tag.name)
        .join(Tag.version)
        .where(Version.pacticipant_id.in_({version.pacticipant_id for version in versions}))
        .group_by(Version.pacticipant_id, Tag.name)
    )
    latest = set(session().execute(newest))
    return {tag.id for version in versions for tag in version.tags if (tag.version_id, tag.name) in latest}


def batched(versions: Collection[Version]) -> Iterator[list[int]]:
    """Return the versions' ids in lists that are short enough for a query."""
    ids = iter([version.id for version in versions])
    while batch := list(islice(ids, MOST_IN_A_QUERY)):
        yield batch


def latest_pacts(*columns: Any, pacticipant: Pacticipant | None = None) -> Select[Any]:
    """Return the query for the latest pact of each `CONSUMER` with each `PROVIDER`, by their names.

    Args:
        columns: The columns to return: of these two, of `PactVersion`, `Publication` or `Version`.
        pacticipant: Only pacts of this one, as consumer or as provider.
    """
    pair = (PactVersion.consumer_id, PactVersion.provider_id)
    newest = select(*pair, func.max(Publication.consumer_version_id).label("version_id"))
    newest = newest.join(Publication.pact_version).group_by(*pair)
    if pacticipant is not None:
        newest = newest.where((pair[0] == pacticipant.id) | (pair[1] == pacticipant.id))
    latest = newest.subquery()
    return (
        select(*columns)
        .select_from(latest)
        .join(Publication, Publication.consumer_version_id == latest.c.version_id)
        .join(
            PactVersion,
            (PactVersion.id == Publication.pact_version_id)
            & (PactVersion.consumer_id == latest.c.consumer_id)
            & (PactVersion.provider_id == latest.c.provider_id),
        )
        .join(Version, Version.id == Publication.consumer_version_id)
        .join(CONSUMER, CONSUMER.id == PactVersion.consumer_id)
        .join(PROVIDER, PROVIDER.id == PactVersion.provider_id)
        .order_by(func.lower(CONSUMER.name), func.lower(PROVIDER.name))
    )


def last_result_id() -> int:
    """Return the id of the latest verification result, 0 for none: what is made now comes after it."""
    return session().scalar(select(func.max(VerificationResult.id))) or 0


def publications() -> Select[Publication]:
    """Return the query for all publications with their versions and contents joined, the latest first."""
    return (
        select(Publication)
        .join(Publication.consumer_version)
        .join(Publication.pact_version)
        .order_by(Version.id.desc())
    )


def with_names(query: Select[Publication]) -> Select[Publication]:
    """Return the query with all that a list shows of each publication, so that it isn't loaded one by one."""
    return query.options(
        contains_eager(Publication.consumer_version),
        contains_eager(Publication.pact_version).options(
            joinedload(PactVersion.consumer), joinedload(PactVersion.provider)
        ),
    )


def between(query: Select[Publication], *, provider: str, consumer: str) -> Select[Publication]:
    """Return the query narrowed to the pacts of one consumer with one provider."""
    return query.where(
        PactVersion.provider_id == _id_of(provider), PactVersion.consumer_id == _id_of(consumer)
    )


def _id_of(name: str) -> object:
    return select(Pacticipant.id).where(Pacticipant.name == name).scalar_subquery()
