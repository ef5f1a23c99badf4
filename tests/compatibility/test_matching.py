"""Headers and matching rules, V3 and V4, as a provider's answers meet them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.compatibility.contents import PDF, V3, V4, Content, as_binary, as_json, png
from tests.compatibility.verifying import http, pact, reply_with
from tests.support.loopback import Reply
from verifier.verification import Outcome

if TYPE_CHECKING:
    from tests.compatibility.verifying import Verified, Verifying

JSON = "application/json"
XHTML = "text/html, application/xhtml+xml, image/webp, */*"


HEADERS = {
    "equal": (JSON, JSON, True),
    "same charset": (f"{JSON};charset=UTF-8", f"{JSON}; charset=utf-8", True),
    "additional charset": (JSON, f"{JSON};charset=UTF-8", True),
    "missing charset": (f"{JSON};charset=UTF-8", JSON, False),
    "other charset": (f"{JSON};charset=UTF-16", f"{JSON};charset=UTF-8", False),
    "additional parameters": (XHTML, "text/html, application/xhtml+xml;q=0.9, image/webp, */*;q=0.8", True),
    "missing value": (XHTML, "text/html, image/webp, */*;q=0.8", False),
}
"""What is expected, what the provider answers, and whether that agrees."""


@pytest.mark.parametrize("case", HEADERS)
@pytest.mark.parametrize("version", [V3, V4])
def test_headers(case: str, version: str, verifying: Verifying) -> None:
    """V3 `http_matching`: content types and their charsets, and what is accepted, with parameters."""
    expected, actual, agrees = HEADERS[case]
    name = "Accept" if expected == XHTML else "Content-Type"
    found = verifying(
        pact(version, http(version, response={"headers": {name: expected}})), Reply(headers={name: actual})
    )
    assert found.differing == (set() if agrees else {"header"})
    assert found.only.outcome == (Outcome.PASSED if agrees else Outcome.FAILED)


def rule(**values: Any) -> dict[str, Any]:
    return {"combine": "AND", "matchers": [values]}


def body(**rules: Any) -> dict[str, Any]:
    """Make rules for a body, each for `$` and a name, or for what it is mapped to."""
    return {"body": {f"$.{name}": rule(**values) for name, values in rules.items()}}


PART = as_json({"name": "bolt", "kind": "hex"})
SHELF = as_json(
    {"shelf": {"rows": {"ids": [1, 2], "status": "FULL"}}, "bays": [{"ids": [1], "status": "NEW"}]}
)
SIZES = {
    "body": {
        "$.shelf": rule(match="type"),
        "$.shelf.rows.ids": rule(match="type", min=1, max=3),
        "$.bays[*].ids": rule(match="type", min=1, max=3),
    }
}
RESET = {"body": {"$.shelf": rule(match="type"), "$.shelf.rows.status": rule(match="equality")}}
KEYED = {"body": {"$": rule(match="values"), "$.*": rule(match="type")}}


def part(name: Any, kind: Any = "hex") -> Content:
    return as_json({"name": name, "kind": kind})


def shelf(ids: list[int], bay: list[int], status: str = "FULL") -> Content:
    return as_json(
        {"shelf": {"rows": {"ids": ids, "status": status}}, "bays": [{"ids": bay, "status": "NEW"}]}
    )


PNG, OTHER_PNG = as_binary(png(20)), as_binary(png(200))
Rule = tuple[Content, dict[str, Any], Content, set[str]]

V3_RULES: dict[str, Rule] = {
    "equality resets what is inherited": (SHELF, RESET, shelf([9], [1], "EMPTY"), {"$.shelf.rows.status"}),
    "include, positive": (PART, body(name={"match": "include", "value": "ol"}), part("long bolt"), set()),
    "include, negative": (PART, body(name={"match": "include", "value": "ol"}), part("nut"), {"$.name"}),
    "sizes, positive": (SHELF, SIZES, shelf([9], [7, 8, 9]), set()),
    "sizes, negative": (SHELF, SIZES, shelf([], [5, 6, 7, 8]), {"$.shelf.rows.ids", "$.bays[0].ids"}),
    "number, positive, integer": (part(1), body(name={"match": "number"}), part(70), set()),
    "number, positive, decimal": (part(1), body(name={"match": "number"}), part(70.25), set()),
    "number, negative, boolean": (part(1), body(name={"match": "number"}), part(True), {"$.name"}),
    "number, negative, text": (part(1), body(name={"match": "number"}), part("70Y5"), {"$.name"}),
    "number, negative, digits": (part(1), body(name={"match": "number"}), part("70"), {"$.name"}),
    "integer, positive": (part(1), body(name={"match": "integer"}), part(70), set()),
    "integer, negative, array": (part(1), body(name={"match": "integer"}), part([]), {"$.name"}),
    "integer, negative, decimal": (part(1), body(name={"match": "integer"}), part(70.5), {"$.name"}),
    "integer, negative, text": (part(1), body(name={"match": "integer"}), part("70Y5"), {"$.name"}),
    "integer, negative, digits": (part(1), body(name={"match": "integer"}), part("70"), {"$.name"}),
    "decimal, positive": (part(1.5), body(name={"match": "decimal"}), part(70.1234), set()),
    "decimal, negative, null": (part(1.5), body(name={"match": "decimal"}), part(None), {"$.name"}),
    "decimal, negative, integer": (part(1.5), body(name={"match": "decimal"}), part(70), {"$.name"}),
    "decimal, negative, text": (part(1.5), body(name={"match": "decimal"}), part("70Y5"), {"$.name"}),
    "decimal, negative, digits": (part(1.5), body(name={"match": "decimal"}), part("70.5"), {"$.name"}),
    "null, positive": (PART, body(name={"match": "null"}), part(None), set()),
    "null, negative": (PART, body(name={"match": "null"}), part(""), {"$.name"}),
    "date, positive": (PART, body(name={"match": "date", "format": "yyyy-MM-dd"}), part("2024-02-29"), set()),
    "date, negative": (
        PART,
        body(name={"match": "date", "format": "yyyy-MM-dd"}),
        part("29.02.2024"),
        {"$.name"},
    ),
    "boolean, positive": (part(True), body(name={"match": "boolean"}), part(False), set()),
    "boolean, negative": (part(True), body(name={"match": "boolean"}), part(""), {"$.name"}),
    "content type, positive": (
        PNG,
        {"body": {"$": rule(match="contentType", value="image/png")}},
        OTHER_PNG,
        set(),
    ),
    "content type, negative": (
        PNG,
        {"body": {"$": rule(match="contentType", value="image/png")}},
        as_binary(PDF),
        {"$"},
    ),
    "values, positive": (PART, KEYED, as_json({"name": "", "third": "b", "fourth": "c"}), set()),
    "values, negative": (PART, KEYED, as_json({"name": "", "kind": "b", "third": 100}), {"$.third"}),
}

NOT_EMPTY = body(name={"match": "notEmpty"}, kind={"match": "notEmpty"})
NOT_EMPTY_AT_ALL = {"body": {"$": rule(match="notEmpty")}}
VERSIONS = {"body": {"$.*": rule(match="semver")}}
LETTERS = {"match": "regex", "regex": "^[a-z]+$"}
EACH_KEY = {"body": {"$": rule(match="eachKey", rules=[LETTERS], value="name")}}
EACH_VALUE = {"body": {"$": rule(match="eachValue", rules=[LETTERS], value="bolt")}}
ACTIONS = as_json({"actions": [{"name": "sell", "method": "POST"}, {"name": "scrap", "method": "DELETE"}]})


def variant(index: int, name: str, method: str) -> dict[str, Any]:
    rules = {
        "$.name": rule(match="regex", regex=f"^{name}$"),
        "$.method": rule(match="regex", regex=f"^{method}$"),
        "$.*": rule(match="type"),
    }
    return {"index": index, "rules": rules, "generators": {}}


CONTAINS = body(
    actions={
        "match": "arrayContains",
        "variants": [variant(0, "sell", "POST"), variant(1, "scrap", "DELETE")],
    }
)


def actions(*names: tuple[str, str]) -> Content:
    return as_json({"actions": [{"name": name, "method": method} for name, method in names]})


V4_RULES: dict[str, Rule] = {
    "not empty, positive": (part("", ["b"]), NOT_EMPTY, part("bolt", ["hex"]), set()),
    "not empty, positive, binary": (PNG, NOT_EMPTY_AT_ALL, OTHER_PNG, set()),
    "not empty, negative": (part("a", ["b"]), NOT_EMPTY, part("", []), {"$.name", "$.kind"}),
    "not empty, negative, another type": (part("a", ["b"]), NOT_EMPTY, part("a", "b"), {"$.kind"}),
    "not empty, negative, binary": (PNG, NOT_EMPTY_AT_ALL, as_binary(b""), {"/"}),
    "semver, positive": (part("1.0.0", "2.0.0"), VERSIONS, part("3.1.4", "0.0.1-rc.1"), set()),
    "semver, negative": (part("1.0.0", "2.0.0"), VERSIONS, part("3.1", "3.1x"), {"$.name", "$.kind"}),
    "each key, positive": (PART, EACH_KEY, as_json({"name": "a", "kind": "b", "third": "c"}), set()),
    "each key, negative": (PART, EACH_KEY, as_json({"name": "a", "kind": "b", "7": "c"}), {"$[7]"}),
    "each value, positive": (PART, EACH_VALUE, as_json({"name": "nut", "third": "c"}), set()),
    "each value, negative": (PART, EACH_VALUE, as_json({"name": "nut", "third": "7"}), {"$.third"}),
    "array contains, positive": (
        ACTIONS,
        CONTAINS,
        actions(("scrap", "DELETE"), ("move", "PUT"), ("sell", "POST")),
        set(),
    ),
    "array contains, negative": (
        ACTIONS,
        CONTAINS,
        actions(("sell", "POST"), ("move", "PUT")),
        {"$.actions"},
    ),
}


def compared(verifying: Verifying, version: str, rules: Rule) -> Verified:
    expected, matching, answer, _ = rules
    document = pact(version, http(version, content=expected, response={"matchingRules": matching}))
    return verifying(document, reply_with(answer))


@pytest.mark.parametrize("name", V3_RULES)
@pytest.mark.parametrize("version", [V3, V4])
def test_rules_of_v3(name: str, version: str, verifying: Verifying) -> None:
    """V3 `matching_rules`: all but the numbers that are texts in a header."""
    found = compared(verifying, version, V3_RULES[name])
    places = V3_RULES[name][-1]
    assert {mismatch.identifier for mismatch in found.only.mismatches} == places
    assert found.only.outcome == (Outcome.FAILED if places else Outcome.PASSED)
    assert found.differing <= {"body"}


@pytest.mark.parametrize(
    ("match", "example", "sent"),
    [
        pytest.param("number", "1234", "100", id="number, integer"),
        pytest.param("number", "1234", "100.4", id="number, decimal"),
        pytest.param("integer", "1234", "100", id="integer"),
        pytest.param("decimal", "1234.0", "100.4", id="decimal"),
    ],
)
@pytest.mark.parametrize("version", [V3, V4])
def test_a_number_in_a_header_is_a_text(
    match: str, example: str, sent: str, version: str, verifying: Verifying
) -> None:
    """V3 `matching_rules`: number, integer and decimal where values are coerced from their string form.

    The suite has them in a header and in the query; a provider answers with headers alone.
    """
    expected = {"headers": {"X-Size": example}, "matchingRules": {"header": {"X-Size": rule(match=match)}}}
    document = pact(version, http(version, response=expected))
    assert verifying(document, Reply(headers={"X-Size": sent})).only.outcome == Outcome.PASSED
    assert verifying(document, Reply(headers={"X-Size": "1x"})).differing == {"header"}


@pytest.mark.parametrize("name", V4_RULES)
def test_rules_of_v4(name: str, verifying: Verifying) -> None:
    """V4 `matching_rules`: not empty, semver, each key, each value, array contains."""
    found = compared(verifying, V4, V4_RULES[name])
    places = V4_RULES[name][-1]
    assert {mismatch.identifier for mismatch in found.only.mismatches} == places
    assert found.only.outcome == (Outcome.FAILED if places else Outcome.PASSED)


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        pytest.param(299, Outcome.PASSED, id="positive"),
        pytest.param(400, Outcome.FAILED, id="negative"),
    ],
)
def test_status_codes(status: int, outcome: Outcome, verifying: Verifying) -> None:
    """V4 `matching_rules`: a status code of a kind."""
    rules = {"status": rule(match="statusCode", status="success")}
    document = pact(V4, http(V4, response={"matchingRules": rules}))
    assert verifying(document, Reply(status)).only.outcome == outcome
