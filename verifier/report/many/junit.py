"""The report of many pacts for CI systems: JUnit's XML, with a suite for each pact."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, TextIO
from xml.etree import ElementTree as ET

from verifier.report.junit import (
    PREFIX,
    add_error,
    add_output,
    class_name,
    name_of,
    new_suite,
    suite_of,
    write_document,
)

if TYPE_CHECKING:
    from verifier.report.run_findings import PactFindings, RunFindings

COUNTED = ("tests", "failures", "errors")
"""What the root counts; strict readers allow no count of what was skipped there."""


class ManyJunitReport:
    """Writes the findings of a run as JUnit test suites."""

    def write(self, findings: RunFindings, stream: TextIO) -> None:
        """Write the XML document."""
        root = ET.Element("testsuites", name=f"Pacts with {findings.provider or 'a provider'}")
        names: Counter[str] = Counter()
        of_pair = Counter(name_of(pact.verification) for pact in findings.pacts)
        for pact in findings.worst_last():
            name = _name(pact)
            names[name] += 1
            # a CI system takes suites of the same name for one
            named = name if names[name] == 1 else f"{name} [{names[name]}]"
            # the version would begin another history with each pact, so it is named where that must be
            group = named.removeprefix(PREFIX) if of_pair[name_of(pact.verification)] > 1 else None
            root.append(suite_of(pact.findings, named, group=group, excused=pact.is_pending_failure))
        if findings.error is not None:
            suite, _ = new_suite("The run", findings.started_at)
            suite.attrib |= {"tests": "1", "failures": "0", "errors": "1", "skipped": "0", "time": "0.000"}
            add_error(suite, class_name("The run"), "run", findings.error)
            add_output(suite)
            root.append(suite)
        for number, suite in enumerate(root):
            suite.attrib |= {"package": "Pact", "id": str(number)}
        for key in COUNTED:
            root.set(key, str(sum(int(suite.get(key, "0")) for suite in root)))
        root.set("time", f"{findings.duration:.3f}")
        write_document(root, stream)


def _name(pact: PactFindings) -> str:
    verification = pact.verification
    version = f" {verification.consumer_version}" if verification.consumer_version else ""
    if not verification.consumer:
        return f"Pact {verification.pact_url}"
    return f"Pact between {verification.consumer}{version} and {verification.provider or 'a provider'}"
