"""Work in progress: the latest pacts of consumers' branches and tags that the provider hasn't verified yet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import func

from broker.embedded.storage.records import publications, session
from broker.embedded.storage.tables import Branch, BranchVersion, PactVersion, Publication, Tag, Version
from broker.embedded.verification import pending

if TYPE_CHECKING:
    from collections.abc import Container

    from sqlalchemy import Executable

    from broker.embedded.storage.tables import Pacticipant
    from broker.embedded.verification.pending import ProviderVersion

_READ_MORE = "Read more at https://docs.pact.io/go/wip"


@dataclass(frozen=True)
class WorkInProgress:
    """A pact, with the branches and tags that it is the latest of."""

    publication: Publication
    branches: tuple[str, ...]
    tags: tuple[str, ...]

    @property
    def short(self) -> str:
        """The reason why it is verified, in short."""
        return ", ".join(
            [f"latest from branch {name}" for name in self.branches]
            + [f"latest with tag {name}" for name in self.tags]
        )

    def notice(self, url: str) -> dict[str, str]:
        """Return the notice with the reason why it is verified."""
        parts = []
        if self.branches:
            parts.append(f"from {'branch' if len(self.branches) == 1 else 'branches'} {_join(self.branches)}")
        if self.tags:
            parts.append(f"tagged with {_join(self.tags)}")
        text = (
            f"The pact at {url} is being verified because it is a 'work in progress' pact (ie. it is the pact for the "
            f"latest version of {self.publication.pact_version.consumer.name} {' and '.join(parts)} and is still in "
            f"pending state). {_READ_MORE}"
        )
        return {"when": "before_verification", "text": text}


def find(
    provider: Pacticipant, verifier: ProviderVersion, *, since: str, without: Container[int]
) -> list[WorkInProgress]:
    """Return the pacts in progress.

    Args:
        provider: The provider that verifies them.
        verifier: The provider's version; without a branch or tags there is no work in progress.
        since: A date or a time in ISO 8601; what was published before is none.
        without: The ids of the contents that are verified anyway.
    """
    if verifier.branch is None and not verifier.tags:
        return []
    of_it = publications().where(PactVersion.provider_id == provider.id)
    by_branch = (
        of_it.join(BranchVersion, BranchVersion.version_id == Version.id)
        .join(Branch, Branch.id == BranchVersion.branch_id)
        .with_only_columns(func.max(Publication.consumer_version_id), PactVersion.consumer_id, Branch.name)
        .group_by(PactVersion.consumer_id, Branch.name)
    )
    by_tag = (
        of_it.join(Tag, Tag.version_id == Version.id)
        .with_only_columns(func.max(Publication.consumer_version_id), PactVersion.consumer_id, Tag.name)
        .group_by(PactVersion.consumer_id, Tag.name)
    )
    branches, tags = _names(by_branch.order_by(None)), _names(by_tag.order_by(None))
    heads = of_it.where(
        Publication.consumer_version_id.in_(branches.keys() | tags.keys()), Publication.created_at >= since
    )
    return [
        WorkInProgress(one, branches.get(one.consumer_version_id, ()), tags.get(one.consumer_version_id, ()))
        for one in session().scalars(heads)
        if one.pact_version_id not in without and pending.status(one.pact_version, verifier).pending
    ]


def _names(heads: Executable) -> dict[int, tuple[str, ...]]:
    found: dict[int, tuple[str, ...]] = {}
    for version_id, _, name in session().execute(heads):
        found[version_id] = (*found.get(version_id, ()), name)
    return found


def _join(names: tuple[str, ...]) -> str:
    return " and ".join(f"'{name}'" for name in names)
