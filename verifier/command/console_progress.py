"""The progress of a run, for people: a bar on a terminal, lines elsewhere. All of it goes to standard error."""

from __future__ import annotations

import time
from importlib import import_module
from typing import TYPE_CHECKING, TextIO

from broker.text.cut import beginning
from broker.text.harmless import one_line
from verifier.progress import Progress
from verifier.report.amounts import count, seconds
from verifier.report.paint import MARKS, Paint
from verifier.verification import Outcome

if TYPE_CHECKING:
    from typing import Self

    from verifier.verification import InteractionResult, Verification

PLAIN_SECONDS = 5.0
"""How often the progress is written to a build's log."""
GOOD_STYLE, FAILED_STYLE = "green", "red"
BAR_COLUMNS = 12
"""As many as leave room for counts and time on a terminal of 60 columns."""
LONGEST_NAME = 40
"""The most characters of a name beside the bar."""
REPORT = "verifier.report.console"
"""What shows the results; it is imported while the engine verifies, and this process waits."""


class _BeforeReport(Progress):
    def waiting(self) -> None:
        """Import the report."""
        import_module(REPORT)


class PlainProgress(_BeforeReport):
    """A line every few seconds, or for each interaction.

    Args:
        stream: Where to write it.
        verbose: Whether there is a line for each step and each interaction, and the provider's output.
    """

    def __init__(self, stream: TextIO, *, verbose: bool) -> None:
        self._stream = stream
        self._verbose = verbose
        self._paint = Paint(stream)
        self._total = self._done = self._bad = 0
        self._pacts = self._pacts_done = 0
        self._next_line = 0.0

    def step(self, text: str) -> None:
        """Show that a step begins."""
        if self._verbose:
            self._say(f"{one_line(text)} ...")

    def notice(self, text: str) -> None:
        """Show something that a person should know now."""
        self._say(one_line(text))

    def total(self, interactions: int) -> None:
        """Start to count the interactions."""
        if self._pacts:
            return
        self._total, self._done, self._bad = interactions, 0, 0
        self._next_line = time.monotonic() + PLAIN_SECONDS

    def pacts(self, number: int) -> None:
        """Start to count pacts, and the interactions of all of them together."""
        self._pacts = number
        self._next_line = time.monotonic() + PLAIN_SECONDS

    def pact(self, name: str) -> None:
        """Show that a pact begins, if verbose."""
        if self._verbose:
            self._say(f"{one_line(name)} ({self._pacts_done + 1} of {count(self._pacts, 'pact')})")

    def pact_ended(self, verification: Verification) -> None:
        """Count a pact, and show how it ended if verbose."""
        self._pacts_done += 1
        if self._verbose:
            mark, style = MARKS[verification.outcome]
            name = verification.consumer or verification.pact_url
            self._say(f"{self._paint(mark, style)} {one_line(name)}  {seconds(verification.duration)}")

    def verified(self, result: InteractionResult) -> None:
        """Count an interaction, and show it if verbose."""
        self._done += 1
        self._bad += result.outcome != Outcome.PASSED
        if self._verbose:
            mark, style = MARKS[result.outcome]
            self._say(
                f"{self._paint(mark, style)} {one_line(result.description)}  {seconds(result.duration)}"
            )
        elif time.monotonic() >= self._next_line:
            self._next_line = time.monotonic() + PLAIN_SECONDS
            bad = f", {self._bad} not passed" if self._bad else ""
            if self._pacts:
                done = (
                    f"{self._pacts_done} of {count(self._pacts, 'pact')}, {count(self._done, 'interaction')}"
                )
            else:
                done = f"{self._done} of {count(self._total, 'interaction')}"
            self._say(f"Verified {done}{bad} ...")

    def provider_output(self, line: str) -> None:
        """Show a line that the provider printed, if verbose."""
        if self._verbose:
            self._say(f"provider | {one_line(line)}")

    def _say(self, line: str) -> None:
        print(line, file=self._stream, flush=True)


class BarProgress(_BeforeReport):
    """A progress bar, which disappears at the end of the run."""

    def __init__(self, stream: TextIO) -> None:
        from rich import console, progress, table  # noqa: PLC0415 - only needed for a terminal

        self._bar = progress.BarColumn(BAR_COLUMNS, complete_style=GOOD_STYLE, finished_style=GOOD_STYLE)
        self._progress = progress.Progress(
            progress.SpinnerColumn(),
            progress.TextColumn("{task.description}", markup=False),
            self._bar,
            progress.MofNCompleteColumn(table_column=table.Column(no_wrap=True)),
            progress.TextColumn("{task.fields[bad]}", style=FAILED_STYLE),
            progress.TimeElapsedColumn(table_column=table.Column(no_wrap=True)),
            progress.TextColumn(
                "{task.fields[name]}",
                markup=False,
                style="dim",
                # it alone gives way where the terminal is narrow
                table_column=table.Column(ratio=1, no_wrap=True, overflow="ellipsis"),
            ),
            console=console.Console(file=stream),
            transient=True,
            expand=True,
        )
        self._task = self._progress.add_task("Starting", total=None, bad="", name="")
        self._bad = 0
        self._pacts = self._pacts_done = 0
        self._pact = ""
        self._share = 0.0  # of an interaction in the pact that is verified

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def step(self, text: str) -> None:
        """Show that a step begins."""
        self._progress.update(self._task, description=text)

    def notice(self, text: str) -> None:
        """Show something that a person should know now."""
        self._progress.console.print(one_line(text), markup=False, highlight=False)

    def total(self, interactions: int) -> None:
        """Start to count the interactions."""
        if self._pacts:
            self._share = 1 / max(interactions, 1)
            return
        self._bad = 0
        self._progress.reset(self._task, total=interactions, bad="", name="")

    def pacts(self, number: int) -> None:
        """Start to count pacts: the bar is over all of them."""
        self._pacts = number
        self._progress.update(self._task, total=number)

    def pact(self, name: str) -> None:
        """Show which pact it is."""
        self._pact = name

    def pact_ended(self, verification: Verification) -> None:
        """Count a pact."""
        self._pacts_done += 1
        if verification.outcome != Outcome.PASSED:
            self._bar.complete_style = self._bar.finished_style = FAILED_STYLE
        self._progress.update(self._task, completed=self._pacts_done)

    def verified(self, result: InteractionResult) -> None:
        """Count an interaction, and show its name, or that of the pact if there are many."""
        if result.outcome != Outcome.PASSED:
            self._bad += 1
            self._bar.complete_style = self._bar.finished_style = FAILED_STYLE
        bad = f"{self._bad} not passed" if self._bad else ""
        name = beginning(one_line(self._pact or result.description), LONGEST_NAME)
        self._progress.update(self._task, advance=self._share if self._pacts else 1, bad=bad, name=name)
