from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.support.processes import EmbeddedBroker

FOO = "/pacts/provider/Bar/consumer/Foo"


@pytest.fixture
def results_url(shared_broker: EmbeddedBroker, pact: dict[str, Any]) -> str:
    shared_broker.publish(pact, "1")
    url: str = shared_broker.get(f"{FOO}/version/1").json()["_links"]["pb:publish-verification-results"][
        "href"
    ]
    return url


def test_a_result_is_given_back_as_it_was_sent(shared_broker: EmbeddedBroker, results_url: str) -> None:
    sent = {
        "success": False,
        "providerApplicationVersion": "bar/1 ü",
        "buildUrl": "https://ci.example.org/1",
        "testResults": {
            "tests": [{"interactionId": "x", "extra": [None, 1.25, "ü\u0000"], "n": {}}],
            "more": True,
        },
        "verifiedBy": {"implementation": "pact-dispatch", "version": "1", "extra": 1},
    }
    answer = shared_broker.request("POST", results_url, json=sent)

    assert answer.status_code == 201
    for found in (answer.json(), shared_broker.get(answer.headers["Location"]).json()):
        assert {key: found[key] for key in sent} == sent
    latest = shared_broker.get(f"{results_url}/latest").json()
    assert latest == shared_broker.get(answer.headers["Location"]).json()


@pytest.mark.parametrize("results", [None, [], {}, "text", 0, False])
def test_test_results_may_be_anything(
    shared_broker: EmbeddedBroker, results_url: str, results: object
) -> None:
    body = {"success": True, "providerApplicationVersion": "1", "testResults": results}
    found = shared_broker.request("POST", results_url, json=body).json()
    assert found["testResults"] == results
    assert type(found["testResults"]) is type(results)


@pytest.mark.parametrize(
    ("body", "errors"),
    [
        ({}, {"success": ["is missing"], "providerApplicationVersion": ["is missing"]}),
        ({"success": "true", "providerApplicationVersion": "1"}, {"success": ["must be boolean"]}),
        ({"success": 1, "providerApplicationVersion": "1"}, {"success": ["must be boolean"]}),
        ({"success": None, "providerApplicationVersion": "1"}, {"success": ["must be boolean"]}),
        (
            {"success": True, "providerApplicationVersion": None},
            {"providerApplicationVersion": ["must be a string"]},
        ),
        (
            {"success": True, "providerApplicationVersion": 1},
            {"providerApplicationVersion": ["must be a string"]},
        ),
        (
            {"success": True, "providerApplicationVersion": " "},
            {"providerApplicationVersion": ["cannot be blank"]},
        ),
        (
            {"success": True, "providerApplicationVersion": "1", "buildUrl": [], "verifiedBy": "me"},
            {"buildUrl": ["must be a string"], "verifiedBy": ["must be an object"]},
        ),
    ],
)
def test_mistakes_are_named_field_by_field(
    shared_broker: EmbeddedBroker, results_url: str, body: dict[str, Any], errors: dict[str, list[str]]
) -> None:
    answer = shared_broker.request("POST", results_url, json=body)
    assert (answer.status_code, answer.json()) == (400, {"errors": errors})


def test_a_result_for_an_unknown_content_is_not_taken(
    shared_broker: EmbeddedBroker, results_url: str
) -> None:
    assert results_url
    body = {"success": True, "providerApplicationVersion": "1"}
    for path in ("/pact-version/" + "0" * 40, "/pact-version/x/metadata/y"):
        assert (
            shared_broker.request("POST", f"{FOO}{path}/verification-results", json=body).status_code == 404
        )


def test_a_result_belongs_to_its_content(broker: EmbeddedBroker, pact: dict[str, Any]) -> None:
    broker.publish(pact, "1")
    first = broker.get(f"{FOO}/latest").json()["_links"]["pb:pact-version"]["href"]
    pact["interactions"][0]["response"]["status"] = 201
    broker.publish(pact, "2")
    second = broker.get(f"{FOO}/latest").json()["_links"]["pb:pact-version"]["href"]
    result = {"success": True, "providerApplicationVersion": "1"}
    location = broker.request("POST", f"{first}/verification-results", json=result).headers["Location"]

    assert broker.get(location.replace(first, second)).status_code == 404
    assert broker.get(f"{second}/verification-results/latest").status_code == 404
    assert broker.get("/verification-results/consumer/Foo/version/2/latest").json()["providerSummary"] == {
        "successful": [],
        "failed": [],
        "unknown": ["Bar"],
    }
    assert broker.get("/verification-results/consumer/Foo/version/9/latest").status_code == 404
