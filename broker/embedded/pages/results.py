"""The last verification results of contents, for many at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import func, select

from broker.embedded.http.hal import url
from broker.embedded.storage.records import session
from broker.embedded.storage.tables import PactVersion, VerificationResult, Version

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from sqlalchemy import ColumnElement

FEW = 500
"""The most contents that a query names; for more, all results are read."""


@dataclass(frozen=True)
class Result:
    """A verification result in a list."""

    number: int
    pact_version_id: int
    success: bool
    provider_version: str
    created_at: str
    build_url: str | None
    sha: str

    def url(self, consumer: str, provider: str) -> str:
        """Return its URL; the names are those of the pact."""
        return url(
            *("pacts", "provider", provider, "consumer", consumer),
            *("pact-version", self.sha, "verification-results", str(self.number)),
        )


def last_results(contents: Collection[int]) -> dict[int, Result]:
    """Return the last result of each content that has one, by the content's id."""
    newest = select(func.max(VerificationResult.id)).group_by(VerificationResult.pact_version_id)
    if len(contents) <= FEW:
        newest = newest.where(VerificationResult.pact_version_id.in_(contents))
    return {
        one.pact_version_id: one
        for one in _select(VerificationResult.id.in_(newest))
        if one.pact_version_id in contents
    }


def results_of(pact_version_id: int, *, limit: int) -> Sequence[Result]:
    """Return the results of a content, the last first."""
    return _select(VerificationResult.pact_version_id == pact_version_id, limit=limit)


def _select(condition: ColumnElement[bool], *, limit: int | None = None) -> list[Result]:
    query = (
        select(
            VerificationResult.id,
            VerificationResult.pact_version_id,
            VerificationResult.success,
            Version.number,
            VerificationResult.created_at,
            VerificationResult.build_url,
            PactVersion.sha,
        )
        .join(Version, Version.id == VerificationResult.provider_version_id)
        .join(PactVersion, PactVersion.id == VerificationResult.pact_version_id)
        .where(condition)
        .order_by(VerificationResult.id.desc())
        .limit(limit)
    )
    return [Result(*row) for row in session().execute(query)]
