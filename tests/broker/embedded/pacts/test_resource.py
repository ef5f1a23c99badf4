"""Publishing pacts, and fetching them by every form of URL."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.broker.embedded.conftest import example

if TYPE_CHECKING:
    from tests.support.processes import EmbeddedBroker

FOO = "/pacts/provider/Bar/consumer/Foo"


def changed(pact: dict[str, Any], status: int) -> dict[str, Any]:
    other: dict[str, Any] = json.loads(json.dumps(pact))
    other["interactions"][0]["response"]["status"] = status
    return other


@pytest.fixture(scope="module")
def published(shared_broker: EmbeddedBroker) -> EmbeddedBroker:
    """Foo 1 to 4: 1 and 2 with the same content, each on a branch or with a tag of its own."""
    pact = example()
    shared_broker.publish(pact, "1", branch="main")
    shared_broker.publish(pact, "2", tags=("dev", "prod"))
    shared_broker.publish(changed(pact, 201), "3", branch="feat/x")
    shared_broker.publish(changed(pact, 202), "4", branch="main", tags=("dev",))
    shared_broker.publish({**pact, "consumer": {"name": "Baz"}}, "1")
    return shared_broker


def version_of(document: dict[str, Any]) -> str:
    name: str = document["_links"]["pb:consumer-version"]["name"]
    return name


@pytest.mark.parametrize(
    ("path", "version"),
    [
        ("/version/1", "1"),
        ("/latest", "4"),
        ("/latest/dev", "4"),
        ("/latest/prod", "2"),
        ("/latest-untagged", "3"),
        ("/branch/main/latest", "4"),
        ("/branch/feat%2Fx/latest", "3"),
        ("/version/4/previous-distinct", "3"),
        ("/version/3/previous-distinct", "2"),
    ],
)
def test_a_pact_is_found_by_its_url(published: EmbeddedBroker, path: str, version: str) -> None:
    answer = published.get(FOO + path)
    assert answer.status_code == 200
    assert version_of(answer.json()) == version
    expected = version if "latest" in path else None
    assert answer.headers.get("X-Pact-Consumer-Version") == expected


@pytest.mark.parametrize(
    "path",
    [
        "/version/9",
        "/latest/nope",
        "/branch/nope/latest",
        "/version/1/previous-distinct",
        "/pact-version/nope",
    ],
)
def test_what_is_not_there_is_not_found(published: EmbeddedBroker, path: str) -> None:
    answer = published.get(FOO + path)
    assert answer.status_code == 404
    assert answer.json() == {"error": "The requested document was not found on this server."}


def test_a_content_is_shown_for_the_version_in_the_metadata(published: EmbeddedBroker) -> None:
    content = published.get(f"{FOO}/version/1").json()["_links"]["pb:pact-version"]["href"]
    assert version_of(published.get(content).json()) == "2", "the latest version with this content"

    segment = base64.urlsafe_b64encode(b"cvn=1&w=true").decode().rstrip("=")
    document = published.get(f"{content}/metadata/{segment}").json()

    assert version_of(document) == "1"
    assert [link["name"] for link in document["_links"]["pb:consumer-versions"]] == ["1"]
    results = document["_links"]["pb:publish-verification-results"]["href"]
    assert results == f"{content}/metadata/{segment}/verification-results"


def test_metadata_for_another_content_is_not_believed(published: EmbeddedBroker) -> None:
    content = published.get(f"{FOO}/version/1").json()["_links"]["pb:pact-version"]["href"]
    segment = base64.urlsafe_b64encode(b"cvn=4").decode().rstrip("=")
    assert version_of(published.get(f"{content}/metadata/{segment}").json()) == "2"


def test_the_latest_pact_names_its_version_in_the_metadata(published: EmbeddedBroker) -> None:
    results = published.get(f"{FOO}/latest/prod").json()["_links"]["pb:publish-verification-results"]["href"]
    document = published.get(results.removesuffix("/verification-results")).json()
    assert version_of(document) == "2"


def test_lists_of_pacts(published: EmbeddedBroker) -> None:
    def names(path: str) -> list[str]:
        return [link["title"] for link in published.get(path).json()["_links"]["pb:pacts"]]

    assert names("/pacts/latest") == ["Latest pact between Baz and Bar", "Latest pact between Foo and Bar"]
    assert names("/pacts/provider/Bar/latest") == [
        "Pact between Baz (1) and Bar",
        "Pact between Foo (4) and Bar",
    ]
    assert names("/pacts/provider/Bar/latest/prod") == ["Pact between Foo (2) and Bar"]
    assert len(names("/pacts/provider/Bar")) == 5
    assert published.get("/pacts/provider/Nope/latest").status_code == 404


def test_put_answers_created_once(broker: EmbeddedBroker, pact: dict[str, Any]) -> None:
    path = f"{FOO}/version/1"
    assert broker.request("PUT", path, json=pact).status_code == 201
    assert broker.request("PUT", path, json=dict(reversed(pact.items()))).status_code == 200
    refused = broker.request("PUT", path, json=changed(pact, 201))
    assert refused.status_code == 409
    assert refused.json()["error"].startswith(
        "Cannot change the content of the pact for Foo version 1 and provider Bar"
    )
    assert broker.get(path).json()["interactions"][0]["response"]["status"] == 200


def test_a_pact_of_others_is_not_put_under_these_names(broker: EmbeddedBroker, pact: dict[str, Any]) -> None:
    answer = broker.request("PUT", "/pacts/provider/Other/consumer/Foo/version/1", json=pact)
    assert (answer.status_code, answer.json()) == (
        400,
        {"errors": {"provider.name": ["name in pact 'Bar' does not match name in URL path 'Other'."]}},
    )
    assert broker.get("/pacticipants").json()["pacticipants"] == []


@pytest.mark.parametrize("on_conflict", [None, "overwrite", "merge"])
def test_a_refused_publication_leaves_nothing(
    broker: EmbeddedBroker, pact: dict[str, Any], on_conflict: str | None
) -> None:
    broker.publish(pact, "1")
    contract = {
        "consumerName": "Foo",
        "specification": "pact",
        "contentType": "application/json",
        "onConflict": on_conflict,
    }
    contracts = [
        {
            **contract,
            "providerName": provider,
            "content": base64.b64encode(
                json.dumps({**changed(pact, 201), "provider": {"name": provider}}).encode()
            ),
        }
        for provider in ("New", "Bar")
    ]
    body = {
        "pacticipantName": "Foo",
        "pacticipantVersionNumber": "1",
        "branch": "main",
        "tags": ["dev"],
        "contracts": [{**one, "content": one["content"].decode()} for one in contracts],  # type: ignore[union-attr]
    }

    assert broker.request("POST", "/contracts/publish", json=body).status_code == 409

    version = broker.get("/pacticipants/Foo/versions/1").json()
    assert version["_embedded"] == {"branchVersions": [], "tags": []}
    assert broker.get("/pacticipants/New").status_code == 404


def test_unchanged_content_with_new_metadata_is_no_conflict(
    broker: EmbeddedBroker, pact: dict[str, Any]
) -> None:
    broker.publish(pact, "1")
    again = {**pact, "metadata": {**pact["metadata"], "pact-python": {"version": "99"}}}
    assert "no content changes" in broker.publish(again, "1", branch="main")["notices"][1]["text"]


def test_a_new_pact_asks_for_verification_and_a_webhook(broker: EmbeddedBroker, pact: dict[str, Any]) -> None:
    prompts = [
        one["text"] for one in broker.publish(pact, "1", branch="main")["notices"] if one["type"] == "prompt"
    ]
    assert [text.split()[:3] for text in prompts] == [
        ["Next", "steps:"],
        ["*", "Add", "Pact"],
        ["*", "Configure", "separate"],
    ]


@pytest.mark.parametrize(
    ("branch", "main"), [("main", "main"), ("master", "master"), ("develop", "develop"), ("trunk", None)]
)
def test_a_branch_that_is_called_so_becomes_the_main_one(
    broker: EmbeddedBroker, pact: dict[str, Any], branch: str, main: str | None
) -> None:
    broker.publish(pact, "1", branch=branch)
    broker.publish(pact, "2", branch="feat/x")
    assert broker.get("/pacticipants/Foo").json().get("mainBranch") == main


def test_a_chosen_main_branch_stays(broker: EmbeddedBroker, pact: dict[str, Any]) -> None:
    broker.request("POST", "/pacticipants", json={"name": "Foo", "mainBranch": "trunk"})
    broker.publish(pact, "1", branch="main")
    assert broker.get("/pacticipants/Foo").json()["mainBranch"] == "trunk"


def test_a_patch_adds_interactions(broker: EmbeddedBroker, pact: dict[str, Any]) -> None:
    path = "/pacts/provider/Bar/consumer/Foo/version/1"
    assert broker.request("PATCH", path, json=pact).status_code == 201
    other = {**pact["interactions"][0], "description": "a request for another thing"}
    merged = broker.request("PATCH", path, json={**pact, "interactions": [other]})
    assert merged.status_code == 200
    names = ["a request for a thing", "a request for another thing"]
    assert [one["description"] for one in broker.get(path).json()["interactions"]] == names
    changed = {**other, "request": {"method": "GET", "path": "/elsewhere"}}
    refused = broker.request("PATCH", path, json={**pact, "interactions": [changed]})
    assert refused.status_code == 409
    assert "a request for another thing" in refused.json()["error"]
    assert [one["description"] for one in broker.get(path).json()["interactions"]] == names


def test_pacts_are_listed_and_deleted_by_branch_and_tag(broker: EmbeddedBroker, pact: dict[str, Any]) -> None:
    for version, branch, tag in (("1", "main", "a"), ("2", "feat/x", "b"), ("3", "main", "b")):
        broker.publish(pact, version, branch=branch, tags=(tag,))
    pair, provider = "/pacts/provider/Bar/consumer/Foo", "/pacts/provider/Bar"

    def listed(path: str) -> list[str]:
        links = broker.get(path).json()["_links"]
        pacts = links.get("pb:pacts") or links.get("pb:pact-versions") or links.get("pact-versions") or []
        return [one["href"].rpartition("/")[2] for one in pacts]

    for path, versions in (
        (f"{provider}/tag/b", ["2", "3"]),
        (f"{provider}/branch", ["1", "3"]),
        (f"{provider}/branch/latest", ["3"]),
        (f"{provider}/branch/feat%2Fx", ["2"]),
        (f"{provider}/branch/main/latest", ["3"]),
        (f"{pair}/branch/main", ["1", "3"]),
        (f"{pair}/tag/b", ["3", "2"]),
    ):
        assert listed(path) == versions, path
    assert broker.get("/pacts/provider/Bar/consumer/Nope/tag/b").status_code == 404
    gone = broker.request("DELETE", f"{pair}/tag/b")
    assert gone.json()["_links"]["pb:latest-pact-version"]["href"].endswith("/latest")
    assert listed(f"{pair}/versions") == ["1"]
    gone = broker.request("DELETE", f"{pair}/branch/main")
    assert "pb:latest-pact-version" not in gone.json()["_links"]
    assert broker.get(f"{pair}/versions").status_code == 404


def test_who_accepts_nothing_that_is_there_gets_406(broker: EmbeddedBroker, pact: dict[str, Any]) -> None:
    broker.publish(pact, "1", branch="main")
    latest = "/pacts/provider/Bar/consumer/Foo/latest"

    def answer(path: str, accept: str, method: str = "GET") -> tuple[int, str]:
        found = broker.request(
            method, path, headers={"Accept": accept}, json={} if method == "POST" else None
        )
        return found.status_code, found.headers.get("Content-Type", "").partition(";")[0]

    assert answer("/pacticipants", "application/json") == (406, "")
    assert answer("/pacticipants", "application/xml, */*;q=0.1") == (200, "application/hal+json")
    assert answer(latest, "application/json") == (200, "application/json")
    assert answer(latest, "application/vnd.pact+json") == (406, "")
    assert answer("/pacticipants", "application/problem+json", "POST") == (406, "")
    both = "application/hal+json, application/problem+json"
    assert answer("/pacticipants", both, "POST") == (400, "application/problem+json")
    assert answer("/pacticipants/Nope", both) == (404, "application/problem+json")
    assert answer("/relationships", "text/csv") == (200, "text/csv")
    assert answer("/relationships", "application/hal+json") == (406, "")
    lines = broker.get("/groups/Bar", headers={"Accept": "text/csv"}).text.splitlines()
    assert [line.split(",")[1] for line in lines] == ["Foo", "Bar"]
    for path in (f"{latest}/", f"{latest}.json"):
        assert broker.get(path).json()["consumer"] == {"name": "Foo"}, path


def test_provider_states_of_the_latest_pacts_are_listed(broker: EmbeddedBroker, pact: dict[str, Any]) -> None:
    def states(*names: str, **more: Any) -> dict[str, Any]:
        given = [{"name": name, **more} for name in names]
        return {**pact, "interactions": [{**pact["interactions"][0], "providerStates": given}]}

    path = "/pacts/provider/Bar/provider-states"
    broker.publish(states("old"), "1", branch="main")
    broker.publish(states("b", "a"), "2", branch="main")
    broker.publish({**states("a"), "consumer": {"name": "Baz"}}, "1", branch="main")
    broker.publish(states("c", params={"id": 1}), "3", branch="feat/x")
    assert broker.get(path).json() == {
        "providerStates": [
            {"name": "a", "consumers": ["Baz", "Foo"]},
            {"name": "b", "consumers": ["Foo"]},
        ]
    }
    assert broker.get(f"{path}/branch/feat%2Fx").json() == {
        "providerStates": [{"name": "c", "params": {"id": 1}, "consumers": ["Foo"]}]
    }
    environment = broker.request("POST", "/environments", json={"name": "test", "production": False}).json()
    there = f"/pacticipants/Foo/versions/1/deployed-versions/environment/{environment['uuid']}"
    broker.request("POST", there, json={})
    assert broker.get(f"{path}/environment/{environment['uuid']}").json() == {
        "providerStates": [{"name": "old", "consumers": ["Foo"]}]
    }
    assert broker.get("/pacts/provider/Nope/provider-states").status_code == 404
