"""What the core says of an interaction, judged."""

from __future__ import annotations

from dataclasses import astuple
from typing import Any

import pytest

from broker.text.cut import CUT, LONGEST_READ
from tests.support.examples import http_interaction, pact_document
from verifier.engine.core_results import NO_RESULT, interaction_result, no_result, seconds
from verifier.engine.states.change import StateFailure
from verifier.pact_document import parse_pact
from verifier.verification import MOST_MISMATCHES, InteractionResult, Mismatch, Outcome

INTERACTION = parse_pact(
    pact_document(
        http_interaction("first", type="Synchronous/HTTP"),
        http_interaction(
            "second",
            _id="broker-2",
            pending=True,
            providerStates=[{"name": "a product exists", "params": {"id": 7}}, {"name": "the shop is open"}],
            type="Synchronous/HTTP",
            comments={"text": ["sold out"], "testname": "StockTest"},
        ),
        metadata={"pactSpecification": {"version": "4.0"}},
    )
).interactions[1]

BODY = {
    "type": "BodyMismatch",
    "path": "$.price",
    "expected": "34.9",
    "actual": '"34.90"',
    "mismatch": "Expected 34.9 (Decimal) but received '34.90' (String)",
}
STATUS = {
    "type": "StatusMismatch",
    "expected": 200,
    "actual": 404,
    "mismatch": "expected 200 but was 404",
}
HEADER = {
    "type": "HeaderMismatch",
    "key": "Content-Type",
    "expected": "application/json",
    "actual": "",
    "mismatch": "Expected header 'Content-Type' to be present",
}


def judged(entry: dict[str, Any], failure: StateFailure | None = None) -> InteractionResult:
    return interaction_result(INTERACTION, entry, failure)


def mismatches(*found: dict[str, Any]) -> dict[str, Any]:
    """Make a result as the core gives it for an answer that it compared."""
    return {
        "description": "second",
        "duration": "24ms",
        "interactionId": "1",
        "result": "Error",
        "mismatch": {"type": "mismatches", "interactionId": "1", "mismatches": list(found)},
    }


def error(message: Any, **parts: Any) -> dict[str, Any]:
    return {"result": "Error", "duration": "2ms", "mismatch": {"type": "error", "message": message}, **parts}


STATE_CHANGE = error("One or more of the setup state change handlers has failed")


def test_only_the_first_of_many_mismatches_are_kept_and_the_others_counted() -> None:
    rows = [{**BODY, "path": f"$.rows[{number}]"} for number in range(MOST_MISMATCHES + 7)]
    result = judged(mismatches(*reversed(rows)))
    assert [m.identifier for m in result.mismatches] == [row["path"] for row in rows[:MOST_MISMATCHES]]
    assert result.more_mismatches == 7


def test_no_more_is_kept_of_a_text_than_is_passed_on_to_where_it_is_redacted() -> None:
    text = "x" * 1_000_000
    result = judged(mismatches({**BODY, "path": text, "expected": text, "actual": text, "mismatch": text}))
    [mismatch] = result.mismatches
    assert {len(str(value)) for value in astuple(mismatch)[1:]} == {LONGEST_READ + len(CUT)}
    assert len(str(judged(error(text)).reason)) == LONGEST_READ + len(CUT)


def test_ok_is_passed() -> None:
    result = judged({"result": "OK", "duration": "24ms", "description": "second", "providerStates": []})
    assert (result.outcome, result.mismatches, result.reason) == (Outcome.PASSED, (), None)


def test_result_is_about_its_interaction() -> None:
    result = judged({"result": "OK", "duration": "24ms"})
    assert (result.index, result.id, result.description) == (1, "broker-2", "second")
    assert (result.kind, result.request, result.pending) == ("Synchronous/HTTP", "GET /products", True)
    assert result.states == ("a product exists (id: 7)", "the shop is open")
    assert (result.comments, result.test_name) == (("sold out",), "StockTest")
    assert result.duration == pytest.approx(0.024)


