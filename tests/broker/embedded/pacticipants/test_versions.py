"""Pacticipants, their versions, branches and tags."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.support.processes import EmbeddedBroker

BAZ = "/pacticipants/Baz"


def numbers(broker: EmbeddedBroker, path: str) -> list[str]:
    return [version["number"] for version in broker.get(path).json()["_embedded"]["versions"]]


def test_a_pacticipant_is_made_once(broker: EmbeddedBroker) -> None:
    fields = {
        "name": "Baz",
        "displayName": "The Baz",
        "repositoryUrl": "https://example.org",
        "mainBranch": "trunk",
    }
    made = broker.request("POST", "/pacticipants", json=fields)
    assert (made.status_code, made.headers["Location"]) == (201, f"{broker.url}{BAZ}")
    assert {key: broker.get(BAZ).json()[key] for key in fields} == fields
    again = broker.request("POST", "/pacticipants", json={"name": "Baz", "displayName": "Baz itself"})
    assert (again.status_code, again.json()["displayName"], again.json()["mainBranch"]) == (
        201,
        "Baz itself",
        "trunk",
    )


def test_a_put_replaces_a_pacticipant_and_a_patch_makes_one(broker: EmbeddedBroker) -> None:
    assert broker.request("PUT", BAZ, json={"displayName": "B"}).status_code == 404
    made = broker.request("PATCH", BAZ, json={"mainBranch": "main", "repositoryUrl": "https://example.org"})
    assert (made.status_code, made.headers["Location"]) == (201, f"{broker.url}{BAZ}")
    replaced = broker.request("PUT", BAZ, json={"displayName": "B"}).json()
    assert replaced["displayName"] == "B"
    assert not {"mainBranch", "repositoryUrl"} & replaced.keys()
    for branch, mistake in (("", "cannot be blank"), ("a b", "cannot contain spaces")):
        refused = broker.request("PATCH", BAZ, json={"mainBranch": branch})
        assert refused.json() == {"errors": {"mainBranch": [mistake]}}


@pytest.mark.parametrize(
    ("name", "words"),
    [("shop-front", "Shop Front"), ("ShopFront", "Shop Front"), ("foo bar", "Foo Bar"), ("V4c", "V4c")],
)
def test_without_a_display_name_the_words_of_the_name_are_shown(
    shared_broker: EmbeddedBroker, name: str, words: str
) -> None:
    made = shared_broker.request("POST", "/pacticipants", json={"name": name})
    assert made.json()["displayName"] == words


def test_lists_come_in_pages_and_by_a_part_of_the_name(broker: EmbeddedBroker) -> None:
    for number in range(3):
        broker.request("PUT", f"{BAZ}/versions/{number}")
    broker.request("PUT", "/pacticipants/Foo/versions/1")
    page = broker.get(f"{BAZ}/versions?size=2&page=1").json()
    assert [one["number"] for one in page["_embedded"]["versions"]] == ["2", "1"]
    assert page["page"] == {"number": 1, "size": 2, "totalElements": 3, "totalPages": 2}
    assert page["_links"]["next"]["href"] == f"{broker.url}{BAZ}/versions?size=2&page=2"
    found = broker.get("/pacticipants?q=AZ").json()["_embedded"]["pacticipants"]
    assert [one["name"] for one in found] == ["Baz"]
    found = broker.get("/pacticipants?pageSize=1&pageNumber=2").json()["_embedded"]["pacticipants"]
    assert [one["name"] for one in found] == ["Foo"]
    for path in ("/pacticipants", "/integrations", f"{BAZ}/versions", f"{BAZ}/branches"):
        for size, mistake in (("x", "must be an integer"), ("0", "must be greater than or equal to 1")):
            refused = broker.get(f"{path}?pageSize={size}")
            assert (refused.status_code, refused.json()) == (400, {"errors": {"pageSize": [mistake]}})


@pytest.mark.parametrize("name", [None, "", " ", 1, []])
def test_a_pacticipant_needs_a_name(shared_broker: EmbeddedBroker, name: object) -> None:
    answer = shared_broker.request("POST", "/pacticipants", json={"name": name})
    assert (answer.status_code, list(answer.json()["errors"])) == (400, ["name"])


def test_only_what_is_sent_changes(broker: EmbeddedBroker) -> None:
    broker.request("POST", "/pacticipants", json={"name": "Baz", "mainBranch": "main", "displayName": "B"})
    broker.request("PATCH", BAZ, json={"displayName": None, "unknown": 1})
    assert (broker.get(BAZ).json()["displayName"], broker.get(BAZ).json()["mainBranch"]) == ("Baz", "main")
    refused = broker.request("PATCH", BAZ, json={"mainBranch": 1})
    assert (refused.status_code, refused.json()) == (400, {"errors": {"mainBranch": ["must be a string"]}})


def test_versions_branches_and_tags(broker: EmbeddedBroker) -> None:
    assert (
        broker.request("PUT", f"{BAZ}/versions/1", json={"buildUrl": "https://example.org/1"}).status_code
        == 201
    )
    assert broker.request("PATCH", f"{BAZ}/versions/1", json={}).status_code == 200
    assert broker.get(f"{BAZ}/versions/1").json()["buildUrl"] == "https://example.org/1"
    assert broker.request("PUT", f"{BAZ}/versions/1", json={}).status_code == 200
    assert "buildUrl" not in broker.get(f"{BAZ}/versions/1").json()
    for version, branch in (("1", "main"), ("2", "main"), ("3", "feat%2Fx")):
        assert broker.request("PUT", f"{BAZ}/branches/{branch}/versions/{version}").status_code == 201
        assert broker.request("PUT", f"{BAZ}/branches/{branch}/versions/{version}").status_code == 200
    for version, tag in (("1", "prod"), ("2", "dev"), ("3", "dev")):
        assert broker.request("PUT", f"{BAZ}/versions/{version}/tags/{tag}").status_code == 201
        assert broker.request("PUT", f"{BAZ}/versions/{version}/tags/{tag}").status_code == 200

    assert numbers(broker, f"{BAZ}/versions") == ["3", "2", "1"]
    assert numbers(broker, f"{BAZ}/branches/main/versions") == ["2", "1"]
    assert numbers(broker, f"{BAZ}/tags/dev/versions") == ["3", "2"]
    for path, latest in (
        ("latest-version", "3"),
        ("latest-version/dev", "3"),
        ("latest-version/prod", "1"),
        ("branches/main/latest-version", "2"),
    ):
        assert broker.get(f"{BAZ}/{path}").json()["number"] == latest
    assert broker.get(f"{BAZ}/latest-version/nope").status_code == 404
    assert broker.get(f"{BAZ}/branches/feat%2Fx").json()["name"] == "feat/x"


def test_what_is_deleted_is_gone(broker: EmbeddedBroker) -> None:
    for path in ("/branches/main/versions/1", "/branches/main/versions/2", "/versions/1/tags/dev"):
        broker.request("PUT", f"{BAZ}{path}")
    for path in ("/versions/1/tags/dev", "/branches/main/versions/1", "/branches/main", "/versions/1"):
        assert broker.request("DELETE", f"{BAZ}{path}").status_code == 204, path
        assert broker.get(f"{BAZ}{path}").status_code == 404, path
        assert broker.request("DELETE", f"{BAZ}{path}").status_code == 404, path
    assert numbers(broker, f"{BAZ}/versions") == ["2"]


def test_a_deleted_version_does_not_come_back_as_the_latest(broker: EmbeddedBroker) -> None:
    for version in ("1", "2"):
        broker.request("PUT", f"{BAZ}/versions/{version}")
    broker.request("DELETE", f"{BAZ}/versions/2")
    broker.request("PUT", f"{BAZ}/versions/3")
    broker.request("PUT", f"{BAZ}/versions/1", json={"buildUrl": "x"})
    assert broker.get(f"{BAZ}/latest-version").json()["number"] == "3"


def test_branches_come_in_pages(broker: EmbeddedBroker) -> None:
    for number in range(3):
        broker.request("PUT", f"{BAZ}/branches/b{number}/versions/1")
    page = broker.get(f"{BAZ}/branches", params={"pageNumber": 2, "pageSize": 2}).json()
    assert page["page"] == {"number": 2, "size": 2, "totalElements": 3, "totalPages": 2}
    assert [branch["name"] for branch in page["_embedded"]["branches"]] == ["b0"]
    for size in ("0", "-1", "x", "9" * 30, "²"):
        assert broker.get(f"{BAZ}/branches", params={"pageSize": size}).status_code == 400
