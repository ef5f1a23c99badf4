"""A run's verification with what became of its result, which the run alone knows (no I/O)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.records.run import Publishing
from verifier.report.interface import Findings
from verifier.verification import Outcome, PublishedResult

if TYPE_CHECKING:
    from verifier.verification import Verification


def findings_of(
    verification: Verification, publishing: str | None, *, result_url: str | None, publish_error: str | None
) -> Findings:
    """Return what a report shows of a run.

    Args:
        verification: The run's verification.
        publishing: What became of its result, a value of `Publishing`.
        result_url: The result in the broker.
        publish_error: Why it was not published, or not yet.
    """
    published, error = None, None
    if verification.outcome != Outcome.ERROR:
        if publishing == Publishing.PUBLISHED and result_url is not None:
            passed = verification.outcome == Outcome.PASSED
            published = PublishedResult(result_url, passed, verification.provider_version or "")
        elif publishing == Publishing.PENDING:
            why = f" ({publish_error})" if publish_error else ""
            error = f"the broker has not taken it yet{why}; it is tried again by itself"
        elif publishing == Publishing.NONE:
            error = "the provider's version is not known"
        else:
            error = publish_error or "the broker did not take it"
    return Findings(
        verification, publishing=publishing != Publishing.NONE, published=published, publish_error=error
    )
