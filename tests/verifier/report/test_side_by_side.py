"""Comparisons with what belongs together side by side."""

from __future__ import annotations

import pytest

from verifier.report.side_by_side import Row, paired


@pytest.mark.parametrize(
    ("lines", "rows"),
    [
        ([], []),
        ([(" ", "a")], [Row("a", "a", differs=False)]),
        (
            [("-", "a"), ("-", "b"), ("+", "c")],
            [Row("a", "c", differs=True), Row("b", None, differs=True)],
        ),
        ([("+", "a"), (" ", "b")], [Row(None, "a", differs=True), Row("b", "b", differs=False)]),
        (
            [("-", "a"), ("+", "b"), ("-", "c"), ("+", "d")],
            [Row("a", "b", differs=True), Row("c", "d", differs=True)],
        ),
    ],
)
def test_what_was_expected_stands_beside_what_came(lines: list[tuple[str, str]], rows: list[Row]) -> None:
    assert paired(lines) == rows
