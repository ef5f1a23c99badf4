"""The report for CI systems: JUnit's XML, with a test case for each interaction.

There is no one schema. This document is what both Ant's (JUnit.xsd) and the strictest reader's allow (junit-10.xsd, of
Jenkins' xUnit plugin, which refuses what it does not know): a case has neither properties nor an output of its own.
"""

from __future__ import annotations

import re
from collections import Counter
from datetime import UTC
from typing import TYPE_CHECKING, TextIO
from xml.etree import ElementTree as ET

from broker.text.harmless import inert_markup
from verifier.report.failures import failure_of, text_of
from verifier.report.interface import publication, remarks
from verifier.verification import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from verifier.report.interface import Findings
    from verifier.verification import InteractionResult, Verification, VerificationError

PREFIX = "Pact between "
HOST = "localhost"
"""What Ant's schema wants where the name of the host doesn't matter; it isn't told to whoever reads the report."""
_LINE_END = re.compile(r"[ \t]*[\r\n]\s*")


class JunitReport:
    """Writes findings as a JUnit test suite."""

    def write(self, findings: Findings, stream: TextIO) -> None:
        """Write the XML document."""
        write_document(suite_of(findings, name_of(findings.verification)), stream)


def name_of(verification: Verification) -> str:
    """Return the name of a suite."""
    return f"{PREFIX}{verification.consumer or 'a consumer'} and {verification.provider or 'a provider'}"


def suite_of(findings: Findings, name: str, *, group: str | None = None, excused: bool = False) -> ET.Element:
    """Return findings as a test suite.

    Args:
        findings: The findings.
        name: The suite's name.
        group: What the class name of the cases has after the package; by default the names of consumer and provider.
        excused: Whether nothing that is wrong counts, since the pact as a whole is pending.
    """
    verification = findings.verification
    results = verification.interactions
    failed = sum(result.breaks_contract for result in results)
    skipped = sum(result.is_pending_failure for result in results)
    errors = verification.count(Outcome.ERROR)
    kind = class_name(group or name_of(verification).removeprefix(PREFIX))
    suite, properties = new_suite(name, verification.started_at)
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
        title = _in_a_line(_title(result))
        titles[title] += 1
        # a CI system takes cases of the same name for one
        _case(
            suite,
            kind,
            title if titles[title] == 1 else f"{title} [{titles[title]}]",
            result,
            excused=excused,
        )
    cases = len(verification.interactions)
    if verification.error is not None and not errors:
        add_error(suite, kind, "verification", verification.error, excused=excused)
        cases, errors = cases + 1, errors + 1
    add_output(suite, (line for one in verification.interactions for line in _remarks(one, named=True)))
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


def _case(suite: ET.Element, kind: str, title: str, result: InteractionResult, *, excused: bool) -> None:
    case = ET.SubElement(suite, "testcase", name=title, classname=kind, time=f"{result.duration or 0:.3f}")
    if result.outcome == Outcome.PASSED:
        return
    failure = failure_of(result)
    details = "\n".join([*text_of(failure), *_remarks(result)])
    # JUnit has no pending; a test that was skipped is nearest to it
    tag = (
        "skipped"
        if excused or result.is_pending_failure
        else "failure"
        if result.outcome == Outcome.FAILED
        else "error"
    )
    problem = ET.SubElement(case, tag, message=_in_a_line(failure.in_a_line))
    if tag != "skipped":
        problem.set("type", "mismatch" if result.mismatches else "reason")
    problem.text = details


def new_suite(name: str, started_at: datetime) -> tuple[ET.Element, ET.Element]:
    """Return a suite without cases, and its properties."""
    started = started_at.astimezone(UTC).replace(tzinfo=None)
    suite = ET.Element(
        "testsuite", name=_in_a_line(name), timestamp=started.isoformat(timespec="seconds"), hostname=HOST
    )
    return suite, ET.SubElement(suite, "properties")


def add_output(suite: ET.Element, lines: Iterable[str] = ()) -> None:
    """Add the output of a suite, which comes after its cases."""
    ET.SubElement(suite, "system-out").text = "\n".join(lines)
    ET.SubElement(suite, "system-err")


def add_error(
    suite: ET.Element, kind: str, name: str, error: VerificationError, *, excused: bool = False
) -> None:
    """Add a case that says why nothing was verified.

    Args:
        suite: The suite.
        kind: The class name of the case.
        name: Its name.
        error: The error.
        excused: Whether it doesn't count.
    """
    case = ET.SubElement(suite, "testcase", name=name, classname=kind, time="0.000")
    problem = ET.SubElement(case, "skipped" if excused else "error", message=_in_a_line(error.message))
    if not excused:
        problem.set("type", error.kind)
    problem.text = error.output


def class_name(group: str) -> str:
    """Return the class name of cases: readers take what is before its last dot for a package."""
    return f"Pact.{_in_a_line(group).replace('.', '_')}"


def _in_a_line(text: str) -> str:
    """Return a text as an attribute has it: without line ends and blanks around them."""
    return _LINE_END.sub(" ", text.strip())


def _remarks(result: InteractionResult, *, named: bool = False) -> list[str]:
    """Return what the consumer has to say about an interaction, as lines."""
    of = f"{_in_a_line(result.description)}, " if named else ""
    return [f"{of}{label}: {value}" for label, value in remarks(result)]


def _title(result: InteractionResult) -> str:
    given = f" (given {'; '.join(result.states)})" if result.states else ""
    return f"{result.description}{given}"
