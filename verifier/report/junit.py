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
    from verifier.verification import InteractionResult


class JunitReport:
    """Writes findings as a JUnit test suite."""

    def write(self, findings: Findings, stream: TextIO) -> None:
        """Write the XML document."""
        verification = findings.verification
        name = f"Pact between {verification.consumer or 'a consumer'} and {verification.provider or 'a provider'}"
        failed = sum(result.breaks_contract for result in verification.interactions)
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
            self._case(suite, name, title if titles[title] == 1 else f"{title} [{titles[title]}]", result)
        cases = len(verification.interactions)
        if verification.error is not None and not errors:
            case = ET.SubElement(suite, "testcase", name="verification", classname=name)
            problem = ET.SubElement(
                case, "error", type=verification.error.kind, message=verification.error.message
            )
            problem.text = verification.error.output
            cases, errors = cases + 1, errors + 1
        suite.attrib |= {
            "tests": str(cases),
            "failures": str(failed),
            "errors": str(errors),
            "skipped": str(sum(result.is_pending_failure for result in verification.interactions)),
            "time": f"{verification.duration:.3f}",
        }
        ET.indent(suite)
        stream.write('<?xml version="1.0" encoding="UTF-8"?>\n')
        stream.write(inert_markup(ET.tostring(suite, encoding="unicode")))
        stream.write("\n")

    def _case(self, suite: ET.Element, name: str, title: str, result: InteractionResult) -> None:
        case = ET.SubElement(
            suite, "testcase", name=title, classname=name, time=f"{result.duration or 0:.3f}"
        )
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
            if result.is_pending_failure
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