@pytest.mark.parametrize(
    ("raw", "mismatch"),
    [
        (BODY, Mismatch("body", "$.price", "34.9", '"34.90"', BODY["mismatch"])),
        (STATUS, Mismatch("status", "", "200", "404", "expected 200 but was 404")),
        (HEADER, Mismatch("header", "Content-Type", "application/json", "", HEADER["mismatch"])),
        (
            {
                "type": "BodyTypeMismatch",
                "expected": "application/json",
                "actual": "text/html",
                "mismatch": "m",
            },
            Mismatch("body", "", "application/json", "text/html", "m"),
        ),
        (
            {"type": "MetadataMismatch", "key": "topic", "expected": "a", "actual": "b", "mismatch": "m"},
            Mismatch("metadata", "topic", "a", "b", "m"),
        ),
        (
            {"type": "QueryMismatch", "parameter": "tag", "expected": "a", "actual": "b", "mismatch": "m"},
            Mismatch("query", "tag", "a", "b", "m"),
        ),
        (
            {"type": "MethodMismatch", "expected": "GET", "actual": "POST"},
            Mismatch("method", "", "GET", "POST", ""),
        ),
        (
            {"type": "PathMismatch", "expected": "/a", "actual": "/b", "mismatch": "m"},
            Mismatch("path", "", "/a", "/b", "m"),
        ),
        (
            {"type": "TrailerMismatch", "key": "X", "mismatch": "m"},
            Mismatch("trailer", "X", None, None, "m"),
        ),
        ({}, Mismatch("other", "", None, None, "")),
    ],
)
def test_each_type_of_mismatch_is_a_failure(raw: dict[str, Any], mismatch: Mismatch) -> None:
    result = judged(mismatches(raw))
    assert (result.outcome, result.reason) == (Outcome.FAILED, None)
    assert result.mismatches == (mismatch,)


def test_mismatches_stand_in_reading_order() -> None:
    def body(path: str) -> dict[str, Any]:
        return {**BODY, "path": path}

    found = [body("$[10].id"), HEADER, body("$[2].id"), {"type": "Odd"}, body("$"), STATUS, body("$.a")]
    result = judged(mismatches(*found))
    assert [(m.attribute, m.identifier) for m in result.mismatches] == [
        ("status", ""),
        ("header", "Content-Type"),
        ("body", "$"),
        ("body", "$.a"),
        ("body", "$[2].id"),
        ("body", "$[10].id"),
        ("odd", ""),
    ]


@pytest.mark.parametrize("path", ["$.²", "$[٣]", "$.a1b", "", "$['1']"])
def test_any_path_can_be_put_in_order(path: str) -> None:
    result = judged(mismatches({**BODY, "path": path}, BODY))
    assert {mismatch.identifier for mismatch in result.mismatches} == {path, "$.price"}


@pytest.mark.parametrize(
    "message",
    [
        "error sending request for url (http://127.0.0.1:1/products)",
        "error sending request for url (https://p/): invalid peer certificate: UnknownIssuer",
        "Failed to load plugin",
        "Invalid URL",
    ],
)
def test_outage_is_an_error_and_no_failure(message: str) -> None:
    result = judged(error(message))
    assert (result.outcome, result.mismatches, result.reason) == (Outcome.ERROR, (), message)


def test_state_change_that_was_refused_is_a_failure() -> None:
    result = judged(STATE_CHANGE, StateFailure(answered=True, reason="no such product"))
    assert (result.outcome, result.reason) == (Outcome.FAILED, "no such product")


def test_state_change_that_was_not_answered_is_an_error() -> None:
    result = judged(STATE_CHANGE, StateFailure(answered=False, reason="connection refused"))
    assert (result.outcome, result.reason) == (Outcome.ERROR, "connection refused")


def test_state_change_of_which_nothing_is_known_is_an_error() -> None:
    result = judged(STATE_CHANGE)
    assert (result.outcome, result.reason) == (Outcome.ERROR, STATE_CHANGE["mismatch"]["message"])


@pytest.mark.parametrize(
    "entry",
    [
        {},
        {"result": "Error"},
        {"result": "Error", "mismatch": None},
        {"result": "ok"},
        error(None),
        error(""),
    ],
)
def test_entry_without_a_result_is_an_error(entry: dict[str, Any]) -> None:
    result = judged(entry)
    assert (result.outcome, result.reason) == (Outcome.ERROR, NO_RESULT)


def test_missing_result_is_an_error_that_says_why() -> None:
    assert no_result(INTERACTION) == judged({})
    result = no_result(INTERACTION, "the engine could not run it")
    assert (result.outcome, result.reason, result.duration) == (
        Outcome.ERROR,
        "the engine could not run it",
        None,
    )


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("24ms", 0.024),
        ("1.015s", 1.015),
        ("850µs", 0.00085),
        ("850us", 0.00085),
        ("12ns", 1.2e-8),
        ("0ns", 0.0),
    ],
)
def test_duration_is_read_in_seconds(text: str, value: float) -> None:
    assert seconds(text) == pytest.approx(value)


@pytest.mark.parametrize("text", [None, "", "soon", "5", 5, "5m"])
def test_duration_that_can_not_be_read_is_none(text: Any) -> None:
    assert seconds(text) is None
