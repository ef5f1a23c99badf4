from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.broker.embedded.conftest import example

if TYPE_CHECKING:
    from tests.support.processes import EmbeddedBroker

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
        ([{"consumer": "Baz", "latest": True}], [BAZ_7]),
        ([{"branch": True}], [BAZ_7, FOO_1, FOO_2]),
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


PRODUCTION = {"name": "production", "production": True}


def record(broker: EmbeddedBroker, what: str, version: str, environment: dict[str, Any]) -> None:
    path = f"/pacticipants/Foo/versions/{version}/{what}-versions/environment/{environment['uuid']}"
    assert broker.request("POST", path).status_code == 201


def test_deployed_and_released_versions_are_chosen(broker: EmbeddedBroker, pact: dict[str, Any]) -> None:
    for version in range(4):
        pact["interactions"][0]["response"]["status"] = 200 + version
        broker.publish(pact, str(version), branch="main")
    production = broker.request("POST", "/environments", json=PRODUCTION).json()
    test = broker.request("POST", "/environments", json={"name": "test", "production": False}).json()
    record(broker, "deployed", "0", production)
    record(broker, "released", "1", production)
    record(broker, "deployed", "2", test)

    for selector, expected in (
        ({"deployed": True}, [FOO_0, FOO_2]),
        ({"released": True}, [FOO_1]),
        ({"deployedOrReleased": True}, [FOO_0, FOO_1, FOO_2]),
        ({"environment": "production"}, [FOO_0, FOO_1]),
        ({"deployed": True, "environment": "test"}, [FOO_2]),
        ({"released": True, "environment": "test"}, []),
        ({"deployed": True, "consumer": "Baz"}, []),
    ):
        assert names(chosen(broker, selector)) == expected, selector
    (pact_in_production,) = chosen(broker, {"deployed": True, "environment": "production"})
    assert pact_in_production["shortDescription"] == "deployed to production"
    why = pact_in_production["verificationProperties"]["notices"][0]["text"]
    assert why.endswith("* consumer version(s) currently deployed to production (0)")

    unknown = broker.request("POST", PATH, json={"consumerVersionSelectors": [{"environment": "nope"}]})
    assert unknown.json() == {
        "errors": {
            "consumerVersionSelectors": ["environment with name 'nope' does not exist (at index 0)"],
        }
    }


def test_fallbacks_are_used_where_nothing_else_is_found(published: EmbeddedBroker) -> None:
    assert chosen(published, {"branch": "nope", "fallbackBranch": "feat/x"}) == []
    (one,) = chosen(published, {"branch": "nope", "fallbackBranch": "feat/x", "latest": True})
    assert one["_links"]["self"]["name"] == FOO_1
    assert "no pact was found from branch 'nope'" in one["verificationProperties"]["notices"][0]["text"]
    (one,) = chosen(published, {"tag": "nope", "latest": True, "fallbackTag": "dev"})
    assert one["_links"]["self"]["name"] == FOO_2
    (one,) = chosen(published, {"branch": "feat/x", "fallbackBranch": "main", "latest": True})
    assert one["_links"]["self"]["name"] == FOO_1


def test_a_pact_is_pending_for_each_tag_that_has_not_verified_it(
    broker: EmbeddedBroker, pact: dict[str, Any]
) -> None:
    broker.publish(pact, "1", branch="main")
    found = broker.get("/pacts/provider/Bar/consumer/Foo/latest").json()
    url = found["_links"]["pb:publish-verification-results"]["href"]

    def properties(*tags: str) -> dict[str, Any]:
        (one,) = chosen(broker, {"mainBranch": True}, providerVersionTags=list(tags))
        document: dict[str, Any] = one["verificationProperties"]
        return document

    assert properties()["pending"]
    broker.request("PUT", "/pacticipants/Bar/versions/a/tags/dev", json={})
    broker.request("POST", url, json={"success": True, "providerApplicationVersion": "a"})
    assert not properties()["pending"]
    assert not properties("dev")["pending"]
    assert not properties("prod")["pending"]  # it was verified before the tag was first used
    pact["interactions"][0]["response"]["status"] = 201
    broker.publish(pact, "2", branch="main")
    found = broker.get("/pacts/provider/Bar/consumer/Foo/latest").json()
    url = found["_links"]["pb:publish-verification-results"]["href"]
    for tag in ("dev", "prod"):
        broker.request("PUT", f"/pacticipants/Bar/versions/{tag}/tags/{tag}", json={})
    broker.request("POST", url, json={"success": True, "providerApplicationVersion": "dev"})
    for tags in (("prod",), ("dev", "prod")):
        still = properties(*tags)
        assert still["pending"]
        assert "for a version of Bar with tag 'prod' has not yet" in still["notices"][1]["text"]
    pact["interactions"][0]["response"]["status"] = 202
    broker.publish(pact, "3", branch="main")
    two = properties("x", "y")["notices"][2]["text"]
    assert "any versions of Bar with tag 'x' and 'y' as the successful verification results with these" in two


