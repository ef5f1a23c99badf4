"""The JUnit report, parsed back as a CI system would."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest

from tests.support.examples import (
    COMMENTED,
    ERROR,
    FAILED,
    MANY_MISMATCHES,
    PASSED,
    PENDING_FAILED,
    PRICE,
    verification,
)
from verifier.report.interface import Findings
from verifier.report.junit import JunitReport
from verifier.verification import InteractionResult, Outcome, PublishedResult, Verification, VerificationError

COUNTS = ("tests", "failures", "errors", "skipped")
ATTRIBUTES: dict[str, tuple[set[str], set[str]]] = {
    "testsuite": ({"name", "timestamp", "hostname", "tests", "failures", "errors", "time"}, {"skipped"}),
    "testcase": ({"name", "classname", "time"}, set()),
    "failure": ({"type"}, {"message"}),
    "error": ({"type"}, {"message"}),
    "skipped": (set(), {"type", "message"}),
    "properties": (set(), set()),
    "property": ({"name", "value"}, set()),
    "system-out": (set(), set()),
    "system-err": (set(), set()),
}
"""The attributes of each element that a reader requires, and those that it allows beside them."""
DIED = VerificationError("provider-died", "the provider was killed", output="last words")


def written(made: Verification, **values: object) -> ET.Element:
    stream = io.StringIO()
    JunitReport().write(Findings(made, **values), stream)  # type: ignore[arg-type]
    return ET.fromstring(stream.getvalue().encode())


def counts(suite: ET.Element) -> list[int]:
    """Read the counts, and make sure that they are those of the elements."""
    said = [int(suite.attrib[name]) for name in COUNTS]
    found = [len(suite.findall(path)) for path in ("testcase", ".//failure", ".//error", ".//skipped")]
    assert said == found
    return said


@pytest.mark.parametrize(
    ("results", "expected"),
    [
        ((PASSED,), [1, 0, 0, 0]),
        ((PASSED, FAILED, FAILED), [3, 2, 0, 0]),
        ((PASSED, ERROR), [2, 0, 1, 0]),
        ((PASSED, PENDING_FAILED), [2, 0, 0, 1]),
        ((PASSED, FAILED, PENDING_FAILED, ERROR), [4, 1, 1, 1]),
        ((replace(ERROR, pending=True),), [1, 0, 1, 0]),
    ],
)
def test_counts_are_those_of_the_cases(results: tuple[InteractionResult, ...], expected: list[int]) -> None:
    assert counts(written(verification(*results))) == expected


def test_verification_that_has_no_interactions_is_one_error() -> None:
    suite = written(verification(error=DIED))
    assert counts(suite) == [1, 0, 1, 0]
    [error] = suite.findall("testcase/error")
    assert (error.attrib["type"], error.attrib["message"]) == ("provider-died", "the provider was killed")
    assert error.text == "last words"


def test_error_beside_results_is_shown() -> None:
    assert counts(written(verification(PASSED, FAILED, error=DIED))) == [3, 1, 1, 0]


def test_error_that_its_interactions_tell_is_not_counted_twice() -> None:
    assert counts(written(verification(PASSED, ERROR, error=DIED))) == [2, 0, 1, 0]


def test_case_leads_to_the_cause() -> None:
    suite = written(verification(PASSED, FAILED))
    [case] = [case for case in suite.findall("testcase") if case.find("failure") is not None]
    assert case.attrib["name"] == "the price (given a product exists (id: 7))"
    assert case.attrib["classname"] == "Pact.Storefront and Products"
    failure = case.find("failure")
    assert failure is not None
    assert failure.attrib["message"] == '$.price: expected 34.9, got "34.90"'
    for part in ("$.price", "34.9", '"34.90"'):
        assert part in str(failure.text)


def test_reason_is_the_message_where_there_is_no_mismatch() -> None:
    error = written(verification(ERROR)).find("testcase/error")
    assert error is not None
    assert (error.attrib["message"], error.text) == ("connection refused", "connection refused")


def test_what_the_consumer_says_of_an_interaction_is_in_the_output_and_where_it_failed() -> None:
    suite = written(verification(COMMENTED, replace(COMMENTED, outcome=Outcome.FAILED, reason="no")))
    said = ["test: StockTest.reads()", "comment: Asked for by every page", "comment: and by the shop's till"]
    output = [f"a request for a product, {line}" for line in said]
    assert str(suite.findtext("system-out")).splitlines() == output * 2
    assert str(suite.findtext("testcase/failure")).splitlines() == ["no", *said]


@pytest.mark.parametrize("text", ["shop.web", " a\n  b ", "a\r\n\tb", "a  b"])
def test_names_and_messages_are_lines_that_group_the_cases(text: str) -> None:
    sentence = f"Expected this\n  and {text}"
    mismatch = replace(PRICE, expected=None, actual=None, description=sentence)
    failed = replace(FAILED, description=text, mismatches=(mismatch,))
    suite = written(verification(failed, replace(ERROR, reason=f"{text}\n"), consumer=text))
    for element in suite.iter():
        for name in ("name", "classname", "message"):
            value = element.get(name, "-")
            assert value == value.strip()
            assert not set(value) & set("\r\n\t")
    packages = {case.attrib["classname"].rpartition(".")[0] for case in suite.findall("testcase")}
    assert packages == {"Pact"}, "readers take what is before the last dot for a package"
    if "  " in text.strip() and "\n" not in text:
        assert "a  b" in suite.findall("testcase")[0].attrib["name"], "it is shown as it is"


def test_the_document_is_what_strict_readers_take() -> None:
    """The facts of two schemas: `JUnit.xsd` of Ant's reports, and `junit-10.xsd` of Jenkins' xUnit plugin."""
    hostile = "a.b\nc\x00\u202e<x>"
    for made in (
        verification(PASSED, FAILED, PENDING_FAILED, ERROR, COMMENTED, replace(COMMENTED, pending=True)),
        verification(error=VerificationError("died", hostile, output=hostile), consumer=hostile),
        verification(),
    ):
        suite = written(made)
        children = [child.tag for child in suite]
        assert children[0] == "properties"
        assert children[-2:] == ["system-out", "system-err"]
        assert set(children[1:-2]) <= {"testcase"}
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", suite.attrib["timestamp"])
        for element in suite.iter():
            required, optional = ATTRIBUTES[element.tag]
            assert required <= element.attrib.keys() <= required | optional
        for case in suite.iter("testcase"):
            assert len(case) <= 1
            assert {child.tag for child in case} <= {"failure", "error", "skipped"}
            assert re.fullmatch(r"\d+\.\d+", case.attrib["time"])


def test_differences_that_were_left_out_are_counted() -> None:
    [failure] = written(verification(MANY_MISMATCHES)).iter("failure")
    assert failure.attrib["message"].endswith(", and 49900 more")
    assert str(failure.text).endswith("... and 49900 more differences")


def test_cases_of_the_same_name_stay_apart() -> None:
    cases = written(verification(PASSED, FAILED, PASSED, replace(PASSED, states=()))).findall("testcase")
    name = f"{PASSED.description} (given {PASSED.states[0]})"
    assert [case.attrib["name"] for case in cases] == [
        name,
        f"{FAILED.description} (given {FAILED.states[0]})",
        f"{name} [2]",
        PASSED.description,
    ]


def test_properties_name_the_versions_and_the_result() -> None:
    published = PublishedResult("http://b/results/1", success=True, provider_version="abc1234")
    suite = written(verification(PASSED), publishing=True, published=published)
    values = {item.attrib["name"]: item.attrib["value"] for item in suite.findall("properties/property")}
    assert values["provider.version"] == "abc1234"
    assert values["consumer.version"] == "1.2.3"
    assert "http://b/results/1" in values["verification.result"]
    assert suite.attrib["time"] == "1.500"
    assert suite.attrib["timestamp"] == "2026-01-02T03:04:05", "in UTC"


@pytest.mark.parametrize(
    "text", ["\x00\x01", "\x1b[31m", "\ud800", "\ufffe", "]]>", "<a & 'b' \"c\">", "\x0b"]
)
def test_any_text_is_written_as_xml(text: str) -> None:
    hostile = replace(
        FAILED,
        description=text,
        states=(text,),
        comments=(text,),
        test_name=text,
        mismatches=(replace(PRICE, description=text, expected=text, actual=text, identifier=text),),
    )
    made = verification(
        hostile,
        replace(ERROR, reason=text),
        consumer=text,
        provider=text,
        pact_url=text,
        error=replace(DIED, message=text, output=text),
    )
    suite = written(made)
    assert counts(suite)[0] == 2
    if text.isprintable():
        assert suite.findall("testcase")[0].attrib["name"] == f"{text} (given {text})"
