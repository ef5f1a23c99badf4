"""What must hold for a verification, whatever the pact and the provider's answers were."""

from __future__ import annotations

import io
import json
import os
import tempfile
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import jsonschema

from fuzz.campaign import ROOT
from fuzz.outcomes import check_text
from fuzz.target import Violation
from verifier.errors import ErrorKind
from verifier.publishing import result_document
from verifier.report.console import ConsoleReport
from verifier.report.github import GitHubReport
from verifier.report.html import HtmlReport
from verifier.report.interface import Findings
from verifier.report.json import JsonReport
from verifier.report.junit import JunitReport
from verifier.verification import (
    LONGEST_DESCRIPTION,
    LONGEST_MESSAGE,
    LONGEST_REASON,
    LONGEST_VALUE,
    Outcome,
    Verification,
)

SCHEMA = jsonschema.Draft202012Validator(
    json.loads((ROOT / "verifier" / "report" / "verification.schema.json").read_text(encoding="utf-8"))
)


def check_verification(verification: Verification, *, healthy: bool) -> None:
    """Raise unless a verification is what it should be, and can be reported, stored and published.

    Args:
        verification: The verification.
        healthy: Whether the provider was up, so that nothing about it can heal.

    Raises:
        Violation: It is not.
    """
    error = verification.error
    _check_lengths(verification)
    if error is not None:
        check_text(error.message, "the message of a verification")
        check_text(error.output, "the engine's output")
        if not error.message.strip():
            raise Violation("a verification's error without a message", error.kind)
        if error.kind == ErrorKind.NOT_A_PACT and error.retryable:
            raise Violation("what is no pact is tried again", error.message)
        if healthy and error.retryable:
            raise Violation(f"what can't heal is tried again: {error.kind}", error.message)
    if verification.outcome != Outcome.ERROR:
        json.dumps(result_document(verification), allow_nan=False)
    _check_reports(
        Findings(verification, publishing=True, publish_error="the broker did not take the result")
    )


def _check_lengths(verification: Verification) -> None:
    texts = [(note, LONGEST_MESSAGE) for note in verification.notes]
    if verification.error is not None:
        texts.append((verification.error.message, LONGEST_MESSAGE))
    for result in verification.interactions:
        texts.append((result.reason or "", LONGEST_REASON))
        for one in result.mismatches:
            texts += [(one.description, LONGEST_DESCRIPTION), (one.identifier, LONGEST_DESCRIPTION)]
            texts += [(one.expected or "", LONGEST_VALUE), (one.actual or "", LONGEST_VALUE)]
    for text, longest in texts:
        if len(text) > longest:
            raise Violation("an endless text in a verification", text[:500])


def _check_reports(findings: Findings) -> None:
    def written(report: Any) -> str:
        stream = io.StringIO()
        report.write(findings, stream)
        text = stream.getvalue()
        text.encode("utf-8", "backslashreplace")
        check_text(text, f"{type(report).__name__}")
        return text

    document = json.loads(written(JsonReport()))
    SCHEMA.validate(document)
    if Verification.from_dict(document) != findings.verification:
        raise Violation("a saved verification is another one when it is loaded")
    ET.fromstring(written(JunitReport()))
    summary = Path(tempfile.gettempdir()) / f"summary-{os.getpid()}.md"
    files = {"GITHUB_STEP_SUMMARY": str(summary), "GITHUB_OUTPUT": os.devnull}
    try:
        texts = [written(one) for one in (ConsoleReport(quiet=False), HtmlReport(), GitHubReport(files))]
        texts.append(summary.read_text(encoding="utf-8"))
    finally:
        summary.unlink(missing_ok=True)
    for text in texts:
        check_text(text, "a report")
        if "\x1b" in text:
            raise Violation("an escape sequence in a report", text[:2000])
