"""Work in progress: the latest pacts of consumers' branches and tags that the provider hasn't verified yet."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import select

from broker.embedded.storage.heads import heads_of_branches, heads_of_tags
from broker.embedded.storage.records import publications, session, with_names
from broker.embedded.storage.tables import Branch, PactVersion, Publication, Tag, Version
from broker.embedded.verification.pending import ProviderVersion, verified_for_branch, verified_for_tag

if TYPE_CHECKING:
    from collections.abc import Container, Iterable

    from sqlalchemy import Executable

    from broker.embedded.storage.tables import Pacticipant


@dataclass(frozen=True)
class WorkInProgress:
    """A pact, with the branches and tags that its content is the latest of, and for whom it is work in progress."""

    publication: Publication
    branches: tuple[str, ...]
    tags: tuple[str, ...]
    verifier: ProviderVersion

    @property
    def short(self) -> str:
        """The reason why it is verified, in short."""
        by_branch = [f"latest from branch {name}" for name in self.branches]
        by_tag = [f"latest with tag {name}" for name in self.tags]
        return ", ".join(by_branch + by_tag if self.verifier.branch is not None else by_tag + by_branch)


def find(
    provider: Pacticipant, verifier: ProviderVersion, *, since: str, without: Container[int]
) -> list[WorkInProgress]:
    """Return the pacts in progress, by consumer.

    Args:
        provider: The provider that verifies them.
        verifier: The provider's version; without a branch or tags there is no work in progress.
        since: A date or a time in ISO 8601; what was published before is none.
        without: The ids of the contents that are verified anyway.
    """
    if verifier.branch is None and not verifier.tags:
        return []
    consumers = select(PactVersion.consumer_id).where(PactVersion.provider_id == provider.id)
    of_branches, of_tags = Branch.pacticipant_id.in_(consumers), Version.pacticipant_id.in_(consumers)
    branches = _names(heads_of_branches(of_branches).add_columns(Branch.name))
    tags = _names(heads_of_tags(of_tags).add_columns(Tag.name))
    query = publications().where(
        PactVersion.provider_id == provider.id,
        Publication.created_at >= since,
        Publication.consumer_version_id.in_(heads_of_branches(of_branches))
        | Publication.consumer_version_id.in_(heads_of_tags(of_tags)),
    )
    heads: dict[int, list[Publication]] = defaultdict(list)
    for one in session().scalars(with_names(query)):
        if one.pact_version_id not in without:
            heads[one.pact_version_id].append(one)
    found = []
    for same in heads.values():
        pending_for = _pending_for(same[0].pact_version, verifier)
        if pending_for is not None:
            found.append(WorkInProgress(same[0], _of(same, branches), _of(same, tags), pending_for))
    return sorted(
        found,
        key=lambda one: (one.publication.pact_version.consumer.name, one.publication.consumer_version_id),
    )


def _pending_for(pact: PactVersion, verifier: ProviderVersion) -> ProviderVersion | None:
    """Return for which branch or tags a content is work in progress, None if for none."""
    if verifier.branch is not None:
        return None if verified_for_branch(pact, verifier.branch, when_not_wip=True) else verifier
    missing = tuple(tag for tag in verifier.tags if not verified_for_tag(pact, tag, when_not_wip=True))
    return ProviderVersion(tags=missing) if missing else None


def _of(pacts: Iterable[Publication], names: dict[int, tuple[str, ...]]) -> tuple[str, ...]:
    return tuple(sorted({name for one in pacts for name in names.get(one.consumer_version_id, ())}))


def _names(heads: Executable) -> dict[int, tuple[str, ...]]:
    found: dict[int, tuple[str, ...]] = {}
    for version_id, name in session().execute(heads):
        found[version_id] = (*found.get(version_id, ()), name)
    return found