def test_work_in_progress_is_added_until_it_is_verified(broker: EmbeddedBroker, pact: dict[str, Any]) -> None:
    broker.publish(pact, "1", branch="main")
    pact["interactions"][0]["response"]["status"] = 201
    broker.publish(pact, "2", branch="feat/x")

    def added(since: str, **more: Any) -> list[dict[str, Any]]:
        wanted = {"providerVersionBranch": "main", "includeWipPactsSince": since, **more}
        return chosen(broker, {"mainBranch": True}, **wanted)[1:]

    (one,) = added("2020-01-01")
    assert one["shortDescription"] == "latest from branch feat/x"
    properties = one["verificationProperties"]
    assert (properties["pending"], properties["wip"]) == (True, True)
    assert "the latest version of Foo from branch 'feat/x'" in properties["notices"][0]["text"]
    assert added("2999-01-01") == []
    assert added("2020-01-01", includePendingStatus=False) == []
    assert added("2020-01-01", providerVersionBranch=None) == []

    def verify(one: dict[str, Any]) -> None:
        document = broker.get(one["_links"]["self"]["href"]).json()
        url = document["_links"]["pb:publish-verification-results"]["href"]
        broker.request("POST", url, json={"success": True, "providerApplicationVersion": "a"})

    broker.request("PUT", "/pacticipants/Bar/branches/main/versions/a")
    verify(one)
    assert len(added("2020-01-01")) == 1  # it was verified as work in progress, which is no promise
    (one,) = chosen(broker, {"branch": "feat/x"})
    verify(one)
    assert added("2020-01-01") == []
    for since, mistake in (
        ("soon", "must be a date"),
        ("", "must be filled"),
        ("0001-01-01T00:00:00+14:00", "must be a date"),
        ("9999-12-31T23:59:59-14:00", "must be a date"),
    ):
        refused = broker.request("POST", PATH, json={"includeWipPactsSince": since})
        assert refused.json() == {"errors": {"includeWipPactsSince": [mistake]}}


def result_url(broker: EmbeddedBroker) -> str:
    found = broker.get("/pacts/provider/Bar/consumer/Foo/latest").json()
    href: str = found["_links"]["pb:publish-verification-results"]["href"]
    return href


@pytest.mark.parametrize("kind", ["branches/{}/versions/{}", "versions/{1}/tags/{0}"])
def test_what_another_branch_had_verified_before_is_not_pending(
    broker: EmbeddedBroker, pact: dict[str, Any], kind: str
) -> None:
    def put(branch: str, version: str) -> None:
        path = f"/pacticipants/Bar/{kind.format(branch, version)}"
        assert broker.request("PUT", path, json={}).status_code == 201

    def pending(branch: str) -> bool:
        tells: dict[str, Any] = {"providerVersionBranch": branch}
        if "tags" in kind:
            tells = {"providerVersionTags": [branch]}
        (one,) = chosen(broker, {"mainBranch": True}, **tells)
        value: bool = one["verificationProperties"]["pending"]
        return value

    broker.publish(pact, "1", branch="main")
    broker.request("POST", result_url(broker), json={"success": True, "providerApplicationVersion": "0"})
    assert pending("old")  # a version without a branch or tag is none of another one
    put("old", "1")
    put("main", "2")
    broker.request("POST", result_url(broker), json={"success": True, "providerApplicationVersion": "2"})
    assert not pending("new")  # there is no such branch yet: a success of any other counts
    put("new", "3")
    assert not pending("new")
    assert pending("old")  # this one existed before the success of the other


