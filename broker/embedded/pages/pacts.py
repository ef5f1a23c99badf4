"""The page at `/`: the latest pact of each consumer with each provider, and its last result."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import select

from broker.embedded.http.hal import encode, url
from broker.embedded.pages.rendering import render
from broker.embedded.pages.results import Result, last_results
from broker.embedded.storage import records
from broker.embedded.storage.records import CONSUMER, PROVIDER, session
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
        pacticipant: Only pacts of this one, as consumer or as provider.
    """
    columns = (
        PactVersion.id,
        Version.id,
        CONSUMER.name,
        PROVIDER.name,
        Version.number,
        Publication.created_at,
    )
    found = session().execute(records.latest_pacts(*columns, pacticipant=pacticipant)).all()
    results = last_results({row[0] for row in found})
    versions = records.latest_pacts(Version.id, pacticipant=pacticipant).order_by(None)
    branches = branches_of(BranchVersion.version_id.in_(versions))
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
