"""Expected and actual, as lines."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from tests.support.examples import PRICE
from verifier.report.difference import difference

BODY = {"name": "Kettle", "price": 34.9, "tags": ["kitchen", "steel", "copper", "enamel"], "inStock": True}


def lines(expected: str | None, actual: str | None, *, longest: int = 50) -> list[tuple[str, str]]:
    return difference(replace(PRICE, expected=expected, actual=actual), longest=longest)


@pytest.mark.parametrize(
    ("expected", "actual", "shown"),
    [
        ("1", "2", [("-", "1"), ("+", "2")]),
        (None, "2", [("-", "(nothing)"), ("+", "2")]),
        ("1", None, [("-", "1"), ("+", "(nothing)")]),
        ("1", "", [("-", "1"), ("+", "(nothing)")]),
        ('{"a": 1}', '{"a": 2}', [("-", '{"a": 1}'), ("+", '{"a": 2}')]),
    ],
)
def test_short_values_stand_one_above_the_other(
    expected: str | None, actual: str | None, shown: list[tuple[str, str]]
) -> None:
    assert lines(expected, actual) == shown


def test_long_values_are_compared_line_by_line() -> None:
    shown = lines(json.dumps(BODY), json.dumps({**BODY, "price": 35.9}))
    assert shown == [
        (" ", "{"),
        (" ", '  "name": "Kettle",'),
        ("-", '  "price": 34.9,'),
        ("+", '  "price": 35.9,'),
        (" ", '  "tags": ['),
        (" ", '    "kitchen",'),
    ]


def test_far_apart_differences_have_a_mark_between_them() -> None:
    shown = lines(json.dumps(BODY), json.dumps({**BODY, "name": "Lamp", "inStock": False}))
    assert shown.count((" ", "...")) == 1
    assert ("+", '  "name": "Lamp",') in shown
    assert ("+", '  "inStock": false') in shown


def test_text_is_compared_line_by_line_too() -> None:
    expected = "one line\nanother line\na third line\na fourth and last line of text, which is a long one"
    shown = lines(expected, expected.replace("third", "3rd"))
    assert ("-", "a third line") in shown
    assert ("+", "a 3rd line") in shown


def test_lines_that_look_like_a_difference_are_text() -> None:
    expected = f"@@ -1 +1 @@\n--- a\n+++ b\n{'x' * 60}"
    shown = lines(expected, "y" * 100)
    assert [text for sign, text in shown if sign == "-"] == expected.splitlines()


def test_endless_values_are_cut() -> None:
    shown = lines("\n".join(f"a{n}" for n in range(500)), "b", longest=20)
    assert len(shown) == 21
    assert shown[-1] == (" ", "... and 481 lines more")


@pytest.mark.parametrize("value", ["[" * 100_000, "{" * 70, "x" * 70])
def test_value_that_is_no_json_is_shown_as_it_is(value: str) -> None:
    assert lines(value, "1") == [("-", value), ("+", "1")]
