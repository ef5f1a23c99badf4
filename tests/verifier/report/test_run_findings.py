"""What a run of many pacts means as a whole: the worst counts, and pending ones don't."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime

import pytest

from broker.client.for_verification import Notice, PactForVerification
from tests.support.examples import ERROR, FAILED, PASSED, verification
from verifier.errors import ErrorKind
from verifier.exit_code import ExitCode
from verifier.report.interface import Findings
from verifier.report.run_findings import PactFindings, RunFindings
from verifier.verification import Outcome, PublishedResult, VerificationError

PENDING = PactForVerification("http://b.example/pacts/1", "Storefront", "1", "abc", pending=True)
AWAY = VerificationError(ErrorKind.INTERACTIONS_NOT_VERIFIED, "no answer", retryable=True)
UNUSABLE = VerificationError(ErrorKind.PACT_UNUSABLE, "a status that is no number")
PUBLISHED = PublishedResult("http://b.example/results/1", success=True, provider_version="1")

passed = PactFindings(Findings(verification(PASSED)))
failed = PactFindings(Findings(verification(PASSED, FAILED)))
unknown = PactFindings(Findings(verification(ERROR, error=AWAY)))
refused = PactFindings(Findings(verification(PASSED), publishing=True, publish_error="403"))


def run(*pacts: PactFindings, **values: object) -> RunFindings:
    return RunFindings(started_at=datetime.now(UTC), pacts=pacts, planned=len(pacts), **values)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("pacts", "code"),
    [
        ((), ExitCode.PASSED),
        ((passed, passed), ExitCode.PASSED),
        ((passed, unknown), ExitCode.COULD_NOT_VERIFY),
        ((unknown, refused, passed), ExitCode.NOT_PUBLISHED),
        ((unknown, refused, failed, passed), ExitCode.FAILED),
    ],
)
def test_the_worst_pact_counts_in_any_order(pacts: tuple[PactFindings, ...], code: ExitCode) -> None:
    for order in itertools.permutations(pacts):
        assert run(*order).exit_code == code


def test_the_run_itself_and_an_interruption_count() -> None:
    error = VerificationError(ErrorKind.NO_PACTS, "none")
    assert run(error=error).exit_code == ExitCode.COULD_NOT_VERIFY
    assert run(failed, error=error).exit_code == ExitCode.FAILED
    assert run(failed, interrupted=True).exit_code == ExitCode.INTERRUPTED
    assert run(passed, interrupted=True).outcome == Outcome.ERROR


@pytest.mark.parametrize(
    ("findings", "code"),
    [
        (Findings(verification(FAILED), publishing=True, published=PUBLISHED), ExitCode.PASSED),
        (Findings(verification(FAILED), publishing=True, publish_error="403"), ExitCode.NOT_PUBLISHED),
        (Findings(verification(ERROR, error=UNUSABLE)), ExitCode.PASSED),
        (Findings(verification(ERROR, error=AWAY)), ExitCode.COULD_NOT_VERIFY),
        (Findings(verification(PASSED)), ExitCode.PASSED),
    ],
    ids=["failed", "refused", "unusable", "outage", "passed"],
)
def test_a_pending_pact_fails_the_run_by_an_outage_alone(findings: Findings, code: ExitCode) -> None:
    pact = PactFindings(findings, PENDING)
    assert pact.exit_code == code
    assert run(passed, pact).exit_code == code


def test_those_that_failed_come_last() -> None:
    pending = PactFindings(Findings(verification(FAILED)), PENDING)
    ordered = run(failed, refused, pending, passed, unknown).worst_last()
    assert ordered == [passed, pending, unknown, refused, failed]


def test_notices_are_those_of_the_end() -> None:
    ends = [
        f"success_{success}_published_{told}" for success in ("true", "false") for told in ("true", "false")
    ]
    when = ["before_verification", *(f"after_verification:{end}" for end in ends)]
    asked = PactForVerification("u", "C", "1", "abc", notices=tuple(Notice(one, one) for one in when))
    for findings, last in (
        (Findings(verification(PASSED), published=PUBLISHED), "success_true_published_true"),
        (Findings(verification(FAILED)), "success_false_published_false"),
    ):
        pact = PactFindings(findings, asked)
        assert pact.before == ["before_verification"]
        assert pact.after == [f"after_verification:{last}"]
    assert PactFindings(Findings(verification(ERROR, error=AWAY)), asked).after == []
    assert (passed.before, passed.after) == ([], [])
