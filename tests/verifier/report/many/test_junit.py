"""The JUnit report of many pacts, as strict readers take it."""

from __future__ import annotations

import io
from dataclasses import replace
from xml.etree import ElementTree as ET

from tests.support.examples import FAILED, PASSED, STARTED, verification
from tests.verifier.report.test_junit import ATTRIBUTES
from verifier.report.interface import Findings
from verifier.report.many.junit import ManyJunitReport
from verifier.report.run_findings import PactFindings, RunFindings
from verifier.verification import Verification, VerificationError


def written(*made: Verification) -> ET.Element:
    error = VerificationError("timed-out", "time ran out\nfor the others")
    pacts = tuple(PactFindings(Findings(one)) for one in made)
    stream = io.StringIO()
    ManyJunitReport().write(RunFindings(STARTED, pacts, provider="Products", error=error), stream)
    return ET.fromstring(stream.getvalue().encode())


def test_the_document_is_what_strict_readers_take() -> None:
    """The facts of `junit-10.xsd` of Jenkins' xUnit plugin; the root, but for its attributes, is Ant's, too."""
    root = written(verification(PASSED, FAILED))
    assert root.attrib.keys() == {"name", "tests", "failures", "errors", "time"}
    required, optional = ATTRIBUTES["testsuite"]
    for number, suite in enumerate(root):
        assert required | {"package", "id"} <= suite.attrib.keys() <= required | optional | {"package", "id"}
        assert suite.attrib["id"] == str(number)
        assert [suite[0].tag, suite[-2].tag, suite[-1].tag] == ["properties", "system-out", "system-err"]
    [error] = root.iter("error")
    assert error.attrib["message"] == "time ran out for the others"


def test_a_version_is_in_the_class_name_where_a_consumer_has_several_pacts() -> None:
    one = verification(PASSED)
    root = written(one, replace(one, consumer_version="1.2.4"), replace(one, consumer="Other"))
    assert {case.attrib["classname"] for case in root.iter("testcase")} == {
        "Pact.Storefront 1_2_3 and Products",
        "Pact.Storefront 1_2_4 and Products",
        "Pact.Other and Products",
        "Pact.The run",
    }
