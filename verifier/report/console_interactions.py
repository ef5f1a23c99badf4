"""Interactions as lines of text, and what is wrong with those that did not pass."""

from __future__ import annotations

from typing import TYPE_CHECKING

from broker.text.harmless import lines_of, one_line
from verifier.report.amounts import seconds
from verifier.report.exchange import answer_in_a_line, curl
from verifier.report.interface import matched, more_differences, remarks, shared_cause
from verifier.report.paint import MARKS, Paint

if TYPE_CHECKING:
    from collections.abc import Iterator

    from broker.text.differences import Difference
    from verifier.report.failures import Failure
    from verifier.verification import InteractionResult

LONGEST_DIFF = 20
WIDEST_PLACE = 48
"""So far the places of differences are filled up, so that what follows stands in a column."""
NAMES_SHOWN = 5
"""How many interactions that share a cause are named where it is shown."""
GUTTER = "    | "
"""Before each line of foreign text, so that none of them looks like a line of the report or a CI command."""
SIGNS = {"-": ("- expected", "red"), "+": ("+ actual  ", "green"), " ": ("          ", "dim")}


def interaction_lines(result: InteractionResult, paint: Paint) -> Iterator[str]:
    """Return an interaction, with its states and what the consumer has to say about it."""
    yield f"  {_title(result, paint)}"
    for state in result.states:
        yield f"      {paint('given', 'dim')} {one_line(state)}"
    for label, value in remarks(result):
        yield f"      {paint(label, 'dim')} {one_line(value)}"


def failure_lines(failure: Failure, paint: Paint) -> Iterator[str]:
    """Return what is wrong with interactions of the same cause, and what to compare."""
    if len(failure.results) == 1:
        yield from interaction_lines(failure.first, paint)
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
        yield f"      {paint(where, 'bold')}  {_what(one, paint)}"
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


def _what(one: Difference, paint: Paint) -> str:
    if one.expected is None or one.actual is None:
        return one_line(one.what)
    times = f"  ({one.times} times)" if one.times > 1 else ""
    return (
        f"expected {paint(one_line(one.expected), 'red')}  got {paint(one_line(one.actual), 'green')}{times}"
    )


def _title(result: InteractionResult, paint: Paint) -> str:
    mark, style = MARKS[result.outcome]
    pending = " (pending)" if result.pending else ""
    duration = f"  {paint(seconds(result.duration), 'dim')}" if result.duration is not None else ""
    return (
        f"{paint(mark, style)} {one_line(result.description)}{pending}  "
        f"{paint(one_line(result.request), 'cyan')}{duration}"
    )
