"""The report for people at a terminal, and for the log of a build."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, TextIO

from broker.text.differences import shortened
from broker.text.harmless import lines_of, one_line
from verifier.report.amounts import seconds
from verifier.report.console_interactions import GUTTER, NAMES_SHOWN, failure_lines, interaction_lines
from verifier.report.failures import failures
from verifier.report.filter_expression import expression_of
from verifier.report.interface import parties, publication, summary
from verifier.report.paint import MARKS, Paint
from verifier.verification import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator

    from verifier.report.failures import Failure
    from verifier.report.interface import Findings

MOST_NAMES = 100
"""If more interactions than these did not pass, the list at the end has a few of each cause."""


class ConsoleReport:
    """Writes findings as text.

    Args:
        quiet: Whether to leave out what passed.
        remembers: Whether there is a JSON report, from which `--last-failed` knows what failed.
        leaves_out_passed: Whether what passed is left out alone, since it was shown before.
    """

    def __init__(
        self, *, quiet: bool = False, remembers: bool = False, leaves_out_passed: bool = False
    ) -> None:
        self._quiet = quiet
        self._remembers = remembers
        self._shows_passed = not quiet and not leaves_out_passed

    def write(self, findings: Findings, stream: TextIO) -> None:
        """Write the report, in colours if the stream is a terminal."""
        paint = Paint(stream)
        stream.write("\n".join(paint.fitted(self._lines(findings, paint))) + "\n")

    def _lines(self, findings: Findings, paint: Paint) -> Iterator[str]:
        verification = findings.verification
        if not self._quiet:
            for label, value in parties(verification):
                yield f"{paint(f'{label:9}', 'bold')} {one_line(value)}"
            yield ""
        if self._shows_passed:
            for result in verification.interactions:
                if result.outcome == Outcome.PASSED:
                    yield from interaction_lines(result, paint)
        found = failures(verification.interactions)
        for failure in found:
            yield from failure_lines(failure, paint)
        if verification.interactions and not self._quiet:
            yield ""
        yield from self._names(found, paint)
        yield from self._end(findings, paint)

    def _names(self, found: list[Failure], paint: Paint) -> Iterator[str]:
        """Return the names of all that failed, each with the first thing that is wrong."""
        total = sum(len(failure.results) for failure in found)
        if total < 2:
            return
        for failure in found:
            mark, style = MARKS[failure.first.outcome]
            fits = failure.results if total <= MOST_NAMES else failure.results[:NAMES_SHOWN]
            for result in fits:
                reason = failure.in_a_line if result is failure.first else "the same"
                line = one_line(f"{result.description}: {' '.join(reason.split())}")
                yield f"  {paint(mark, style)} {shortened(line)}"
            if len(failure.results) > len(fits):
                yield f"  {paint(mark, style)} ... and {len(failure.results) - len(fits)} more, the same"
        yield ""

    def _again(self, findings: Findings) -> Iterator[str]:
        """Return how to verify again what did not pass, where that is a part."""
        results = findings.verification.interactions
        names = [result.description for result in results if result.outcome != Outcome.PASSED]
        if not 0 < len(names) < len(results):
            return
        expression = expression_of(names)
        if self._remembers:
            yield "To verify only what did not pass: the same again with --last-failed"
        elif expression is not None:
            yield f"To verify only what did not pass: --filter-description {shlex.quote(expression)}"
        else:
            yield "To verify only what did not pass: --json FILE now, and --last-failed with it the next time"

    def _end(self, findings: Findings, paint: Paint) -> Iterator[str]:
        verification = findings.verification
        style = MARKS[verification.outcome][1]
        yield f"{paint(summary(findings), f'bold {style}')} in {seconds(verification.duration)}"
        if verification.error is not None:
            yield f"  {one_line(verification.error.message)}"
            if verification.error.output:
                yield "  Its last output:"
                yield from (f"{GUTTER}{line}" for line in lines_of(verification.error.output))
        yield from (f"{paint('Note:', 'bold yellow')} {one_line(note)}" for note in verification.notes)
        style = "bold red" if findings.publish_error else "default"
        yield paint(one_line(publication(findings)), style)
        yield from self._again(findings)
