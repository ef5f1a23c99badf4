"""A comparison line by line, with what belongs together side by side. No I/O."""

from __future__ import annotations

from itertools import zip_longest
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable


class Row(NamedTuple):
    """A line of each side; None where the other side alone has one.

    Attributes:
        expected: What the consumer expects.
        actual: What the provider answered.
        differs: Whether that is not the same.
    """

    expected: str | None
    actual: str | None
    differs: bool


def paired(lines: Iterable[tuple[str, str]]) -> list[Row]:
    """Return the lines of a comparison as rows.

    Args:
        lines: Each with its sign: `-` expected, `+` actual, a blank for both.
    """
    rows: list[Row] = []
    gone: list[str] = []
    come: list[str] = []

    def end() -> None:
        rows.extend(Row(expected, actual, differs=True) for expected, actual in zip_longest(gone, come))
        gone.clear()
        come.clear()

    for sign, line in lines:
        if sign == "-":
            if come:
                end()
            gone.append(line)
        elif sign == "+":
            come.append(line)
        else:
            end()
            rows.append(Row(line, line, differs=False))
    end()
    return rows
