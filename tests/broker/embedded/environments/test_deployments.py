"""What is deployed and released where, and what that means for can-i-deploy."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from tests.broker.embedded.environments.test_resource import create
from tests.support.processes import BIN, BrokerProcess, EmbeddedBroker

if TYPE_CHECKING:
    from pathlib import Path

BAR = "/pacticipants/Bar/versions"


def deploy(
    broker: EmbeddedBroker, version: str, environment: dict[str, Any], **fields: Any
) -> dict[str, Any]:
    broker.request("PUT", f"{BAR}/{version}")
    path = f"{BAR}/{version}/deployed-versions/environment/{environment['uuid']}"
    answer = broker.request("POST", path, json=fields)
    assert answer.status_code == 201, answer.text
    document: dict[str, Any] = answer.json()
    return document


def release(broker: EmbeddedBroker, version: str, environment: dict[str, Any]) -> dict[str, Any]:
    broker.request("PUT", f"{BAR}/{version}")
    path = f"{BAR}/{version}/released-versions/environment/{environment['uuid']}"
    answer = broker.request("POST", path, json={})
    assert answer.status_code in {200, 201}, answer.text
    document: dict[str, Any] = answer.json()
    return document


def deployed(broker: EmbeddedBroker, environment: dict[str, Any], **query: str) -> list[str]:
    url = environment["_links"]["pb:currently-deployed-deployed-versions"]["href"]
    found = broker.get(url, params=query).json()["_embedded"]["deployedVersions"]
    return [one["_embedded"]["version"]["number"] for one in found]


def verify(broker: EmbeddedBroker, version: str, *, success: bool = True) -> None:
    pact = broker.get("/pacts/provider/Bar/consumer/Foo/latest").json()
    answer = broker.request(
        "POST",
        pact["_links"]["pb:publish-verification-results"]["href"],
        json={"success": success, "providerApplicationVersion": version},
    )
    assert answer.status_code == 201


def asked(broker: EmbeddedBroker, **query: str) -> dict[str, Any]:
    answer = broker.get("/can-i-deploy", params=query)
    assert answer.status_code == 200, answer.text
    summary: dict[str, Any] = answer.json()["summary"]
    return summary


def test_a_newer_deployment_takes_the_place_of_the_older(broker: EmbeddedBroker) -> None:
    production, test = create(broker), create(broker, "test")
    first = deploy(broker, "1", production)
    deploy(broker, "1", test)
    second = deploy(broker, "2", production)

    assert (deployed(broker, production), deployed(broker, test)) == (["2"], ["1"])
    gone = broker.get(first["_links"]["self"]["href"]).json()
    assert gone["currentlyDeployed"] is False
    assert gone["undeployedAt"]
    again = deploy(broker, "2", production)
    assert again["uuid"] == second["uuid"]


def test_application_instances_stand_beside_each_other(broker: EmbeddedBroker) -> None:
    production = create(broker)
    deploy(broker, "1", production)
    deploy(broker, "1", production, applicationInstance="blue")
    deploy(broker, "2", production, target="green")
    assert sorted(deployed(broker, production)) == ["1", "1", "2"]
    assert deployed(broker, production, applicationInstance="green") == ["2"]
    assert deployed(broker, production, applicationInstance="") == ["1"]
    assert deployed(broker, production, pacticipant="Foo") == []
    deploy(broker, "3", production, applicationInstance="blue")
    assert sorted(deployed(broker, production)) == ["1", "2", "3"]


@pytest.mark.parametrize("method", ["PATCH", "PUT"])
def test_a_version_is_taken_away_and_put_back(broker: EmbeddedBroker, method: str) -> None:
    production = create(broker)
    path = deploy(broker, "1", production)["_links"]["self"]["href"]
    away = broker.request(method, path, json={"currentlyDeployed": False})
    assert (away.status_code, away.json()["currentlyDeployed"]) == (200, False)
    assert deployed(broker, production) == []
    deploy(broker, "2", production)
    assert broker.request(method, path, json={"currentlyDeployed": True}).json()["currentlyDeployed"] is True
    assert deployed(broker, production) == ["1"]
    refused = broker.request(method, path, json={"currentlyDeployed": "no"})
    assert (refused.status_code, refused.json()) == (
        400,
        {"errors": {"currentlyDeployed": ["must be boolean"]}},
    )


def test_releases_stand_until_their_support_ends(broker: EmbeddedBroker) -> None:
    production = create(broker)
    first = release(broker, "1", production)
    release(broker, "2", production)
    listing = production["_links"]["pb:currently-supported-released-versions"]["href"]

    def supported(**query: str) -> list[str]:
        found = broker.get(listing, params=query).json()["_embedded"]["releasedVersions"]
        return [one["_embedded"]["version"]["number"] for one in found]

    assert supported() == ["2", "1"]
    assert supported(pacticipant="Bar", version="1") == ["1"]
    path = first["_links"]["self"]["href"]
    ended = broker.request("PATCH", path, json={"currentlySupported": False}).json()
    assert ended["currentlySupported"] is False
    assert ended["supportEndedAt"]
    assert supported() == ["2"]
    assert release(broker, "1", production)["uuid"] == first["uuid"]
    assert supported() == ["2", "1"]
    assert broker.request("PATCH", path, json={"currentlySupported": 1}).status_code == 400


def test_what_is_not_there_is_not_found(broker: EmbeddedBroker) -> None:
    production = create(broker)
    broker.request("PUT", f"{BAR}/1")
    for path in (
        "/deployed-versions/nope",
        "/released-versions/nope",
        "/environments/nope",
        "/environments/nope/deployed-versions/currently-deployed",
        "/environments/nope/released-versions/currently-supported",
        f"{BAR}/1/deployed-versions/environment/nope",
        f"{BAR}/2/deployed-versions/environment/{production['uuid']}",
        f"{BAR}/2/released-versions/environment/{production['uuid']}",
    ):
        assert broker.get(path).status_code == 404, path
    path = f"{BAR}/1/deployed-versions/environment/{production['uuid']}"
    assert broker.request("POST", path, json={"applicationInstance": 1}).status_code == 400


def test_versions_and_pacticipants_say_where_they_are(broker: EmbeddedBroker) -> None:
    production = create(broker)
    url = deploy(broker, "1", production)["_links"]["self"]["href"]
    release(broker, "1", production)
    links = broker.get(f"{BAR}/1").json()["_links"]
    assert links["pb:deployed-environments"] == [
        {
            "title": "Version deployed to Production",
            "name": "Production",
            "href": url,
            "currently_deployed": True,
        }
    ]
    assert [one["title"] for one in links["pb:released-environments"]] == ["Version released to Production"]
    assert [one["name"] for one in links["pb:record-release"]] == ["production"]
    assert len(broker.get("/pacticipants/Bar").json()["_links"]["pb:deployed-environments"]) == 1
    listed = broker.get(links["pb:record-deployment"][0]["href"]).json()
    assert [one["uuid"] for one in listed["_embedded"]["deployedVersions"]] == [url.rpartition("/")[2]]
    broker.request("DELETE", production["_links"]["self"]["href"])
    assert broker.get(f"{BAR}/1").json()["_links"]["pb:deployed-environments"] == []


def test_every_version_in_the_environment_counts(broker: EmbeddedBroker, pact: dict[str, Any]) -> None:
    broker.publish(pact, "1")
    production = create(broker)
    question = {"pacticipant": "Foo", "version": "1", "environment": "production"}
    nothing = "no version is currently recorded as deployed/released in this environment"
    missing = f"a version of Bar currently in production ({nothing})"
    assert asked(broker, **question)["reason"] == (
        f"There is no verified pact between version 1 of Foo and {missing}"
    )
    deploy(broker, "a", production)
    verify(broker, "a")
    assert asked(broker, **question)["deployable"] is True
    release(broker, "b", production)
    answer = asked(broker, **question)
    assert (answer["deployable"], answer["success"], answer["unknown"]) == (None, 1, 1)
    assert answer["reason"] == (
        "There is no verified pact between version 1 of Foo and "
        "one of the versions of Bar currently in production (b)"
    )
    verify(broker, "b", success=False)
    assert asked(broker, **question)["deployable"] is False
    matrix = broker.get("/can-i-deploy", params=question).json()["matrix"]
    assert [row["provider"]["version"]["environments"][0]["name"] for row in matrix] == ["production"] * 2


def test_a_provider_is_asked_about_the_consumers_in_the_environment(
    broker: EmbeddedBroker, pact: dict[str, Any]
) -> None:
    broker.publish(pact, "1")
    production = create(broker)
    broker.request("PUT", f"{BAR}/a")
    question = {"pacticipant": "Bar", "version": "a", "environment": "production"}
    assert asked(broker, **question)["deployable"] is True, "no consumer is there"
    path = f"/pacticipants/Foo/versions/1/deployed-versions/environment/{production['uuid']}"
    assert broker.request("POST", path).status_code == 201
    assert asked(broker, **question)["deployable"] is None
    verify(broker, "a")
    assert asked(broker, **question)["deployable"] is True


def test_what_is_ignored_does_not_count(broker: EmbeddedBroker, pact: dict[str, Any]) -> None:
    broker.publish(pact, "1")
    create(broker)
    question = "q[][pacticipant]=Foo&q[][version]=1&environment=production&latestby=cvp"
    answer = broker.get(f"/matrix?{question}&ignore[][pacticipant]=Bar").json()
    assert (answer["summary"]["deployable"], answer["summary"]["ignored"]) == (True, 1)
    assert answer["summary"]["reason"] == "There are no missing dependencies"
    assert answer["matrix"][0]["ignored"] is True
    other = broker.get(f"/matrix?{question}&ignore[][pacticipant]=Bar&ignore[][version]=9").json()
    assert other["summary"]["deployable"] is None
    assert broker.get(f"/matrix?{question}&ignore[][version]=9").status_code == 400


def test_an_environment_and_a_tag_are_one_too_many(
    shared_broker: EmbeddedBroker, pact: dict[str, Any]
) -> None:
    shared_broker.publish(pact, "1")
    query = {"pacticipant": "Foo", "version": "1", "environment": "production", "to": "prod"}
    answer = shared_broker.get("/can-i-deploy", params=query)
    assert answer.json() == {"errors": {"": ["Cannot specify both a 'to' tag and an environment."]}}


def client(broker: EmbeddedBroker, *arguments: str) -> str:
    """Run the real client, and return what it printed, with its exit code at the end."""
    done = subprocess.run(
        [str(BIN / "pact"), "broker", *arguments, "--broker-base-url", broker.url],
        capture_output=True,
        text=True,
        env={**os.environ, "PACT_DO_NOT_TRACK": "true", "no_proxy": "127.0.0.1"},
        timeout=60,
        check=False,
    )
    return f"{done.stdout}{done.stderr}\nexit {done.returncode}"


def test_the_real_client_deploys(broker: EmbeddedBroker, pact: dict[str, Any]) -> None:
    broker.publish(pact, "1", branch="main")
    broker.request("PUT", "/pacticipants/Bar/branches/main/versions/a")
    made = client(broker, "create-environment", "--name", "production", "--production")
    assert made.endswith("exit 0"), made
    assert "production" in client(broker, "list-environments")
    where = ("--environment", "production")
    bar = ("--pacticipant", "Bar", *where)
    done = client(broker, "record-deployment", "--version", "a", *bar)
    assert done.endswith("exit 0"), done
    question = ("can-i-deploy", "--pacticipant", "Foo", "--version", "1", "--to-environment", "production")
    assert client(broker, *question).endswith("exit 1")
    verify(broker, "a")
    done = client(broker, *question)
    assert done.endswith("exit 0"), done

    done = client(broker, "record-release", "--pacticipant", "Foo", "--version", "1", *where)
    assert done.endswith("exit 0"), done
    shown = client(broker, "describe-version", "--pacticipant", "Bar", "--version", "a")
    assert "exit 0" in shown
    assert "exit 0" in client(broker, "describe-pacticipant", "--name", "Bar")
    assert "exit 0" in client(broker, "list-latest-pact-versions")
    done = client(broker, "record-undeployment", *bar)
    assert done.endswith("exit 0"), done
    assert client(broker, *question).endswith("exit 1")
    done = client(broker, "record-support-ended", "--pacticipant", "Foo", "--version", "1", *where)
    assert done.endswith("exit 0"), done


def test_the_real_client_waits_for_a_result(tmp_path: Path, pact: dict[str, Any]) -> None:
    with BrokerProcess(tmp_path, "--log-level", "info") as broker:
        broker.publish(pact, "1")
        deploy(broker, "a", create(broker))
        command = [str(BIN / "pact"), "broker", "can-i-deploy", "--pacticipant", "Foo", "--version", "1"]
        command += ["--to-environment", "production", "--retry-while-unknown", "100", "--retry-interval", "1"]
        environment = {**os.environ, "PACT_DO_NOT_TRACK": "true", "no_proxy": "127.0.0.1"}
        with subprocess.Popen(
            [*command, "--broker-base-url", broker.url], stdout=subprocess.PIPE, text=True, env=environment
        ) as asking:
            broker.wait_for_output("GET /matrix")
            verify(broker, "a")
            shown, _ = asking.communicate(timeout=60)
    assert asking.returncode == 0, shown
