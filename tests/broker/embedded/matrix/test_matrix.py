"""What goes together with what, beyond the recorded exchanges and the real client's questions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.support.processes import EmbeddedBroker


NEITHER = "Must specify either an environment or a 'to' tag."
NO_BRANCH = "No version of Foo from branch nope exists"
NO_ENVIRONMENT = (
    "WARN: It is recommended to specify the environment into which you are deploying. Without the environment, this "
    "result will not be reliable.\n"
)
NO_VERSION = (
    "WARN: It is recommended to specify the version number (rather than the tag or branch) of the pacticipant you wish "
    "to deploy to avoid race conditions. Without a version number, this result will not be reliable.\n"
)
OTHER = "the latest version of Other (no such version exists)"


def summary(broker: EmbeddedBroker, query: str) -> dict[str, Any]:
    answer = broker.get(f"/matrix?{query}")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()["summary"]
    return found


def verify(broker: EmbeddedBroker, consumer_version: str, version: str, *, success: bool) -> None:
    pact = broker.get(f"/pacts/provider/Bar/consumer/Foo/version/{consumer_version}").json()
    url = pact["_links"]["pb:publish-verification-results"]["href"]
    body = {"success": success, "providerApplicationVersion": version}
    assert broker.request("POST", url, json=body).status_code == 201


def test_the_last_result_of_a_provider_version_counts(broker: EmbeddedBroker, pact: dict[str, Any]) -> None:
    broker.publish(pact, "1")
    verify(broker, "1", "a", success=False)
    verify(broker, "1", "a", success=True)
    question = "q[][pacticipant]=Foo&q[][version]=1&q[][pacticipant]=Bar&q[][version]=a"
    assert summary(broker, f"{question}&latestby=cvpv")["deployable"] is True
    assert summary(broker, f"{question}&latestby=cvp")["deployable"] is True
    assert (summary(broker, question)["success"], summary(broker, question)["failed"]) == (1, 1)


def test_each_provider_needs_a_result(broker: EmbeddedBroker, pact: dict[str, Any]) -> None:
    broker.publish(pact, "1")
    broker.publish({**pact, "provider": {"name": "Other"}}, "1")
    verify(broker, "1", "a", success=True)
    found = summary(broker, "q[][pacticipant]=Foo&q[][version]=1&latestby=cvp&latest=true")
    assert found == {
        "deployable": None,
        "reason": f"{NO_ENVIRONMENT}There is no verified pact between version 1 of Foo and {OTHER}",
        "success": 1,
        "failed": 0,
        "unknown": 1,
    }


def test_branches_can_be_asked_for(broker: EmbeddedBroker, pact: dict[str, Any]) -> None:
    broker.publish(pact, "1", branch="main")
    verify(broker, "1", "a", success=True)
    broker.request("PUT", "/pacticipants/Bar/branches/main/versions/a")
    pact["interactions"][0]["response"]["status"] = 201
    broker.publish(pact, "2", branch="feat/x")

    others = "q[][pacticipant]=Bar&q[][branch]=main&latestby=cvpv"
    assert summary(broker, f"q[][pacticipant]=Foo&q[][mainBranch]=true&{others}")["deployable"] is True
    assert summary(broker, f"q[][pacticipant]=Foo&q[][branch]=feat/x&{others}")["deployable"] is None
    missing = summary(broker, f"q[][pacticipant]=Foo&q[][branch]=nope&{others}")
    assert missing["deployable"] is False
    assert missing["reason"] == NO_VERSION + NO_BRANCH
    merge = "q[][pacticipant]=Foo&q[][version]=1&latestby=cvp&latest=true&mainBranch=true"
    assert summary(broker, merge)["deployable"] is True


def test_a_branch_or_a_tag_means_each_of_its_versions_unless_the_latest_is_asked_for(
    broker: EmbeddedBroker, pact: dict[str, Any]
) -> None:
    broker.publish(pact, "1", branch="main", tags=("dev",))
    verify(broker, "1", "a", success=False)
    pact["interactions"][0]["response"]["status"] = 201
    broker.publish(pact, "2", branch="main", tags=("dev",))
    verify(broker, "2", "b", success=True)
    for chosen, words in (
        ("branch]=main", "one of the versions of Foo from branch main (1)"),
        ("mainBranch]=true", "one of the versions of Foo from branch main (1)"),
        ("tag]=dev", "a version of Foo with tag dev (1)"),
    ):
        question = f"q[][pacticipant]=Foo&q[][{chosen}&latestby=cvpv&q[][pacticipant]=Bar"
        every = summary(broker, question)
        assert (every["success"], every["failed"], every["deployable"]) == (1, 1, False), chosen
        failed = f"The verification for the pact between {words} and any version of Bar failed"
        assert every["reason"] == NO_VERSION + failed
        latest = summary(broker, question.replace("&latestby", "&q[][latest]=true&latestby"))
        assert (latest["success"], latest["failed"], latest["deployable"]) == (1, 0, True), chosen


def test_of_the_versions_on_a_providers_branch_those_with_a_result_count(
    broker: EmbeddedBroker, pact: dict[str, Any]
) -> None:
    broker.publish(pact, "1")
    for version in ("a", "b", "c"):
        broker.request("PUT", f"/pacticipants/Bar/branches/main/versions/{version}")
    question = "q[][pacticipant]=Foo&q[][version]=1&q[][pacticipant]=Bar&q[][branch]=main&latestby=cvpv"
    unknown = summary(broker, question)
    assert (unknown["unknown"], unknown["deployable"]) == (1, None)
    assert unknown["reason"].endswith("version 1 of Foo and any version of Bar")
    verify(broker, "1", "b", success=True)
    assert summary(broker, question)["deployable"] is True
    verify(broker, "1", "a", success=False)
    found = summary(broker, question)
    assert (found["success"], found["failed"], found["unknown"], found["deployable"]) == (1, 1, 0, False)


def test_a_version_without_pacts_needs_nothing(broker: EmbeddedBroker) -> None:
    broker.request("PUT", "/pacticipants/Foo/versions/1")
    found = summary(broker, "q[][pacticipant]=Foo&q[][version]=1&latestby=cvp&latest=true")
    assert (found["deployable"], found["reason"]) == (
        True,
        f"{NO_ENVIRONMENT}There are no missing dependencies",
    )


def test_a_provider_of_a_dropped_pact_is_not_needed(broker: EmbeddedBroker, pact: dict[str, Any]) -> None:
    broker.publish(pact, "1")
    broker.publish({**pact, "provider": {"name": "Other"}}, "2")
    verify(broker, "1", "a", success=True)
    question = "q[][pacticipant]=Foo&q[][version]={}&latestby=cvp&latest=true"
    assert summary(broker, question.format("1"))["deployable"] is True
    assert summary(broker, question.format("2"))["deployable"] is None


@pytest.mark.parametrize(
    ("query", "errors"),
    [
        ("", {"pacticipant": ["is missing"], "version": ["is missing"], "": [NEITHER]}),
        ("pacticipant=Nope&version=1&to=prod", {"pacticipant": ["does not match an existing pacticipant"]}),
        (
            "pacticipant=Foo&version=1&environment=production",
            {"environment": ["with name 'production' does not exist"]},
        ),
    ],
)
def test_can_i_deploy_says_what_is_wrong(
    shared_broker: EmbeddedBroker, pact: dict[str, Any], query: str, errors: dict[str, list[str]]
) -> None:
    shared_broker.publish(pact, "1")
    answer = shared_broker.get(f"/can-i-deploy?{query}")
    assert answer.status_code == 400
    assert answer.json() == {"errors": errors}


def test_can_i_deploy_to_a_tag(broker: EmbeddedBroker, pact: dict[str, Any]) -> None:
    broker.publish(pact, "1")
    verify(broker, "1", "a", success=True)
    broker.request("PUT", "/pacticipants/Bar/versions/a/tags/prod")
    for tag, expected in (("prod", True), ("test", None)):
        answer = broker.get("/can-i-deploy", params={"pacticipant": "Foo", "version": "1", "to": tag}).json()
        assert answer["summary"]["deployable"] is expected


def test_environments_are_not_known(broker: EmbeddedBroker, pact: dict[str, Any]) -> None:
    broker.publish(pact, "1")
    answer = broker.get("/matrix?q[][pacticipant]=Foo&q[][version]=1&environment=production")
    assert (answer.status_code, answer.json()) == (
        400,
        {"errors": ["Environment with name 'production' does not exist"]},
    )


def test_can_i_deploy_ignores_what_it_is_told_to(broker: EmbeddedBroker, pact: dict[str, Any]) -> None:
    broker.publish(pact, "1")
    verify(broker, "1", "a", success=False)
    production = {"name": "production", "production": True}
    environment = broker.request("POST", "/environments", json=production).json()
    path = f"/pacticipants/Bar/versions/a/deployed-versions/environment/{environment['uuid']}"
    broker.request("POST", path, json={})
    question = "/can-i-deploy?pacticipant=Foo&version=1&environment=production"
    for ignore, expected in (
        ("ignore[]=Bar", True),
        ("ignore[][pacticipant]=Bar", True),
        ("ignore[][pacticipant]=Bar&ignore[][version]=a", True),
        ("ignore[][pacticipant]=Bar&ignore[][version]=b", False),
        ("ignore=Bar", False),
        ("ignore[]=Nope", False),
    ):
        summary = broker.get(f"{question}&{ignore}").json()["summary"]
        assert summary["deployable"] is expected, ignore
        assert summary.get("ignored", 0) == expected, ignore
    assert summary["reason"].startswith(
        "WARN: Cannot ignore any version of Nope (no such pacticipant exists)\n"
    )


def test_one_selector_without_others_has_the_rows_that_are_there(
    broker: EmbeddedBroker, pact: dict[str, Any]
) -> None:
    broker.publish(pact, "1", branch="main")
    broker.publish({**pact, "consumer": {"name": "Baz"}}, "1")
    verify(broker, "1", "a", success=True)
    as_provider = summary(broker, "q[][pacticipant]=Bar&q[][version]=a&latestby=cvpv")
    assert (as_provider["success"], as_provider["unknown"], as_provider["deployable"]) == (1, 0, True)
    as_consumer = summary(broker, "q[][pacticipant]=Baz&q[][version]=1&latestby=cvpv")
    assert (as_consumer["unknown"], as_consumer["deployable"]) == (1, None)


def test_the_latest_of_a_branch_or_a_tag_has_its_own_question(
    broker: EmbeddedBroker, pact: dict[str, Any]
) -> None:
    broker.publish(pact, "1", branch="main", tags=("dev",))
    verify(broker, "1", "a", success=True)
    broker.request("PUT", "/pacticipants/Bar/versions/a/tags/prod", json={})
    production = {"name": "production", "production": True}
    environment = broker.request("POST", "/environments", json=production).json()
    record = f"/pacticipants/Bar/versions/a/deployed-versions/environment/{environment['uuid']}"
    broker.request("POST", record, json={})
    for path in (
        "branches/main/latest-version/can-i-deploy/to-environment/production",
        "latest-version/dev/can-i-deploy/to/prod",
    ):
        assert broker.get(f"/pacticipants/Foo/{path}").json()["summary"]["deployable"] is True
    for path in (
        "branches/nope/latest-version/can-i-deploy/to-environment/production",
        "branches/main/latest-version/can-i-deploy/to-environment/nope",
        "latest-version/nope/can-i-deploy/to/prod",
    ):
        assert broker.get(f"/pacticipants/Foo/{path}").status_code == 404
