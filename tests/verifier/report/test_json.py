"""The JSON report: as its schema says, and readable back."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import verifier.report
from tests.support.examples import (
    COMMENTED,
    ERROR,
    FAILED,
    MANY_MISMATCHES,
    PASSED,
    PENDING_FAILED,
    verification,
)
from verifier.errors import ErrorKind
from verifier.report.interface import Findings
from verifier.report.json import JsonReport
from verifier.verification import PublishedResult, Verification, VerificationError

SCHEMA = json.loads(
    (Path(verifier.report.__file__).parent / "verification.schema.json").read_text(encoding="utf-8")
)
PUBLISHED = PublishedResult("http://broker.example/results/1", success=True, provider_version="abc1234")

CASES = {
    "passed": Findings(verification(PASSED)),
    "failed": Findings(verification(PASSED, FAILED, PENDING_FAILED)),
    "not verified": Findings(verification(PASSED, ERROR)),
    "no pact": Findings(
        Verification(
            id="6f2d6c32-8f0a-4f0e-9e0c-0c9d2d5f5a11",
            pact_url="pact.json",
            started_at=verification().started_at,
            error=VerificationError("pact-unavailable", "401", output="x"),
        )
    ),
    "published": Findings(verification(PASSED), publishing=True, published=PUBLISHED),
    "published before": Findings(
        verification(PASSED), publishing=True, published=replace(PUBLISHED, already_there=True)
    ),
    "not published": Findings(verification(FAILED), publishing=True, publish_error="403 Forbidden"),
    "with notes": Findings(
        verification(PASSED, notes=("one",), build_url="http://ci/1", interactions_in_pact=9)
    ),
    "messages": Findings(
        verification(
            replace(PASSED, kind="Asynchronous/Messages"),
            replace(PASSED, kind="Synchronous/Messages", duration=None),
        )
    ),
    "many": Findings(verification(MANY_MISMATCHES)),
    "commented": Findings(verification(COMMENTED)),
    "hostile": Findings(verification(replace(PASSED, description="\x1b[31m\n\u2028</script>\ud800"))),
}


def written(findings: Findings) -> Any:
    stream = io.StringIO()
    JsonReport().write(findings, stream)
    assert stream.getvalue().endswith("}\n")
    return json.loads(stream.getvalue())


def check(document: Any) -> None:
    jsonschema.validate(
        document, SCHEMA, cls=jsonschema.Draft202012Validator, format_checker=jsonschema.FormatChecker()
    )


@pytest.mark.parametrize("findings", CASES.values(), ids=CASES.keys())
def test_report_is_as_the_schema_says(findings: Findings) -> None:
    check(written(findings))


@pytest.mark.parametrize("findings", CASES.values(), ids=CASES.keys())
def test_report_has_no_field_that_the_schema_does_not_name(findings: Findings) -> None:
    strict = json.loads(json.dumps(SCHEMA))
    for part in (strict, *strict["$defs"].values()):
        if "properties" in part:
            part["additionalProperties"] = False
    jsonschema.validate(written(findings), strict, cls=jsonschema.Draft202012Validator)


@pytest.mark.parametrize("findings", CASES.values(), ids=CASES.keys())
def test_report_can_be_loaded_as_a_verification(findings: Findings) -> None:
    assert Verification.from_dict(written(findings)) == findings.verification


def test_schema_itself_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_schema_knows_each_kind_of_error() -> None:
    assert tuple(SCHEMA["$defs"]["error"]["properties"]["kind"]["enum"]) == tuple(ErrorKind)


@pytest.mark.parametrize("missing", sorted(SCHEMA["required"]))
def test_schema_misses_what_is_missing(missing: str) -> None:
    document = written(CASES["failed"])
    del document[missing]
    with pytest.raises(jsonschema.ValidationError, match=missing):
        check(document)


@pytest.mark.parametrize(
    ("case", "exit_code", "outcome"),
    [
        ("passed", 0, "passed"),
        ("failed", 1, "failed"),
        ("no pact", 3, "error"),
        ("not published", 4, "failed"),
    ],
)
def test_report_says_the_exit_code_and_outcome(case: str, exit_code: int, outcome: str) -> None:
    document = written(CASES[case])
    assert (document["exit_code"], document["outcome"]) == (exit_code, outcome)


def test_report_says_what_became_of_the_result() -> None:
    assert written(CASES["published"])["published"] == {
        "url": "http://broker.example/results/1",
        "success": True,
        "provider_version": "abc1234",
        "already_there": False,
    }
    assert written(CASES["not published"])["publish_error"] == "403 Forbidden"
    assert written(CASES["passed"])["published"] is None


def test_report_is_ascii_so_that_any_stream_takes_it() -> None:
    stream = io.StringIO()
    JsonReport().write(CASES["hostile"], stream)
    assert stream.getvalue().isascii()
