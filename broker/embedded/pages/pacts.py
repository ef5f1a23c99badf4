"""The page at `/`: the latest pact of each consumer with each provider, and its last result."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import func, select
from sqlalchemy.orm import aliased

from broker.embedded.http.hal import encode, url
from broker.embedded.pages.rendering import render
from broker.embedded.pages.results import Result, last_results
from broker.embedded.storage.records import session
from broker.embedded.storage.tables import (
    Branch,
    BranchVersion,
    Pacticipant,
    PactVersion,
    Publication,
    Version,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from flask import Response
    from sqlalchemy import ColumnElement


@dataclass(frozen=True)
class LatestPact:
    """A row of the list."""

    consumer: str
    provider: str
    number: str
    published_at: str
    branches: tuple[str, ...]
    result: Result | None
    consumer_url: str
    provider_url: str
    url: str


def show() -> Response:
    """Answer the list of all pacts."""
    return render("pacts.html", pacts=latest_pacts())


def latest_pacts(pacticipant: Pacticipant | None = None) -> list[LatestPact]:
    """Return the latest pact of each pair by their names.

    Args:
        pacticipant: Whose pacts alone are wanted, as consumer or as provider.
    """
    consumer, provider = aliased(Pacticipant), aliased(Pacticipant)
    pair = (PactVersion.consumer_id, PactVersion.provider_id)
    newest = select(*pair, func.max(Publication.consumer_version_id).label("version_id"))
    newest = newest.join(Publication.pact_version).group_by(*pair)
    if pacticipant is not None:
        newest = newest.where((pair[0] == pacticipant.id) | (pair[1] == pacticipant.id))
    latest = newest.subquery()
    query = (
        select(
            PactVersion.id, Version.id, consumer.name, provider.name, Version.number, Publication.created_at
        )
        .select_from(latest)
        .join(Publication, Publication.consumer_version_id == latest.c.version_id)
        .join(
            PactVersion,
            (PactVersion.id == Publication.pact_version_id)
            & (PactVersion.consumer_id == latest.c.consumer_id)
            & (PactVersion.provider_id == latest.c.provider_id),
        )
        .join(Version, Version.id == Publication.consumer_version_id)
        .join(consumer, consumer.id == PactVersion.consumer_id)
        .join(provider, provider.id == PactVersion.provider_id)
        .order_by(func.lower(consumer.name), func.lower(provider.name))
    )
    found = session().execute(query).all()
    results = last_results({row[0] for row in found})
    branches = branches_of(BranchVersion.version_id.in_(select(latest.c.version_id)))
    base = url()
    return [
        LatestPact(
            row[2],
            row[3],
            row[4],
            row[5],
            branches.get(row[1], ()),
            results.get(row[0]),
            f"{base}/pacticipants/{encode(row[2])}",
            f"{base}/pacticipants/{encode(row[3])}",
            f"{base}/pacts/provider/{encode(row[3])}/consumer/{encode(row[2])}/version/{encode(row[4])}",
        )
        for row in found
    ]


def branches_of(condition: ColumnElement[bool]) -> dict[int, tuple[str, ...]]:
    """Return the branches of versions, by the version's id."""
    query = select(BranchVersion.version_id, Branch.name).join(BranchVersion.branch).where(condition)
    return by_version((row[0], row[1]) for row in session().execute(query.order_by(BranchVersion.id)))


def by_version(pairs: Iterable[tuple[int, str]]) -> dict[int, tuple[str, ...]]:
    """Return the names that belong to each version, by the version's id."""
    found: dict[int, tuple[str, ...]] = {}
    for version_id, name in pairs:
        found[version_id] = (*found.get(version_id, ()), name)
    return found