def test_without_selectors_what_is_in_use_is_chosen(broker: EmbeddedBroker, pact: dict[str, Any]) -> None:
    for version, branch in (("0", "main"), ("1", "main"), ("2", "feat/x")):
        pact["interactions"][0]["response"]["status"] = 200 + int(version)
        broker.publish(pact, version, branch=branch)
    pact["consumer"]["name"] = "Baz"
    broker.publish(pact, "6", branch="trunk")
    broker.publish(pact, "7", branch="trunk")
    production = broker.request("POST", "/environments", json=PRODUCTION).json()
    record(broker, "deployed", "0", production)
    for answer in (
        broker.get(PATH),
        broker.request("POST", PATH, json={}),
        broker.request("POST", PATH, json={"consumerVersionSelectors": []}),
        broker.request("POST", PATH),
    ):
        assert names(answer.json()["_embedded"]["pacts"]) == [BAZ_7, FOO_0, FOO_1]


@pytest.mark.parametrize(
    ("selector", "mistake"),
    [
        ({}, "must specify a value for environment or tag or branch"),
        ({"unknown": True}, "must specify a value for environment or tag or branch"),
        ({"tag": ""}, "tag must be filled"),
        ({"tag": "a", "branch": "b"}, "cannot specify both a tag and a branch"),
        ({"mainBranch": True, "tag": "a"}, "cannot specify mainBranch=true with any other criteria"),
        ({"matchingBranch": True}, "the providerVersionBranch must be specified"),
        ({"tag": "a", "fallbackTag": "b"}, "fallbackTag can only be set if latest is true"),
        ({"latest": True, "deployed": True}, "cannot specify the field latest with the field deployed"),
        ({"released": True, "deployedOrReleased": True}, "cannot specify both released=true and deployedOr"),
        ({"latest": "yes"}, "latest must be one of: true, false"),
        ({"branch": 5}, "branch must be a string or must be equal to true"),
        ("latest", "must be a hash"),
    ],
)
def test_selectors_that_choose_nothing_sensible_are_refused(
    published: EmbeddedBroker, selector: object, mistake: str
) -> None:
    refused = published.request("POST", PATH, json={"consumerVersionSelectors": [{"latest": True}, selector]})
    assert refused.status_code == 400
    (text,) = refused.json()["errors"]["consumerVersionSelectors"]
    assert text.startswith(mistake)
    assert text.endswith(" (at index 1)")


def test_old_clients_ask_in_the_query(published: EmbeddedBroker) -> None:
    query = "consumer_version_selectors[][tag]=dev&consumer_version_selectors[][latest]=true"
    (one,) = published.get(f"{PATH}?{query}").json()["_embedded"]["pacts"]
    assert one["_links"]["self"]["name"] == FOO_2
    assert one["verificationProperties"]["notices"][0]["text"].startswith("WARNING - this version")
    refused = published.get(f"{PATH}?consumer_version_selectors[][latest]=true&include_pending_status=x")
    assert refused.status_code == 400
    assert refused.json()["errors"].keys() == {"consumer_version_selectors", "include_pending_status"}


def test_the_first_tag_of_a_new_version_is_its_branch(broker: EmbeddedBroker, pact: dict[str, Any]) -> None:
    broker.publish(pact, "1", tags=("main", "prod"))
    version = broker.get("/pacticipants/Foo/versions/1").json()
    assert [branch["name"] for branch in version["_embedded"]["branchVersions"]] == ["main"]
    assert broker.get("/pacticipants/Foo").json()["mainBranch"] == "main"
    broker.publish(pact, "2", branch="feat/x", tags=("dev",))
    version = broker.get("/pacticipants/Foo/versions/2").json()
    assert [branch["name"] for branch in version["_embedded"]["branchVersions"]] == ["feat/x"]
