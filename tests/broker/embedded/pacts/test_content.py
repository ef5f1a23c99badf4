from __future__ import annotations

import json
from typing import Any

import pytest

from broker.embedded.pacts.content import MAX_DIFFERENCE_LINES, describe_change, pact_sha, with_ids


def pact(*statuses: int, **metadata: object) -> dict[str, Any]:
    return {
        "consumer": {"name": "Foo"},
        "provider": {"name": "Bar"},
        "interactions": [
            {"description": f"interaction {index}", "response": {"status": status, "body": {"a": 1, "b": 2}}}
            for index, status in enumerate(statuses)
        ],
        "metadata": {"pactSpecification": {"version": "2.0.0"}, **metadata},
    }


def test_order_and_metadata_are_no_change() -> None:
    one = pact(200, 201)
    same = pact(200, 201, **{"pact-python": {"version": "9"}})
    same["interactions"].reverse()
    same["interactions"] = [dict(reversed(interaction.items())) for interaction in same["interactions"]]
    assert (
        pact_sha(one)
        == pact_sha(same)
        == pact_sha(with_ids(one))
        == pact_sha(json.loads(json.dumps(one, indent=9)))
    )


@pytest.mark.parametrize(
    "other",
    [
        pact(200),
        pact(200, 202),
        pact(200, 201, pactSpecification={"version": "3.0.0"}),
        {**pact(200, 201), "interactions": [], "messages": pact(200, 201)["interactions"]},
    ],
)
def test_what_a_provider_must_do_is_a_change(other: dict[str, Any]) -> None:
    assert pact_sha(pact(200, 201)) != pact_sha(other)


def test_the_order_inside_a_body_is_a_change() -> None:
    one, other = pact(200), pact(200)
    one["interactions"][0]["response"]["body"] = [1, 2]
    other["interactions"][0]["response"]["body"] = [2, 1]
    assert pact_sha(one) != pact_sha(other)


def test_ids_are_stable_and_first() -> None:
    document = with_ids(
        {"interactions": [{"_id": "theirs", "description": "a"}], "messages": [{"description": "b"}]}
    )
    assert list(document["interactions"][0]) == ["_id", "description"]
    assert document == with_ids(document)
    assert len({item["_id"] for name in ("interactions", "messages") for item in document[name]}) == 2


def test_a_change_is_shown_without_what_is_equal() -> None:
    assert describe_change(pact(200, 200), pact(200, 201)).splitlines() == [
        '   "interactions": [',
        "     {",
        '       "response": {',
        '-        "status": 200',
        '+        "status": 201',
        "       }",
        "     }",
        "   ]",
    ]


def test_an_interaction_more_and_one_less_are_shown() -> None:
    assert '+      "description": "interaction 1",' in describe_change(pact(200), pact(200, 201)).splitlines()
    assert '-      "description": "interaction 1",' in describe_change(pact(200, 201), pact(200)).splitlines()


def test_a_long_change_is_cut() -> None:
    before, after = pact(*[200] * 5000), pact(*[201] * 5000)
    assert len(describe_change(before, after).splitlines()) <= 2 * MAX_DIFFERENCE_LINES
