from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.broker.embedded.conftest import example

if TYPE_CHECKING:
    from tests.processes import EmbeddedBroker

PATH = "/pacts/provider/Bar/for-verification"


def chosen(broker: EmbeddedBroker, *selectors: dict[str, Any], **more: Any) -> list[dict[str, Any]]:
    answer = broker.request("POST", PATH, json={"consumerVersionSelectors": list(selectors), **more})
    assert answer.status_code == 200, answer.text
    pacts: list[dict[str, Any]] = answer.json()["_embedded"]["pacts"]
    return pacts


def names(pacts: list[dict[str, Any]]) -> list[str]:
    return sorted(pact["_links"]["self"]["name"] for pact in pacts)


@pytest.fixture(scope="module")
def published(shared_broker: EmbeddedBroker) -> EmbeddedBroker:
    pact = example()
    for version, (branch, tags) in enumerate([("main", ("prod",)), ("feat/x", ()), ("main", ("dev",))]):
        pact["interactions"][0]["response"]["status"] = 200 + version
        shared_broker.publish(pact, str(version), branch=branch, tags=tags)
    pact["consumer"]["name"] = "Baz"
    shared_broker.publish(pact, "7", branch="trunk", tags=("prod",))
    return shared_broker


FOO_0, FOO_1, FOO_2, BAZ_7 = (
    f"Pact between {name} and Bar" for name in ("Foo (0)", "Foo (1)", "Foo (2)", "Baz (7)")
)


@pytest.mark.parametrize(
    ("selectors", "expected"),
    [
        ([], [BAZ_7, FOO_2]),
        ([{"latest": True}], [BAZ_7, FOO_2]),
        ([{"mainBranch": True}], [FOO_2]),
        ([{"branch": "feat/x"}], [FOO_1]),
        ([{"branch": "nope"}], []),
        ([{"tag": "prod"}], [BAZ_7, FOO_0]),
        ([{"tag": "prod", "latest": True, "consumer": "Foo"}], [FOO_0]),
        ([{"consumer": "Baz"}], [BAZ_7]),
        ([{"matchingBranch": True}], [FOO_1]),
        ([{"deployedOrReleased": True}, {"deployed": True}], []),
        ([{"mainBranch": True}, {"branch": "main"}, {"tag": "dev"}], [FOO_2]),
    ],
)
def test_selectors_choose(
    published: EmbeddedBroker, selectors: list[dict[str, Any]], expected: list[str]
) -> None:
    assert names(chosen(published, *selectors, providerVersionBranch="feat/x")) == expected


def test_without_selectors_the_latest_are_chosen(published: EmbeddedBroker) -> None:
    assert names(published.get(PATH).json()["_embedded"]["pacts"]) == [BAZ_7, FOO_2]
    assert published.request("POST", PATH).status_code == 200
    assert published.get("/pacts/provider/Nope/for-verification").status_code == 404


def test_a_chosen_pact_says_for_which_versions(published: EmbeddedBroker) -> None:
    (pact,) = chosen(published, {"mainBranch": True})
    document = published.get(pact["_links"]["self"]["href"]).json()
    assert [link["name"] for link in document["_links"]["pb:consumer-versions"]] == ["2"]


def test_a_pact_is_pending_until_the_branch_has_verified_it(published: EmbeddedBroker) -> None:
    def pending() -> bool:
        (pact,) = chosen(
            published, {"mainBranch": True}, providerVersionBranch="main", includePendingStatus=True
        )
        value: bool = pact["verificationProperties"]["pending"]
        return value

    def publish(version: str, *, success: bool) -> None:
        (pact,) = chosen(published, {"mainBranch": True})
        url = published.get(pact["_links"]["self"]["href"]).json()["_links"][
            "pb:publish-verification-results"
        ]["href"]
        published.request("POST", url, json={"success": success, "providerApplicationVersion": version})

    assert pending()
    published.request("PUT", "/pacticipants/Bar/branches/main/versions/a")
    publish("a", success=False)
    publish("elsewhere", success=True)
    assert pending()
    publish("a", success=True)
    assert not pending()
