"""The rule for names, which everybody who takes one from outside shares."""

from __future__ import annotations

import pytest

from broker.http.names import is_name


@pytest.mark.parametrize("name", ["a", "..a", "feature/..", "x" * 255, "caf\u00e9 & co", "\U0001f600"])
def test_what_can_be_part_of_a_url_and_of_an_index_is_a_name(name: str) -> None:
    assert is_name(name)


@pytest.mark.parametrize(
    "name", ["", " ", ".", "..", "...", " . ", "x" * 256, "a\nb", "a\0b", "\ud800", "\x1b[2J"]
)
def test_what_means_another_place_or_is_no_line_is_none(name: str) -> None:
    assert not is_name(name)
