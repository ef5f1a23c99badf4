"""What failed, as every report shows it: interactions that fail for the same cause together. No I/O."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from broker.text.differences import Found, differences
from verifier.pact import HTTP
from verifier.report.interface import more_differences
from verifier.verification import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from broker.text.differences import Difference
    from verifier.verification import Exchange, InteractionResult

LONGEST_DIFF = 50
"""The most lines of a comparison in plain text."""

_PARTS = ("status", "header", "body")
_URL = re.compile(r"https?://\S+")


@dataclass(frozen=True)
class Failure:
    """Interactions that failed, or could not be verified, for the same cause.

    Attributes:
        results: The interactions.
        reason: Why, unless that is a difference.
        differences: The differences of each that are shown.
        more: How many differences each has beside those.
        matched: The parts of the answer in which there are none.
    """

    results: tuple[InteractionResult, ...]
    reason: str
    differences: tuple[Difference, ...]
    more: int
    matched: tuple[str, ...]

    @property
    def first(self) -> InteractionResult:
        """The first of the interactions."""
        return self.results[0]

    @property
    def exchange(self) -> Exchange | None:
        """What was sent for one of the interactions, and what came, if it was recorded."""
        return next((result.exchange for result in self.results if result.exchange is not None), None)

    @property
    def in_a_line(self) -> str:
        """The first thing that is wrong."""
        if not self.differences:
            return self.reason
        first = self.differences[0]
        more = sum(one.times for one in self.differences[1:]) + self.more
        return f"{first.where}: {first.what}" + (f", and {more} more" if more else "")


def failure_of(result: InteractionResult) -> Failure:
    """Return one interaction that did not pass as a failure of its own."""
    shown, left_out = differences(
        [
            Found(one.attribute, one.identifier, one.expected, one.actual, one.description)
            for one in result.mismatches
        ]
    )
    wrong = {one.attribute for one in result.mismatches}
    matched = [part for part in _PARTS if part not in wrong] if wrong and result.kind == HTTP else []
    return Failure(
        (result,), result.reason or "", tuple(shown), left_out + result.more_mismatches, tuple(matched)
    )


def failures(results: Iterable[InteractionResult]) -> list[Failure]:
    """Return what did not pass, failures of the same cause together, in the order of the pact."""
    found: dict[object, Failure] = {}
    for result in results:
        if result.outcome == Outcome.PASSED:
            continue
        one = failure_of(result)
        cause = (
            result.outcome,
            result.pending,
            _URL.sub("", one.reason),
            tuple((each.where, each.what, each.compared) for each in one.differences),
        )
        same = found.get(cause)
        found[cause] = one if same is None else _joined((same, one))
    return list(found.values())


def text_of(failure: Failure) -> Iterator[str]:
    """Return what is wrong as lines of plain text."""
    if failure.reason:
        yield failure.reason
    for one in failure.differences:
        yield f"{one.where}: {one.what}"
        yield from (f"  {sign} {line}" for sign, line in one.lines(LONGEST_DIFF))
    if failure.more:
        yield more_differences(failure.more)


def _joined(alike: Sequence[Failure]) -> Failure:
    first = alike[0]
    return Failure(
        tuple(result for failure in alike for result in failure.results),
        first.reason,
        first.differences,
        max(failure.more for failure in alike),
        first.matched,
    )
