"""The report for people at a terminal, and for the log of a build."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING, TextIO

from broker.text.differences import shortened
from broker.text.harmless import lines_of, one_line
from verifier.report.amounts import seconds
from verifier.report.exchange import answer_in_a_line, curl
from verifier.report.failures import failures
from verifier.report.interface import (
    matched,
    more_differences,
    parties,
    publication,
    remarks,
    shared_cause,
    summary,
)
from verifier.report.paint import MARKS, Paint
from verifier.verification import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator

    from broker.text.differences import Difference
    from verifier.report.failures import Failure
    from verifier.report.interface import Findings
    from verifier.verification import InteractionResult

LONGEST_DIFF = 20
WIDEST_PLACE = 48
"""So far the places of differences are filled up, so that what follows stands in a column."""
LONGEST_EXPRESSION = 100
_MEANT = re.compile(r"[.^$*+?{}\[\]\\|()]")
"""What has a meaning in a regular expression."""
MOST_NAMES = 100
"""If more interactions than these did not pass, the list at the end has a few of each cause."""
NAMES_SHOWN = 5
"""How many interactions that share a cause are named where it is shown."""
GUTTER = "    | "
"""Before each line of foreign text, so that none of them looks like a line of the report or a CI command."""
SIGNS = {"-": ("- expected", "red"), "+": ("+ actual  ", "green"), " ": ("          ", "dim")}


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
                    yield from self._interaction(result, paint)
        found = failures(verification.interactions)
        for failure in found:
            yield from self._failure(failure, paint)
        if verification.interactions and not self._quiet:
            yield ""
        yield from self._names(found, paint)
        yield from self._end(findings, paint)

    def _interaction(self, result: InteractionResult, paint: Paint) -> Iterator[str]:
        yield f"  {_title(result, paint)}"
        for state in result.states:
            yield f"      {paint('given', 'dim')} {one_line(state)}"
        for label, value in remarks(result):
            yield f"      {paint(label, 'dim')} {one_line(value)}"

    def _failure(self, failure: Failure, paint: Paint) -> Iterator[str]:
        if len(failure.results) == 1:
            yield from self._interaction(failure.first, paint)
        else:
            mark, style = MARKS[failure.first.outcome]
            yield f"  {paint(mark, style)} {paint(shared_cause(failure), 'bold')}"
            for result in failure.results[:NAMES_SHOWN]:
                yield f"      {_title(result, paint)}"
            if len(failure.results) > NAMES_SHOWN:
                yield f"      ... and {len(failure.results) - NAMES_SHOWN} more"
        if failure.reason:
            yield from (f"  {GUTTER}{line}" for line in lines_of(failure.reason))
        widest = max((len(one.where) for one in failure.differences), default=0)
        for one in failure.differences:
            where = one_line(one.where).ljust(min(widest, WIDEST_PLACE))
            yield f"      {paint(where, 'bold')}  {self._what(one, paint)}"
            for sign, line in one.lines(LONGEST_DIFF):
                word, style = SIGNS[sign]
                yield f"  {GUTTER}{paint(f'{word} {one_line(line)}', style)}"
        if more_text := more_differences(failure.more):
            yield f"      {more_text}"
        if failure.matched:
            yield f"      {paint(matched(failure), 'dim')}"
        if exchange := failure.exchange:
            yield f"      {paint('answered', 'dim')} {one_line(answer_in_a_line(exchange))}"
            yield f"      {paint('again', 'dim')}    {one_line(curl(exchange))}"

    def _what(self, one: Difference, paint: Paint) -> str:
        if one.expected is None or one.actual is None:
            return one_line(one.what)
        times = f"  ({one.times} times)" if one.times > 1 else ""
        return f"expected {paint(one_line(one.expected), 'red')}  got {paint(one_line(one.actual), 'green')}{times}"

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
        expression = "|".join(_MEANT.sub(r"\\\g<0>", name) for name in dict.fromkeys(names))
        expression = f"^({expression})$" if len(names) > 1 else f"^{expression}$"
        if self._remembers:
            yield "To verify only what did not pass: the same again with --last-failed"
        elif len(expression) <= LONGEST_EXPRESSION and expression.isprintable():
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


def _title(result: InteractionResult, paint: Paint) -> str:
    mark, style = MARKS[result.outcome]
    pending = " (pending)" if result.pending else ""
    duration = f"  {paint(seconds(result.duration), 'dim')}" if result.duration is not None else ""
    return (
        f"{paint(mark, style)} {one_line(result.description)}{pending}  "
        f"{paint(one_line(result.request), 'cyan')}{duration}"
    )
