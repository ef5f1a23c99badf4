"""The report of many pacts for people: a line for each with its interactions below, and those that failed last."""

from __future__ import annotations

from typing import TYPE_CHECKING, TextIO

from broker.text.harmless import lines_of, one_line
from verifier.report.amounts import seconds
from verifier.report.console_interactions import GUTTER, failure_lines, interaction_lines
from verifier.report.failures import failures
from verifier.report.interface import publication
from verifier.report.many.phrases import (
    deployable,
    name_of,
    outcome_of,
    parties,
    publications,
    total,
    word_of,
)
from verifier.report.paint import MARKS, Paint
from verifier.verification import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator

    from verifier.report.run_findings import PactFindings, RunFindings
    from verifier.verification import VerificationError

PENDING_MARK = ("~", "yellow")


class ManyConsoleReport:
    """Writes the findings of a run as text.

    Args:
        quiet: Whether to leave out what passed.
        leaves_out_passed: Whether the interactions that passed are left out alone, since they were shown before.
    """

    def __init__(self, *, quiet: bool = False, leaves_out_passed: bool = False) -> None:
        self._quiet = quiet
        self._shows_passed = not quiet and not leaves_out_passed

    def write(self, findings: RunFindings, stream: TextIO) -> None:
        """Write the report, in colours if the stream is a terminal."""
        paint = Paint(stream)
        stream.write("\n".join(paint.fitted(self._lines(findings, paint))) + "\n")

    def _lines(self, findings: RunFindings, paint: Paint) -> Iterator[str]:
        if not self._quiet:
            for label, value in parties(findings):
                yield f"{paint(f'{label:9}', 'bold')} {one_line(value)}"
            yield ""
        ordered = findings.worst_last()
        shown = [pact for pact in ordered if not self._quiet or word_of(pact) != "passed"]
        for pact in shown:
            yield from self._pact(pact, paint)
        bad = [pact for pact in ordered if word_of(pact) != "passed"]
        if len(bad) > 1 and len(findings.pacts) > 2:
            for pact in bad:
                yield f"{_mark(pact, paint)} {one_line(name_of(pact))}  {one_line(outcome_of(pact))}"
            yield ""
        yield from self._end(findings, paint)

    def _pact(self, pact: PactFindings, paint: Paint) -> Iterator[str]:
        verification = pact.verification
        yield (
            f"{_mark(pact, paint)} {paint(one_line(name_of(pact)), 'bold')}  {one_line(outcome_of(pact))}  "
            f"{paint(seconds(verification.duration), 'dim')}"
        )
        for notice in pact.before:
            yield from _foreign(notice)
        if self._shows_passed:
            for result in verification.interactions:
                if result.outcome == Outcome.PASSED:
                    yield from interaction_lines(result, paint)
        for failure in failures(verification.interactions):
            yield from failure_lines(failure, paint)
        if verification.error is not None:
            yield from _error(verification.error)
        yield from (f"  {paint('Note:', 'bold yellow')} {one_line(note)}" for note in verification.notes)
        style = "bold red" if pact.findings.publish_error else "dim"
        if pact.findings.publishing:
            yield f"  {paint(one_line(publication(pact.findings)), style)}"
        for notice in pact.after:
            yield from _foreign(notice)
        yield ""

    def _end(self, findings: RunFindings, paint: Paint) -> Iterator[str]:
        style = MARKS[findings.outcome][1]
        yield f"{paint(total(findings), f'bold {style}')} in {seconds(findings.duration)}"
        if findings.error is not None:
            yield from _error(findings.error)
        yield from (f"{paint('Note:', 'bold yellow')} {one_line(note)}" for note in findings.notes)
        yield from map(one_line, publications(findings))
        if line := deployable(findings):
            yield one_line(line)


def _mark(pact: PactFindings, paint: Paint) -> str:
    mark, style = PENDING_MARK if pact.is_pending_failure else MARKS[pact.verification.outcome]
    return paint(mark, style)


def _error(error: VerificationError) -> Iterator[str]:
    yield f"  {one_line(error.message)}"
    if error.output:
        yield "  Its last output:"
        yield from (f"{GUTTER}{line}" for line in lines_of(error.output))


def _foreign(text: str) -> Iterator[str]:
    """Return the broker's words, so that no line of them looks like one of the report."""
    yield from (f"{GUTTER}{line}" for line in lines_of(text))
