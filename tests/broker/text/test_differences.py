"""Differences as people read them."""

from __future__ import annotations

import json

import pytest

from broker.text.differences import LONGEST, MOST_ALIKE, MOST_SHOWN, Difference, Found, compare, differences

BODY = {"name": "Kettle", "price": 34.9, "tags": ["kitchen", "steel", "copper", "enamel"], "inStock": True}
EQUAL = "Expected 0 (Integer) to be equal to 5 (Integer)"


def one(found: Found) -> Difference:
    [shown], left_out = differences([found])
    assert left_out == 0
    return shown


@pytest.mark.parametrize(
    ("found", "line"),
    [
        # sentences of pact-python's core
        (Found("status", "", "200", "418", "expected 200 but was 418"), "status: expected 200, got 418"),
        (
            Found("header", "X-A", '"b"', "", "Expected a header 'X-A' but was missing"),
            'header X-A: expected "b", got nothing',
        ),
        (Found("body", "$.a", "5", "0", EQUAL), "$.a: expected 5, got 0"),
        (
            Found("body", "$.a", '"s"', "1", "Expected 1 (Integer) to be the same type as 's' (String)"),
            "$.a: Expected 1 (Integer) to be the same type as 's' (String)",
        ),
        (
            Found("body", "$.a", '["b","c"]', '["b"]', "Actual map is missing the following keys: c"),
            "$.a.c: expected a value, got nothing",
        ),
        (
            Found("body", "$", '["b c"]', "[]", "Actual map is missing the following keys: b c"),
            "$['b c']: expected a value, got nothing",
        ),
        (
            Found("body", "$", "{}", "[]", "Actual map is missing the following keys: b"),
            "body: Actual map is missing the following keys: b",
        ),
        (
            Found("body", "$", "[1]", "{}", "Type mismatch: Expected {} (Object) to be the same type as [1] (Array)"),
            "body: Type mismatch: Expected {} (Object) to be the same type as [1] (Array)",
        ),
        # another verifier's
        (Found("body", "$.a", None, None, "it is wrong"), "$.a: it is wrong"),
        (Found("body", "", "1", "2", ""), "body: expected 1, got 2"),
    ],
)  # fmt: skip
def test_what_fits_on_a_line_stands_on_one(found: Found, line: str) -> None:
    shown = one(found)
    assert f"{shown.where}: {shown.what}" == line
    assert shown.lines(10) == []


def test_a_text_of_several_lines_is_compared_line_by_line() -> None:
    sentence = "Expected body 'a\nb\n' to match 'a\nc\n' using equality but did not match"
    shown = one(Found("body", "$", "a\nb\n", "a\nc\n", sentence))
    assert (shown.where, shown.what) == ("body", "the text differs")
    assert shown.lines(10) == [(" ", "a"), ("-", "b"), ("+", "c")]


def test_a_value_is_not_compared_where_what_is_in_it_is_shown() -> None:
    list_, first = json.dumps([{"x": 1}] * 9), '{"x":1}'
    shown, _ = differences(
        [
            Found("body", "$.list", list_, "[1]", "Expected [1] (size 1) to have minimum size of 9"),
            Found("body", "$.list[0]", first, "1", "Type mismatch"),
            Found("body", "$.lists", list_, "[2]", "too few"),
        ]
    )
    assert [(found.place, bool(found.compared)) for found in shown] == [
        ("$.list[0]", True), ("$.lists", True), ("$.list", False)
    ]  # fmt: skip


def test_values_that_were_found_different_twice_are_compared_once() -> None:
    values = (json.dumps(list(range(60))), json.dumps(list(range(59))))
    shown, _ = differences(
        [Found("body", "$.list", *values, "one is missing"), Found("body", "$.list", *values, "59 elements")]
    )
    assert [(found.sentence, bool(found.compared)) for found in shown] == [
        ("one is missing", False), ("59 elements", True)
    ]  # fmt: skip


def test_alike_differences_are_counted() -> None:
    found = [
        Found("body", f"$.items[{n}].price.{name}", "5", "0", EQUAL)
        for n in range(33)
        for name in ("net", "tax")
    ]
    shown, left_out = differences([*found, Found("body", "$.items[7].name", '"a"', '"b"', EQUAL)])
    assert [(one.where, one.what) for one in shown] == [
        ("$.items[*].price.net", "expected 5, got 0 (33 times)"),
        ("$.items[*].price.tax", "expected 5, got 0 (33 times)"),
        ("$.items[7].name", 'expected "a", got "b"'),
    ]
    assert left_out == 0


def test_of_those_that_differ_in_values_alone_a_few_are_shown() -> None:
    found = [Found("body", f"$.items[{n}].id", str(n), f'"{n}"', EQUAL) for n in range(33)]
    shown, left_out = differences(found)
    assert [one.where for one in shown] == [f"$.items[{n}].id" for n in range(MOST_ALIKE)]
    assert left_out == 33 - MOST_ALIKE


def test_no_more_are_shown_than_people_read() -> None:
    shown, left_out = differences([Found("body", f"$.a{n}", "1", "2", EQUAL) for n in range(100)])
    assert (len(shown), left_out) == (MOST_SHOWN, 100 - MOST_SHOWN)


def test_long_sentences_and_values_are_cut() -> None:
    for found in (
        Found("body", "$.a", "x" * 1000, "y" * 1000, EQUAL),
        Found("body", "$.a", None, None, "x" * 5000),
        Found("body", "$.a", "[1]", "[2]", "x" * 5000),
    ):
        assert len(one(found).what) < 2 * LONGEST + 50


def test_json_is_compared_by_its_values() -> None:
    assert compare(json.dumps(BODY), json.dumps({**BODY, "price": 35.9}), longest=50) == [
        (" ", '  "name": "Kettle"'),
        ("-", '  "price": 34.9'),
        ("+", '  "price": 35.9'),
        (" ", '  "tags": ['),
    ]


def test_a_comma_after_the_last_item_is_no_difference() -> None:
    shown = compare("[1,2,3]", "[1,2]", longest=50)
    assert [line for sign, line in shown if sign in "+-"] == ["  3"]


def test_far_apart_differences_have_a_mark_between_them() -> None:
    shown = compare(json.dumps(BODY), json.dumps({**BODY, "name": "Lamp", "inStock": False}), longest=50)
    assert shown.count((" ", "...")) == 1
    assert ("+", '  "name": "Lamp"') in shown
    assert ("+", '  "inStock": false') in shown


def test_lines_that_look_like_a_difference_are_text() -> None:
    expected = f"@@ -1 +1 @@\n--- a\n+++ b\n{'x' * 60}"
    shown = compare(expected, "y" * 100, longest=50)
    assert [text for sign, text in shown if sign == "-"] == expected.splitlines()


def test_endless_values_are_cut() -> None:
    shown = compare("\n".join(f"a{n}" for n in range(500)), "b", longest=20)
    assert len(shown) == 21
    assert shown[-1] == (" ", "... and 481 lines more")


@pytest.mark.parametrize("value", ["[" * 100_000, "{" * 70, "x" * 70, "7"])
def test_value_that_is_no_structure_is_shown_as_it_is(value: str) -> None:
    assert compare(value, "1", longest=50) == [("-", value), ("+", "1")]
