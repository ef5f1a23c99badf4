"""The outcome of a verification, and its saved form."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from tests.support.examples import ERROR, FAILED, PASSED, PENDING_FAILED, verification
from verifier.verification import InteractionResult, Outcome, Verification, VerificationError

PENDING_ERROR = replace(ERROR, pending=True)
TIMED_OUT = VerificationError("timed-out", "time ran out", retryable=True, output="last words")


@pytest.mark.parametrize(
    ("results", "outcome"),
    [
        ([PASSED], Outcome.PASSED),
        ([PASSED, PASSED], Outcome.PASSED),
        ([PASSED, FAILED], Outcome.FAILED),
        ([PASSED, ERROR], Outcome.ERROR),
        ([ERROR], Outcome.ERROR),
        ([], Outcome.PASSED),
    ],
)
def test_outcome_of_the_whole(results: list[InteractionResult], outcome: Outcome) -> None:
    assert verification(*results).outcome == outcome


@pytest.mark.parametrize("results", [(ERROR, FAILED), (FAILED, ERROR, PASSED)])
def test_failure_beats_error(results: tuple[InteractionResult, ...]) -> None:
    assert verification(*results).outcome == Outcome.FAILED


def test_pending_failure_breaks_nothing() -> None:
    assert verification(PASSED, PENDING_FAILED).outcome == Outcome.PASSED
    assert verification(PENDING_FAILED).outcome == Outcome.PASSED
    assert verification(PENDING_FAILED, FAILED).outcome == Outcome.FAILED
    assert verification(PENDING_FAILED, ERROR).outcome == Outcome.ERROR


def test_pending_error_is_still_an_error() -> None:
    assert verification(PASSED, PENDING_ERROR).outcome == Outcome.ERROR


@pytest.mark.parametrize("results", [(), (PASSED,), (FAILED,), (PASSED, FAILED, ERROR)])
def test_verification_with_an_error_is_an_error(results: tuple[InteractionResult, ...]) -> None:
    assert verification(*results, error=TIMED_OUT).outcome == Outcome.ERROR


def test_interactions_are_counted_by_outcome() -> None:
    made = verification(PASSED, FAILED, PENDING_FAILED, ERROR)
    assert [made.count(outcome) for outcome in (Outcome.PASSED, Outcome.FAILED, Outcome.ERROR)] == [1, 2, 1]


@pytest.mark.parametrize(("in_pact", "filtered"), [(1, False), (2, True)])
def test_filtered_when_the_pact_has_more_interactions(in_pact: int, filtered: bool) -> None:  # noqa: FBT001
    assert verification(PASSED, interactions_in_pact=in_pact).filtered is filtered


@pytest.mark.parametrize(
    "made",
    [
        verification(PASSED, FAILED, PENDING_FAILED, ERROR),
        verification(error=TIMED_OUT),
        verification(
            replace(PASSED, duration=None, states=(), id=""),
            consumer_version=None,
            provider_version=None,
            provider_branch=None,
            provider_tags=(),
            notes=("one", "two"),
            build_url="https://ci.example/1",
            links={},
        ),
    ],
    ids=["results", "error", "little"],
)
def test_saved_and_loaded_is_the_same(made: Verification) -> None:
    loaded = Verification.from_dict(json.loads(json.dumps(made.to_dict())))
    assert loaded == made
    assert loaded.outcome == made.outcome


def test_saved_form_says_the_outcome_and_its_schema() -> None:
    saved = verification(PASSED, FAILED).to_dict()
    assert (saved["schema_version"], saved["outcome"]) == (1, "failed")
    assert saved["started_at"] == "2026-01-02T03:04:05+00:00"


def test_fields_that_a_later_version_added_are_passed_over() -> None:
    saved = verification(PASSED).to_dict() | {"published": None, "exit_code": 0, "added_later": 1}
    assert Verification.from_dict(json.loads(json.dumps(saved))) == verification(PASSED)


def test_interaction_fields_that_a_later_version_added_are_passed_over() -> None:
    saved = json.loads(json.dumps(verification(FAILED, error=TIMED_OUT).to_dict()))
    saved["interactions"][0]["added_later"] = 1
    saved["interactions"][0]["mismatches"][0]["added_later"] = 1
    saved["error"]["added_later"] = 1
    assert Verification.from_dict(saved) == verification(FAILED, error=TIMED_OUT)


@pytest.mark.parametrize("version", [0, 2, "1", None])
def test_other_schema_version_is_refused(version: Any) -> None:
    saved = verification(PASSED).to_dict() | {"schema_version": version}
    with pytest.raises(ValueError, match="schema version"):
        Verification.from_dict(saved)


def test_saved_form_without_a_schema_version_is_refused() -> None:
    with pytest.raises(ValueError, match="schema version None"):
        Verification.from_dict({})


@pytest.mark.parametrize(
    "damage",
    [
        {"started_at": "yesterday"},
        {"started_at": 5},
        {"interactions": [{"index": 0}]},
        {"interactions": 5},
        {"interactions": ["one"]},
        {"interactions": [PASSED.__dict__ | {"outcome": "perhaps"}]},
        {"interactions": [PASSED.__dict__ | {"mismatches": [{"attribute": "body"}]}]},
        {"error": {"message": "what?"}},
        {"error": "a word"},
        {"provider_tags": None},
    ],
)
def test_garbage_is_refused(damage: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"."):
        Verification.from_dict(verification(PASSED).to_dict() | damage)


@pytest.mark.parametrize("missing", ["id", "pact_url", "started_at"])
def test_saved_form_that_lacks_a_part_is_refused(missing: str) -> None:
    saved = verification(PASSED).to_dict()
    del saved[missing]
    with pytest.raises(ValueError, match="not a saved verification"):
        Verification.from_dict(saved)


@pytest.mark.parametrize("saved", [[], "text", None, 5])
def test_json_that_is_no_object_is_refused(saved: Any) -> None:
    with pytest.raises(ValueError, match=r"."):
        Verification.from_dict(saved)
