"""Whether a pact is pending for a provider's branch or tags, and the notices that explain it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import exists, select

from broker.embedded.storage.records import session
from broker.embedded.storage.tables import Branch, BranchVersion, Tag, VerificationResult, Version

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement

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
        pending: No successful result from the branch, from a version with one of the tags, or at all.
        some: The version with or without a result: `a version of Bar from branch 'main'`.
        every: The versions for which that holds: `any version of Bar from branch 'main'`.
        by_tag: Words that the notices have where the tags count.
    """

    pending: bool
    provider: str
    some: str
    every: str
    by_tag: str = ""

    def notices(self) -> list[dict[str, str]]:
        """Return the notices, by when they are shown: whether it succeeded, and whether that was published."""
        if not self.pending:
            text = (
                f"This pact has previously been successfully verified by {self.some}. If this verification fails, "
                f"it will fail the build. {_READ_MORE}"
            )
            return [{"when": "before_verification", "text": text}]
        still = f"This pact is still in pending state for {self.every} as"
        missing = f"{still} a successful verification result {self.by_tag}has not yet been published"
        texts = {
            "before_verification": (
                f"This pact is in pending state for this version of {self.provider} because a successful "
                f"verification result for {self.some} has not yet been published. If this verification fails, it "
                f"will not cause the overall build to fail. {_READ_MORE}"
            ),
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
        return [{"when": when, "text": text} for when, text in texts.items()]


def status(pact: PactVersion, verifier: ProviderVersion) -> Status:
    """Return whether a content is pending for the provider version that is going to verify it."""
    name = pact.provider.name
    if verifier.branch is not None:
        which = f"version of {name} from branch '{verifier.branch}'"
        pending = not _verified(pact, _on_branch(pact, verifier.branch))
        return Status(pending, name, f"a {which}", f"any {which}")
    missing = [tag for tag in verifier.tags if not _verified(pact, _tagged(pact, tag))]
    tags = missing or list(verifier.tags)
    if not tags:
        return Status(not _verified(pact, Version.pacticipant_id == pact.provider_id), name, name, name)
    listed = " and ".join(filter(None, [", ".join(f"'{tag}'" for tag in tags[:-1]), f"'{tags[-1]}'"]))
    which = f"of {name} with tag {listed}"
    versions = "versions" if missing and len(tags) > 1 else "version"
    by_tag = "with this tag " if len(tags) == 1 else "with these tags "
    return Status(bool(missing), name, f"a {versions} {which}", f"any {versions} {which}", by_tag)


def _verified(pact: PactVersion, among: ColumnElement[bool]) -> bool:
    versions = select(Version.id).where(among)
    return bool(
        session().scalar(
            select(
                exists().where(
                    VerificationResult.pact_version_id == pact.id,
                    VerificationResult.success,
                    VerificationResult.provider_version_id.in_(versions),
                )
            )
        )
    )


def _on_branch(pact: PactVersion, branch: str) -> ColumnElement[bool]:
    return Version.id.in_(
        select(BranchVersion.version_id)
        .join(BranchVersion.branch)
        .where(Branch.name == branch, Branch.pacticipant_id == pact.provider_id)
    )


def _tagged(pact: PactVersion, tag: str) -> ColumnElement[bool]:
    tagged = select(Tag.version_id).where(Tag.name == tag)
    return (Version.pacticipant_id == pact.provider_id) & Version.id.in_(tagged)
