"""Labels of pacticipants, and integrations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.support.processes import EmbeddedBroker


def test_a_label_is_put_shown_and_taken_off(broker: EmbeddedBroker) -> None:
    path = "/pacticipants/Foo%2FBar/labels/team%20a"
    made = broker.request("PUT", path)
    assert (made.status_code, made.headers["Location"]) == (201, f"{broker.url}{path}")
    assert broker.request("PUT", path).status_code == 200
    assert broker.get(path).json() == made.json()
    pacticipant = broker.get(made.json()["_links"]["pacticipant"]["href"]).json()
    assert [label["name"] for label in pacticipant["_embedded"]["labels"]] == ["team a"]
    assert broker.request("DELETE", path).status_code == 204
    assert broker.get(path).status_code == 404
    assert broker.get("/pacticipants/Foo%2FBar").json()["_embedded"]["labels"] == []


def test_pacticipants_are_found_by_label(broker: EmbeddedBroker) -> None:
    for name, label in (("Foo", "a"), ("Bar", "a"), ("Baz", "b")):
        broker.request("PUT", f"/pacticipants/{name}/labels/{label}")
    template = broker.get("/pacticipants").json()["_links"]["pb:pacticipants-with-label"]["href"]
    found = broker.get(template.replace("{label}", "a")).json()
    assert [one["name"] for one in found["_embedded"]["pacticipants"]] == ["Bar", "Foo"]
    labels = broker.get("/labels").json()["_embedded"]["labels"]
    assert labels == [{"name": "a"}, {"name": "b"}]
    assert broker.get("/pacticipants/label/none").json()["_embedded"]["pacticipants"] == []


def test_a_label_of_nobody_is_not_found(shared_broker: EmbeddedBroker) -> None:
    assert shared_broker.get("/pacticipants/Nobody/labels/a").status_code == 404


def test_integrations_are_listed_and_deleted(broker: EmbeddedBroker, pact: dict[str, Any]) -> None:
    broker.publish(pact, "1")
    broker.publish({**pact, "provider": {"name": "Other"}}, "1")
    result = broker.get("/pacts/provider/Bar/consumer/Foo/latest").json()
    url = result["_links"]["pb:publish-verification-results"]["href"]
    broker.request("POST", url, json={"success": False, "providerApplicationVersion": "9"})

    found = broker.get("/integrations").json()["_embedded"]["integrations"]
    assert [one["provider"]["name"] for one in found] == ["Bar", "Other"]  # of Bar there was a result last
    assert len(broker.get("/integrations?q=oth").json()["_embedded"]["integrations"]) == 1
    path = "/integrations/provider/Bar/consumer/Foo"
    assert broker.request("DELETE", path).status_code == 204
    assert broker.request("DELETE", path).status_code == 404
    assert broker.get("/pacts/provider/Bar/consumer/Foo/latest").status_code == 404
    assert broker.get("/pacticipants/Bar").status_code == 200
    assert len(broker.get("/integrations").json()["_embedded"]["integrations"]) == 1
    assert broker.request("DELETE", "/integrations").status_code == 204
    assert broker.get("/pacticipants").json()["_embedded"]["pacticipants"] == []
