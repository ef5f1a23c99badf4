"""Consumer version selectors, and what is wrong with them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from broker.client.selectors import NoSelector, check_selector, documented_default, for_tag


@pytest.mark.parametrize(
    "selector",
    [
        {"mainBranch": True},
        {"branch": "main"},
        {"branch": "feat", "fallbackBranch": "main", "consumer": "Storefront"},
        {"matchingBranch": True},
        {"tag": "dev", "latest": True},
        {"tag": "dev", "latest": False},
        {"tag": "nope", "fallbackTag": "dev", "latest": True},
        {"latest": True},
        {"deployed": True, "environment": "production"},
        {"released": True},
        {"deployedOrReleased": True},
        {"environment": "production"},
    ],
    ids=json.dumps,
)
def test_selectors_of_each_kind(selector: dict[str, Any]) -> None:
    assert check_selector(selector) is selector


@pytest.mark.parametrize(
    ("selector", "problem"),
    [
        ("main", "must be a JSON object"),
        ([], "must be a JSON object"),
        ({"mainbranch": True}, "no key 'mainbranch'; did you mean mainBranch?"),
        ({"zzzz": True}, "no key 'zzzz'; it has branch, consumer, "),
        ({"mainBranch": "true"}, "its mainBranch must be true"),
        ({"mainBranch": False}, "its mainBranch must be true"),
        ({"latest": "true"}, "its latest must be true"),
        ({"branch": True}, "its branch must be a text"),
        ({"branch": " "}, "its branch must be a text"),
        ({"tag": None}, "its tag must be a text"),
        ({"consumer": "Storefront"}, "consumer alone chooses nothing"),
        ({"fallbackTag": "dev"}, "fallbackTag alone chooses nothing"),
        ({"latest": False}, "latest alone chooses nothing"),
        ({}, "it is empty"),
    ],
)
def test_what_is_no_selector_is_named_by_its_key(selector: Any, problem: str) -> None:
    with pytest.raises(NoSelector, match=problem):
        check_selector(selector)


def test_default_is_the_documented_one() -> None:
    always = [{"mainBranch": True}, {"deployedOrReleased": True}]
    assert documented_default("feat/x") == [*always, {"matchingBranch": True}]
    assert documented_default(None) == always, "a broker refuses matchingBranch without a branch"
    for selector in (*documented_default("x"), for_tag("dev")):
        check_selector(selector)
