"""The charts of outcomes: columns of an hour or a day, for a template to draw."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime, timedelta

OUTCOMES = ("passed", "failed", "error", "cancelled", "relayed")
"""How a run may end, from the bottom of a column to its top."""
PATTERNED = ("failed", "error")
"""Those that are told by a pattern beside their colour."""
WORDS = {"error": "could not verify", "relayed": "passed on"}
"""The outcomes that are shown by other words."""
WIDTH, HEIGHT = 480.0, 100.0
"""Of the columns, in the units of the drawing."""
GAP = 2.0
LEAST = 1.5
"""The height of the part of a column that would be too low to be seen."""


@dataclass(frozen=True)
class Part:
    """A part of a column.

    Attributes:
        outcome: What it is of.
        number: How many runs.
        y: Where its top is.
        height: How high it is.
        drawn: The path around it.
    """

    outcome: str
    number: int
    y: float
    height: float
    drawn: str


@dataclass(frozen=True)
class Column:
    """The runs that ended in an hour or on a day.

    Attributes:
        name: Which one.
        parts: Its parts, from the bottom.
        text: What it says, for those who can't see it.
    """

    name: str
    parts: list[Part]
    text: str

    @property
    def numbers(self) -> dict[str, int]:
        """The number of runs by outcome."""
        return {part.outcome: part.number for part in self.parts}


@dataclass(frozen=True)
class Chart:
    """A chart.

    Attributes:
        columns: Its columns, the oldest first.
        most: The runs of the highest column.
        totals: The number of runs by outcome, as far as there are any.
    """

    columns: list[Column]
    most: int
    totals: dict[str, int]

    @property
    def patterned(self) -> dict[str, str]:
        """The paths around all parts of the outcomes that have a pattern beside their colour."""
        drawn = {
            outcome: "".join(
                part.drawn for column in self.columns for part in column.parts if part.outcome == outcome
            )
            for outcome in PATTERNED
        }
        return {outcome: path for outcome, path in drawn.items() if path}


def chart_of(
    counted: Mapping[tuple[datetime, str], int], *, last: datetime, step: timedelta, number: int, form: str
) -> Chart:
    """Return the chart of what was counted.

    Args:
        counted: The number of runs by the begin of the hour or the day and the outcome.
        last: The begin of the last column.
        step: The time of a column.
        number: How many columns there are.
        form: How the begin of a column is shown.
    """
    begins = [last - step * back for back in reversed(range(number))]
    found = {begin: [(outcome, counted.get((begin, outcome), 0)) for outcome in OUTCOMES] for begin in begins}
    most = max(sum(runs for _, runs in outcomes) for outcomes in found.values())
    width = WIDTH / number
    columns = [
        Column(
            format(begin, form),
            list(_parts(outcomes, most, x=width * place + GAP / 2, width=width - GAP)),
            _text(format(begin, form), outcomes),
        )
        for place, (begin, outcomes) in enumerate(found.items())
    ]
    totals = {outcome: sum(column.numbers.get(outcome, 0) for column in columns) for outcome in OUTCOMES}
    return Chart(columns, most, {outcome: runs for outcome, runs in totals.items() if runs})


def _parts(outcomes: list[tuple[str, int]], most: int, *, x: float, width: float) -> Iterator[Part]:
    y = HEIGHT
    for outcome, runs in outcomes:
        if runs:
            height = max(HEIGHT * runs / most, LEAST)
            y -= height
            top = max(y, 0.0)
            yield Part(
                outcome, runs, top, height, f"M{x:.1f},{top:.1f}h{width:.1f}v{height:.1f}h-{width:.1f}z"
            )


def _text(name: str, outcomes: list[tuple[str, int]]) -> str:
    found = [f"{runs} {WORDS.get(outcome, outcome)}" for outcome, runs in outcomes if runs]
    return f"{name}: {', '.join(found) or 'no run ended'}"
