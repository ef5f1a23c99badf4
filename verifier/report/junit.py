"""The report for CI systems: JUnit's XML, with a test case for each interaction."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, TextIO
from xml.etree import ElementTree as ET

from broker.text.harmless import inert_markup
from verifier.report.failures import failure_of, text_of
from verifier.report.interface import publication, remarks
from verifier.verification import Outcome

if TYPE_CHECKING:
    from verifier.report.interface import Findings
    from verifier.verification import InteractionResult, Verification


class JunitReport:
    """Writes findings as a JUnit test suite."""

    def write(self, findings: Findings, stream: TextIO) -> None:
        """Write the XML document."""
        write_document(suite_of(findings, name_of(findings.verification)), stream)


def name_of(verification: Verification) -> str:
    """Return the name of a suite."""
    return f"Pact between {verification.consumer or 'a consumer'} and {verification.provider or 'a provider'}"


def suite_of(findings: Findings, name: str, *, excused: bool = False) -> ET.Element:
    """Return findings as a test suite.

    Args:
        findings: The findings.
        name: The suite's name.
        excused: Whether nothing that is wrong counts, since the pact as a whole is pending.
    """
    verification = findings.verification
    results = verification.interactions
    failed = sum(result.breaks_contract for result in results)
    skipped = sum(result.is_pending_failure for result in results)
    errors = verification.count(Outcome.ERROR)
    suite = ET.Element("testsuite", name=name, timestamp=verification.started_at.isoformat())
    properties = ET.SubElement(suite, "properties")
    for key, value in (
        ("pact.url", verification.pact_url),
        ("consumer.version", verification.consumer_version),
        ("provider.version", verification.provider_version),
        ("verification.id", verification.id),
        ("verification.result", publication(findings)),
    ):
        if value:
            ET.SubElement(properties, "property", name=key, value=value)
    titles: Counter[str] = Counter()
    for result in verification.interactions:
        title = _title(result)
        titles[title] += 1
        # a CI system takes cases of the same name for one
        _case(
            suite,
            name,
            title if titles[title] == 1 else f"{title} [{titles[title]}]",
            result,
            excused=excused,
        )
    cases = len(verification.interactions)
    if verification.error is not None and not errors:
        case = ET.SubElement(suite, "testcase", name="verification", classname=name)
        problem = ET.SubElement(case, "skipped" if excused else "error", message=verification.error.message)
        if not excused:
            problem.set("type", verification.error.kind)
        problem.text = verification.error.output
        cases, errors = cases + 1, errors + 1
    if excused:
        failed, errors, skipped = 0, 0, failed + errors + skipped
    suite.attrib |= {
        "tests": str(cases),
        "failures": str(failed),
        "errors": str(errors),
        "skipped": str(skipped),
        "time": f"{verification.duration:.3f}",
    }
    return suite


def write_document(root: ET.Element, stream: TextIO) -> None:
    """Write an XML document."""
    ET.indent(root)
    stream.write('<?xml version="1.0" encoding="UTF-8"?>\n')
    stream.write(inert_markup(ET.tostring(root, encoding="unicode")))
    stream.write("\n")


def _case(suite: ET.Element, name: str, title: str, result: InteractionResult, *, excused: bool) -> None:
    case = ET.SubElement(suite, "testcase", name=title, classname=name, time=f"{result.duration or 0:.3f}")
    if said := remarks(result):
        properties = ET.SubElement(case, "properties")
        for label, value in said:
            ET.SubElement(properties, "property", name=label, value=value)
    if result.outcome == Outcome.PASSED:
        return
    failure = failure_of(result)
    first = failure.in_a_line.strip()
    details = "\n".join(text_of(failure))
    # JUnit has no pending; a test that was skipped is nearest to it
    tag = (
        "skipped"
        if excused or result.is_pending_failure
        else "failure"
        if result.outcome == Outcome.FAILED
        else "error"
    )
    problem = ET.SubElement(case, tag, message=first)
    if tag != "skipped":
        problem.set("type", "mismatch" if result.mismatches else "reason")
    problem.text = details


def _title(result: InteractionResult) -> str:
    given = f" (given {'; '.join(result.states)})" if result.states else ""
    return f"{result.description}{given}"
