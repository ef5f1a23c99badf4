"""The interface of the reports, and the phrases that they share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TextIO, TypeVar

from verifier.exit_code import ExitCode
from verifier.report.amounts import count
from verifier.verification import Outcome

if TYPE_CHECKING:
    from verifier.report.failures import Failure
    from verifier.verification import InteractionResult, PublishedResult, Verification

FoundT_contra = TypeVar("FoundT_contra", contravariant=True)

_EXIT_CODES = {
    Outcome.PASSED: ExitCode.PASSED,
    Outcome.FAILED: ExitCode.FAILED,
    Outcome.ERROR: ExitCode.COULD_NOT_VERIFY,
}


@dataclass(frozen=True)
class Findings:
    """A verification, and what became of its publication.

    Attributes:
        verification: The verification.
        publishing: Whether the result was to be published.
        published: The result as the broker recorded it, if it was published and confirmed.
        publish_error: Why it was not published, if publishing failed.
    """

    verification: Verification
    publishing: bool = False
    published: PublishedResult | None = None
    publish_error: str | None = None

    @property
    def exit_code(self) -> ExitCode:
        """The exit code of `verify`."""
        if self.publish_error is not None:
            return ExitCode.NOT_PUBLISHED
        return _EXIT_CODES[self.verification.outcome]


class Report(Protocol[FoundT_contra]):
    """A format of the report: of one verification, or of a run of many."""

    def write(self, findings: FoundT_contra, stream: TextIO) -> None:
        """Write the whole report to a text stream."""


def summary(findings: Findings) -> str:
    """Return the outcome in a sentence."""
    verification = findings.verification
    total = len(verification.interactions)
    if verification.outcome == Outcome.ERROR:
        return "Could not verify"
    if verification.outcome == Outcome.FAILED:
        failed = sum(result.breaks_contract for result in verification.interactions)
        return f"Failed: {failed} of {count(total, 'interaction')}"
    pending = verification.count(Outcome.FAILED)
    return f"Passed: {count(total, 'interaction')}" + (
        f", {pending} of them pending and failing" if pending else ""
    )


def more_differences(left_out: int) -> str:
    """Return how many differences are not shown, in words; "" if all are."""
    return f"... and {count(left_out, 'more difference')}" if left_out else ""


def shared_cause(failure: Failure) -> str:
    """Return how many interactions share a cause, in words."""
    verb = "can't be verified" if failure.first.outcome == Outcome.ERROR else "fail"
    return f"{count(len(failure.results), 'interaction')} {verb} for the same cause:"


def matched(failure: Failure) -> str:
    """Return which parts of the answer are as expected, in words."""
    parts = [{"header": "headers"}.get(part, part) for part in failure.matched]
    verb = "is" if len(parts) == 1 and parts[0] != "headers" else "are"
    return f"{' and '.join(parts)} {verb} as expected"


def parties(verification: Verification) -> list[tuple[str, str]]:
    """Return what was verified, as labels and values."""
    consumer = " ".join(filter(None, [verification.consumer, verification.consumer_version]))
    provider = " ".join(filter(None, [verification.provider, verification.provider_version]))
    if verification.provider_branch:
        provider += f" on {verification.provider_branch}"
    if verification.provider_tags:
        provider += f", tagged {', '.join(verification.provider_tags)}"
    pact = verification.pact_url
    if verification.specification:
        pact += f" (specification {verification.specification})"
    rows = [("Consumer", consumer), ("Provider", provider), ("Pact", pact)]
    return [(label, value) for label, value in rows if value]


def versions(verification: Verification) -> str:
    """Return the versions that were verified, as far as they are known, in words."""
    named = [("consumer", verification.consumer_version), ("provider", verification.provider_version)]
    known = [f"{role} version {version}" for role, version in named if version]
    return ", ".join(known) or "Does the provider honour this pact?"


def publication(findings: Findings) -> str:
    """Return what became of the result, in a sentence."""
    published = findings.published
    if findings.publish_error is not None:
        return f"Not published: {findings.publish_error}"
    if published is not None:
        recorded = "passed" if published.success else "failed"
        already = " (it was there already)" if published.already_there else ""
        return f"Published, and confirmed by the broker as {recorded}: {published.url}{already}"
    if findings.verification.outcome == Outcome.ERROR:
        return "Nothing was published: there is no result to publish"
    return "Not published: --publish-verification-results was not given"


def remarks(result: InteractionResult) -> list[tuple[str, str]]:
    """Return what the consumer has to say about an interaction, as labels and values."""
    named = [("test", result.test_name)] if result.test_name else []
    return [*named, *(("comment", comment) for comment in result.comments)]


def result_word(result: InteractionResult) -> str:
    """Return the word for an interaction's outcome."""
    if result.is_pending_failure:
        return "pending"
    return {"passed": "passed", "failed": "failed", "error": "not verified"}[result.outcome.value]
