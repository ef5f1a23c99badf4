"""The report as one self-contained page: no script, no request, nothing from elsewhere."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, TextIO

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from verifier.report.console import SHORT, pretty
from verifier.report.interface import count, parties, publication, result_word, seconds, summary
from verifier.verification import Outcome

if TYPE_CHECKING:
    from verifier.report.interface import Findings
    from verifier.verification import Mismatch

LONGEST_DIFF = 2000


class HtmlReport:
    """Writes findings as an HTML page."""

    def write(self, findings: Findings, stream: TextIO) -> None:
        """Write the page."""
        environment = Environment(
            loader=PackageLoader("verifier.report", "."),
            autoescape=select_autoescape(default=True),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        environment.filters |= {"seconds": seconds, "word": result_word, "diff": diff}
        verification = findings.verification
        counts = [
            (verification.count(outcome), word, outcome.value)
            for outcome, word in (
                (Outcome.FAILED, "failed"),
                (Outcome.ERROR, "not verified"),
                (Outcome.PASSED, "passed"),
            )
        ]
        page = environment.get_template("page.html.jinja").render(
            findings=findings,
            verification=verification,
            summary=summary(findings),
            parties=parties(verification),
            publication=publication(findings),
            counts=counts,
            total=count(len(verification.interactions), "interaction"),
        )
        stream.write(page + "\n")


def diff(mismatch: Mismatch) -> list[tuple[str, str]]:
    """Lay expected and actual out as lines, each with its sign: `-` expected, `+` actual, ` ` both."""
    expected, actual = mismatch.expected or "(nothing)", mismatch.actual or "(nothing)"
    if len(expected) <= SHORT and len(actual) <= SHORT:
        return [("-", expected), ("+", actual)]
    lines = list(difflib.unified_diff(pretty(expected), pretty(actual), lineterm="", n=3))[2:]
    shown = [(line[:1], line[1:]) for line in lines[:LONGEST_DIFF]]
    if len(lines) > LONGEST_DIFF:
        shown.append((" ", f"... {len(lines) - LONGEST_DIFF} lines more"))
    return shown
