"""Whether a pact is pending for a provider's branch or tags, and the notices that explain it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import exists, func, select, true

from broker.embedded.storage.records import session
from broker.embedded.storage.tables import Branch, BranchVersion, Tag, VerificationResult, Version
from broker.embedded.verification import notices

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Select

    from broker.embedded.storage.tables import PactVersion

_READ_MORE = "Read more at https://docs.pact.io/go/pending"


@dataclass(frozen=True)
class ProviderVersion:
    """The provider version that is going to verify, by its branch, or else by its tags."""

    branch: str | None = None
    tags: tuple[str, ...] = ()


@dataclass(frozen=True)
class Status:
    """Whether a content is pending, and for whom, in a real broker's words.

    Attributes:
        pending: No success that counts for the branch, for each of the tags, or at all.
        provider: The provider's name.
        some: The versions that it is pending for or was verified by: `a version of Bar from branch 'main'`.
        every: The versions for which that holds: `any version of Bar from branch 'main'`.
        by_tag: Words that the notices have where the tags count.
        wip: Whether it is verified as work in progress.
    """

    pending: bool
    provider: str
    some: str
    every: str
    by_tag: str = ""
    wip: bool = False

    def notices(self) -> list[dict[str, str]]:
        """Return the notices, by when they are shown: whether it succeeded, and whether that was published."""
        if not self.pending:
            return [
                notices.before(
                    f"This pact has previously been successfully verified by {self.some}. If this verification fails, "
                    f"it will fail the build. {_READ_MORE}"
                )
            ]
        reason = (
            "it was included as a 'work in progress' pact"
            if self.wip
            else f"a successful verification result for {self.some} has not yet been published"
        )
        still = f"This pact is still in pending state for {self.every} as"
        missing = f"{still} a successful verification result {self.by_tag}has not yet been published"
        texts = {
            "after_verification:success_true_published_false": (
                f"{still} the successful verification results {self.by_tag}have not yet been published."
            ),
            "after_verification:success_false_published_false": missing,
            "after_verification:success_true_published_true": (
                f"This pact is no longer in pending state for {self.every}, as a successful verification result "
                f"{self.by_tag}has been published. If a verification for a version of {self.provider} {self.by_tag}"
                f"fails in the future, it will fail the build. {_READ_MORE}"
            ),
            "after_verification:success_false_published_true": missing,
        }
        return [
            notices.before(
                f"This pact is in pending state for this version of {self.provider} because {reason}. If this "
                f"verification fails, it will not cause the overall build to fail. {_READ_MORE}"
            ),
            *({"when": when, "text": text} for when, text in texts.items()),
        ]


def status(pact: PactVersion, verifier: ProviderVersion) -> Status:
    """Return whether a content is pending for the provider version that is going to verify it."""
    if verifier.branch is not None:
        pending = not verified_for_branch(pact, verifier.branch)
        return described(pact.provider.name, verifier, pending=pending)
    missing = tuple(tag for tag in verifier.tags if not verified_for_tag(pact, tag))
    if not verifier.tags:
        return described(pact.provider.name, verifier, pending=not _any(pact))
    named = ProviderVersion(tags=missing or verifier.tags)
    return described(pact.provider.name, named, pending=bool(missing))


def described(name: str, verifier: ProviderVersion, *, pending: bool, wip: bool = False) -> Status:
    """Return a status in words.

    Args:
        name: The provider's name.
        verifier: The branch, or the tags that it is pending for, or was verified for.
        pending: Whether it is pending.
        wip: Whether it is verified as work in progress.
    """
    if verifier.branch is not None:
        which = f"version of {name} from branch '{verifier.branch}'"
        return Status(pending, name, f"a {which}", f"any {which}", wip=wip)
    tags = verifier.tags
    if not tags:
        return Status(pending, name, name, name, wip=wip)
    versions = "versions" if pending and len(tags) > 1 else "version"
    which = f"{versions} of {name} with tag {notices.quoted(tags)}"
    by_tag = "with this tag " if len(tags) == 1 else "with these tags "
    return Status(pending, name, f"a {which}", f"any {which}", by_tag, wip=wip)


def verified_for_branch(pact: PactVersion, branch: str, *, when_not_wip: bool = False) -> bool:
    """Return whether a success counts for a branch: from the branch, or from another one before this one existed.

    So a branch that breaks a verified contract isn't excused as one that never verified it.

    Args:
        pact: The content.
        branch: The provider's branch.
        when_not_wip: Let only results count that weren't those of work in progress.
    """
    on_branch = (
        select(BranchVersion.version_id)
        .join(BranchVersion.branch)
        .where(Branch.pacticipant_id == pact.provider_id)
    )
    made = session().scalar(
        select(Branch.results_before).where(Branch.pacticipant_id == pact.provider_id, Branch.name == branch)
    )
    return _any(
        pact,
        _from(on_branch.where(Branch.name == branch))
        | (_from(on_branch.where(Branch.name != branch)) & _before(made)),
        when_not_wip=when_not_wip,
    )


def verified_for_tag(pact: PactVersion, tag: str, *, when_not_wip: bool = False) -> bool:
    """Return whether a success counts for a tag: with the tag, or with another one before this one was first used."""
    tagged = select(Tag.version_id).join(Tag.version).where(Version.pacticipant_id == pact.provider_id)
    first = session().scalar(
        select(func.min(Tag.results_before))
        .join(Tag.version)
        .where(Version.pacticipant_id == pact.provider_id, Tag.name == tag)
    )
    return _any(
        pact,
        _from(tagged.where(Tag.name == tag)) | (_from(tagged.where(Tag.name != tag)) & _before(first)),
        when_not_wip=when_not_wip,
    )


def _any(pact: PactVersion, *conditions: ColumnElement[bool], when_not_wip: bool = False) -> bool:
    query = exists().where(
        VerificationResult.pact_version_id == pact.id, VerificationResult.success, *conditions
    )
    if when_not_wip:
        query = query.where(~VerificationResult.wip)
    return bool(session().scalar(select(query)))


def _from(versions: Select[Any]) -> ColumnElement[bool]:
    return VerificationResult.provider_version_id.in_(versions)


def _before(result: int | None) -> ColumnElement[bool]:
    """Return the condition for results up to one; None stands for what doesn't exist yet, before which all are."""
    return true() if result is None else VerificationResult.id <= result
