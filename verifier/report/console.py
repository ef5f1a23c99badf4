"""The report for people at a terminal, and for the log of a build."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, TextIO

from broker.text.harmless import lines_of, one_line
from verifier.report.difference import difference
from verifier.report.interface import more_differences, parties, publication, remarks, seconds, summary
from verifier.verification import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator

    from verifier.report.interface import Findings
    from verifier.verification import InteractionResult, Mismatch

LONGEST_DIFF = 60
GUTTER = "    | "
"""Before each line of foreign text, so that none of them looks like a line of the report or a CI command."""
MARKS = {Outcome.PASSED: ("✓", "green"), Outcome.FAILED: ("✗", "red"), Outcome.ERROR: ("!", "yellow")}
SIGNS = {"-": ("- expected", "red"), "+": ("+ actual  ", "green"), " ": ("          ", "dim")}


class Paint:
    """Colours for terminals that have them (rich knows which, and follows NO_COLOR and FORCE_COLOR)."""

    def __init__(self, stream: TextIO) -> None:
        self._console = None
        if stream.isatty() or os.environ.get("FORCE_COLOR"):
            from rich.console import Console  # noqa: PLC0415 - not for a build's log

            self._console = Console(file=stream)

    def __call__(self, text: str, style: str) -> str:
        """Return the text in one of rich's styles."""
        console = self._console
        if console is None or console.no_color or console.color_system is None:
            return text
        from rich.style import Style  # noqa: PLC0415
        from rich.text import Text  # noqa: PLC0415

        with console.capture() as capture:
            console.print(Text(text, style=Style.parse(style)), end="", soft_wrap=True)
        return capture.get()


class ConsoleReport:
    """Writes findings as text.

    Args:
        quiet: Whether to leave out what passed.
    """

    def __init__(self, *, quiet: bool = False) -> None:
        self._quiet = quiet

    def write(self, findings: Findings, stream: TextIO) -> None:
        """Write the report, in colours if the stream is a terminal."""
        paint = Paint(stream)
        stream.write("\n".join(self._lines(findings, paint)) + "\n")

    def _lines(self, findings: Findings, paint: Paint) -> Iterator[str]:
        verification = findings.verification
        if not self._quiet:
            for label, value in parties(verification):
                yield f"{paint(f'{label:9}', 'bold')} {one_line(value)}"
            yield ""
        for result in verification.interactions:
            if not self._quiet or result.outcome != Outcome.PASSED:
                yield from self._interaction(result, paint)
        if verification.interactions and not self._quiet:
            yield ""
        yield from self._end(findings, paint)

    def _interaction(self, result: InteractionResult, paint: Paint) -> Iterator[str]:
        mark, style = MARKS[result.outcome]
        pending = " (pending)" if result.pending else ""
        duration = f"  {paint(seconds(result.duration), 'dim')}" if result.duration is not None else ""
        yield (
            f"  {paint(mark, style)} {one_line(result.description)}{pending}  "
            f"{paint(one_line(result.request), 'cyan')}{duration}"
        )
        for state in result.states:
            yield f"      {paint('given', 'dim')} {one_line(state)}"
        for label, value in remarks(result):
            yield f"      {paint(label, 'dim')} {one_line(value)}"
        if result.reason:
            yield from (f"  {GUTTER}{line}" for line in lines_of(result.reason))
        for mismatch in result.mismatches:
            yield from self._mismatch(mismatch, paint)
        if more := more_differences(result.more_mismatches):
            yield f"      {more}"

    def _mismatch(self, mismatch: Mismatch, paint: Paint) -> Iterator[str]:
        yield f"      {paint(one_line(mismatch.where), 'bold')}: {one_line(mismatch.description)}"
        if mismatch.expected is None and mismatch.actual is None:
            return
        for sign, line in difference(mismatch, longest=LONGEST_DIFF):
            word, style = SIGNS[sign]
            yield f"  {GUTTER}{paint(f'{word} {one_line(line)}', style)}"

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
