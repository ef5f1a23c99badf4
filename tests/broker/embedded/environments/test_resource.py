"""Environments: made, changed, deleted, and what is wrong with one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.support.processes import EmbeddedBroker

CONTACTS = [{"name": "Team A", "details": {"email": "a@example.org"}}]


def create(broker: EmbeddedBroker, name: str = "production", **fields: Any) -> dict[str, Any]:
    answer = broker.request("POST", "/environments", json={"name": name, "production": True, **fields})
    assert answer.status_code == 201, answer.text
    document: dict[str, Any] = answer.json()
    return document


def test_an_environment_is_made_and_listed(broker: EmbeddedBroker) -> None:
    made = create(broker, "pre-prod", displayName="Before production", contacts=CONTACTS, production=False)
    url = made["_links"]["self"]["href"]
    assert broker.get(url).json() == made
    assert (made["displayName"], made["contacts"], made["production"]) == (
        "Before production",
        CONTACTS,
        False,
    )
    listed = broker.get(broker.get("/").json()["_links"]["pb:environments"]["href"]).json()
    assert listed["_embedded"]["environments"] == [made]
    assert listed["_links"]["pb:environments"] == [{"title": "Environment", "name": "pre-prod", "href": url}]


def test_a_name_is_displayed_with_capitals(broker: EmbeddedBroker) -> None:
    assert create(broker, "live_eu-west")["displayName"] == "Live Eu West"


def test_put_replaces_and_delete_takes_away(broker: EmbeddedBroker) -> None:
    path = create(broker, contacts=CONTACTS)["_links"]["self"]["href"]
    changed = broker.request("PUT", path, json={"name": "prod", "production": False})
    assert changed.status_code == 200
    assert (changed.json()["name"], changed.json()["production"]) == ("prod", False)
    assert "contacts" not in broker.get(path).json()
    assert broker.request("DELETE", path).status_code == 204
    assert broker.get(path).status_code == 404
    assert broker.request("DELETE", path).status_code == 404
    assert broker.request("PUT", path, json={"name": "prod", "production": False}).status_code == 404


@pytest.mark.parametrize(
    ("fields", "errors"),
    [
        ({}, {"name": ["is missing"], "production": ["is missing"]}),
        ({"name": "", "production": True}, {"name": ["must be filled"]}),
        ({"name": 1, "production": True}, {"name": ["must be a string"]}),
        ({"name": "a b", "production": True}, {"name": ["cannot contain spaces"]}),
        ({"name": "a", "production": "yes"}, {"production": ["must be one of: true, false"]}),
        (
            {"name": "a", "production": True, "displayName": "a\nb"},
            {"displayName": ["cannot contain multiple lines"]},
        ),
        ({"name": "a", "production": True, "contacts": {}}, {"contacts": ["must be an array"]}),
        (
            {"name": "a", "production": True, "contacts": [1, {"name": "", "details": 1}]},
            {
                "contacts": [
                    "must be a hash (at index 0)",
                    "name must be filled (at index 1)",
                    "details must be a hash (at index 1)",
                ]
            },
        ),
    ],
)
def test_mistakes_are_said_field_by_field(
    shared_broker: EmbeddedBroker, fields: dict[str, Any], errors: dict[str, list[str]]
) -> None:
    answer = shared_broker.request("POST", "/environments", json=fields)
    assert (answer.status_code, answer.json()) == (400, {"errors": errors})


def test_a_name_is_taken_once(broker: EmbeddedBroker) -> None:
    create(broker, "test")
    path = create(broker, "production")["_links"]["self"]["href"]
    taken = {
        "name": ["name 'test' is already used by an existing environment."],
    }
    for method, target in (("POST", "/environments"), ("PUT", path)):
        answer = broker.request(method, target, json={"name": "test", "production": True})
        assert (answer.status_code, answer.json()) == (400, {"errors": taken})
    assert broker.request("PUT", path, json={"name": "production", "production": True}).status_code == 200
