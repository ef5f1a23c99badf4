"""What is said of a run's result is what became of it, wherever the report of its verification is shown."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from typing import Any

import pytest

from app.commands.runs.rendering import write_run
from app.records.run_findings import findings_of
from tests.support import examples
from verifier.errors import ErrorKind
from verifier.report.interface import publication
from verifier.verification import Verification, VerificationError

RESULT = "http://broker.example.org/results/1"
PASSED = Verification(
    "1",
    "http://broker.example.org/pacts/1",
    datetime(2026, 1, 1, tzinfo=UTC),
    interactions=(examples.PASSED,),
)
NOT_VERIFIED = Verification(
    "1", PASSED.pact_url, PASSED.started_at, error=VerificationError(ErrorKind.PROVIDER_NOT_READY, "slow")
)


@pytest.mark.parametrize(
    ("verification", "run", "sentence"),
    [
        (PASSED, {"publishing": "published"}, f"Published, and confirmed by the broker as passed: {RESULT}"),
        (
            PASSED,
            {"publishing": "pending", "publish_error": "503"},
            "Not published: the broker has not taken it yet (503); it is tried again by itself",
        ),
        (PASSED, {"publishing": "refused", "publish_error": "409"}, "Not published: 409"),
        (PASSED, {"publishing": "none"}, "Not published: the provider's version is not known"),
        (NOT_VERIFIED, {"publishing": "none"}, "Nothing was published: there is no result to publish"),
    ],
)
def test_a_report_of_a_run_says_what_became_of_its_result(
    verification: Verification, run: dict[str, Any], sentence: str
) -> None:
    url = RESULT if run["publishing"] == "published" else None
    findings = findings_of(
        verification, run["publishing"], result_url=url, publish_error=run.get("publish_error")
    )
    assert publication(findings) == sentence
    stream = io.StringIO()
    write_run({"id": "x", "result_url": url, **run}, verification.to_dict(), stream)
    assert sentence in stream.getvalue().splitlines()
