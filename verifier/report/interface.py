"""What every report is given, and what it does with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TextIO

from verifier.verification import Outcome

if TYPE_CHECKING:
    from verifier.verification import InteractionResult, PublishedResult, Verification


@dataclass(frozen=True)
class Findings:
    """All there is to report.

    Attributes:
        verification: what was found out.
        publishing: whether the result was to be published.
        published: the result as the broker has it, once it was published and confirmed.
        publish_error: why the broker doesn't have it, if publishing failed.
    """

    verification: Verification
    publishing: bool = False
    published: PublishedResult | None = None
    publish_error: str | None = None

    @property
    def exit_code(self) -> int:
        """The exit code that says the same: 0 passed, 1 failed, 3 could not verify, 4 not published."""
        if self.publish_error is not None:
            return 4
        return {Outcome.PASSED: 0, Outcome.FAILED: 1, Outcome.ERROR: 3}[self.verification.outcome]


class Report(Protocol):
    """A way to write findings."""

    def write(self, findings: Findings, stream: TextIO) -> None:
        """Write the findings to a text stream, whole."""


def summary(findings: Findings) -> str:
    """Say in a sentence how it went."""
    verification = findings.verification
    total = len(verification.interactions)
    if verification.outcome == Outcome.ERROR:
        return "Could not verify"
    if verification.outcome == Outcome.FAILED:
        failed = sum(
            result.outcome == Outcome.FAILED and not result.pending for result in verification.interactions
        )
        return f"Failed: {failed} of {count(total, 'interaction')}"
    pending = verification.count(Outcome.FAILED)
    return f"Passed: {count(total, 'interaction')}" + (
        f", {pending} of them pending and failing" if pending else ""
    )


def count(number: int, noun: str) -> str:
    """Write a number with its noun."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def seconds(duration: float | None) -> str:
    """Write a duration for people; "" where there is none."""
    if duration is None:
        return ""
    return f"{duration * 1000:.0f} ms" if duration < 1 else f"{duration:.1f} s"


def parties(verification: Verification) -> list[tuple[str, str]]:
    """List who and what was verified, as labels and values."""
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


def publication(findings: Findings) -> str:
    """Say what became of the result."""
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


def result_word(result: InteractionResult) -> str:
    """Name an interaction's outcome, for people."""
    if result.pending and result.outcome == Outcome.FAILED:
        return "pending"
    return {"passed": "passed", "failed": "failed", "error": "not verified"}[result.outcome.value]
