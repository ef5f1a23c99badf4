"""Asking which pacts are to be verified, against a real broker's recorded answers and the embedded broker."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from broker.client import BrokerClient
from broker.client.for_verification import (
    Selection,
    SelectionRefused,
    UnknownProvider,
    pacts_for_verification,
)
from broker.http.access import BrokerAccess
from broker.http.errors import BrokerError, OffOrigin, UnexpectedAnswer
from tests.support.loopback import Loopback, Received, Reply
from tests.support.pacts import pact, things
from tests.support.paths import ROOT
from tests.support.processes import EmbeddedBroker

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from broker.client.for_verification import PactForVerification

EXCHANGES = ROOT / "tests" / "exchanges"
RECORDED_AT = "http://127.0.0.1:9292"
MAIN = Selection(({"mainBranch": True},))


def exchange(name: str) -> dict[str, Any]:
    [file] = EXCHANGES.rglob(f"{name}.json")
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return found


def asked(
    answer: Any, provider: str = "Bar", selection: Selection = MAIN, status: int = 200
) -> tuple[list[PactForVerification], Any]:
    """Ask a server that answers as a recorded broker did, and return the pacts and the question."""
    questions = []

    def reply(request: Received) -> Reply:
        document = exchange("01-index")["response"]["body"] if request.path == "/" else answer
        if request.method == "POST":
            questions.append(json.loads(request.body))
        text = json.dumps(document).replace(RECORDED_AT, server.url)
        return Reply(200 if request.path == "/" else status, json.loads(text))

    with Loopback(reply) as server, BrokerClient(BrokerAccess(server.url), retry_time=0) as client:
        return pacts_for_verification(client, provider, selection), questions


def test_recorded_answer_with_a_pending_pact() -> None:
    recorded = exchange("95-provider-pacts-for-verification")
    selection = Selection(({"mainBranch": True}, {"branch": "main"}), branch="main", pending=True)
    [found], questions = asked(recorded["response"]["body"], selection=selection)
    assert questions == [recorded["request"]["body"]]
    assert (found.consumer, found.consumer_version) == ("Foo", "1.3.1")
    assert found.content == "7d3fc989bdcb668b991c5df312cca46396d5980c"
    assert found.pending
    assert not found.wip
    assert found.reason == "latest from branch main, latest from main branch"
    first, second = found.before()
    assert "latest version from the main branch 'main' (1.3.1)" in first
    assert second.startswith("This pact is in pending state")
    [after] = found.after(success=True, published=True)
    assert after.startswith("This pact is no longer in pending state")
    [after] = found.after(success=False, published=True)
    assert "is still in pending state" in after


def test_recorded_answer_without_pending() -> None:
    recorded = exchange("275-pacts-for-verification-with-metadata")
    [found], questions = asked(recorded["response"]["body"], selection=Selection(MAIN.selectors, "main"))
    assert questions == [recorded["request"]["body"]]
    assert not found.pending
    assert found.after(success=True, published=True) == []
    assert found.url.endswith(
        recorded["response"]["body"]["_embedded"]["pacts"][0]["_links"]["self"]["href"][-40:]
    )


def test_provider_that_the_broker_does_not_know() -> None:
    with pytest.raises(UnknownProvider, match="no provider 'Bar'"):
        asked({"error": "No provider with name 'Bar' found"}, status=404)


def test_refused_question_says_what_the_broker_says() -> None:
    why = "environment with name 'nope' does not exist (at index 0)"
    with pytest.raises(SelectionRefused, match="environment with name 'nope' does not exist"):
        asked({"errors": {"consumerVersionSelectors": [why]}}, status=400)


def entry(content: str = "abc", **more: Any) -> dict[str, Any]:
    link = {
        "href": f"{RECORDED_AT}/pacts/provider/Bar/consumer/Foo/pact-version/{content}",
        "name": "Pact between Foo (1) and Bar",
    }
    return {"_links": {"self": link}, **more}


def listed(*entries: Any) -> Any:
    return {"_embedded": {"pacts": list(entries)}}


def test_the_same_content_is_verified_once() -> None:
    pending = {"pending": True, "wip": True, "notices": [{"when": "before_verification", "text": "one"}]}
    decided = {"pending": False, "notices": [{"when": "before_verification", "text": "two"}]}
    answer = listed(
        entry(shortDescription="a", verificationProperties=pending),
        entry("other"),
        entry(shortDescription="b", verificationProperties=decided),
    )
    first, second = asked(answer)[0]
    assert (first.reason, first.before()) == ("a, b", ["one", "two"])
    assert not first.pending, "one version that is not pending is enough"
    assert not first.wip
    assert second.content == "other"


def test_none_of_many_pacts_is_left_out() -> None:
    found, _ = asked(listed(*(entry(str(number)) for number in range(1005))))
    assert len(found) == 1005


@pytest.mark.parametrize(
    ("item", "problem"),
    [
        ({}, UnexpectedAnswer),
        ({"_links": {"self": {"href": "http://[::1"}}}, BrokerError),
        ({"_links": {"self": {"href": f"{RECORDED_AT}/somewhere"}}}, UnexpectedAnswer),
        (
            {
                "_links": {
                    "self": {"href": "http://evil.example/pacts/provider/Bar/consumer/F/pact-version/1"}
                }
            },
            OffOrigin,
        ),
        (
            {"_links": {"self": {"href": f"{RECORDED_AT}/pacts/provider/Other/consumer/F/pact-version/1"}}},
            UnexpectedAnswer,
        ),
    ],
)
def test_entry_that_is_no_pact_of_the_provider_on_the_broker(
    item: dict[str, Any], problem: type[BrokerError]
) -> None:
    with pytest.raises(problem):
        asked(listed(item))


@pytest.mark.parametrize("properties", [None, [], "x", {"notices": "x"}, {"notices": [1, {"text": 2}]}])
def test_odd_properties_are_no_notices(properties: Any) -> None:
    [found], _ = asked(listed(entry(verificationProperties=properties, shortDescription=7)))
    assert (found.notices, found.reason, found.pending) == ((), "", False)


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedBroker]:
    """A broker with pacts on main, deployed, released, tagged, on the provider's branch, and on a feature branch."""
    folder: Path = tmp_path_factory.mktemp("broker")
    with EmbeddedBroker(folder) as started:
        for number, (consumer, branch, tags) in enumerate(
            [
                ("Main", "main", ()),
                ("Deployed", "old", ()),
                ("Released", "app", ()),
                ("Matching", "mine", ()),
                ("Feature", "feature", ()),
                ("Tagged", "other", ("dev",)),
            ],
            start=1,
        ):
            started.publish(pact(*things(number), consumer=consumer), "1", branch=branch, tags=tags)
        environment = started.request(
            "POST", "/environments", json={"name": "production", "production": True}
        ).json()
        uuid = environment["uuid"]
        for consumer, kind in (("Deployed", "deployed-versions"), ("Released", "released-versions")):
            path = f"/pacticipants/{consumer}/versions/1/{kind}/environment/{uuid}"
            assert started.request("POST", path, json={}).ok
        yield started


@pytest.mark.parametrize(
    ("selection", "consumers"),
    [
        (MAIN, {"Main"}),
        (Selection(({"deployed": True},)), {"Deployed"}),
        (Selection(({"released": True},)), {"Released"}),
        (Selection(({"deployedOrReleased": True},)), {"Deployed", "Released"}),
        (Selection(({"environment": "production"},)), {"Deployed", "Released"}),
        (Selection(({"branch": "feature"},)), {"Feature"}),
        (Selection(({"tag": "none", "fallbackTag": "dev", "latest": True},)), {"Tagged"}),
        (Selection(({"matchingBranch": True},), branch="mine"), {"Matching"}),
        (Selection(({"tag": "dev", "latest": True},)), {"Tagged"}),
        (Selection(({"latest": True, "consumer": "Feature"},)), {"Feature"}),
        (Selection(({"mainBranch": True}, {"branch": "feature"})), {"Main", "Feature"}),
    ],
)
def test_selectors_of_each_kind_choose_pacts_of_the_broker(
    broker: EmbeddedBroker, selection: Selection, consumers: set[str]
) -> None:
    with BrokerClient(BrokerAccess(broker.url)) as client:
        found = pacts_for_verification(client, "Things", selection)
    assert {one.consumer for one in found} == consumers
    assert all(one.before() and not one.pending and one.consumer_version == "1" for one in found)


def test_work_in_progress_is_pending(broker: EmbeddedBroker) -> None:
    selection = Selection(MAIN.selectors, branch="mine", pending=True, wip_since="2020-01-01")
    with BrokerClient(BrokerAccess(broker.url)) as client:
        found = pacts_for_verification(client, "Things", selection)
    assert {one.consumer: (one.pending, one.wip) for one in found} == {
        "Main": (True, False),
        **dict.fromkeys(("Deployed", "Released", "Matching", "Feature", "Tagged"), (True, True)),
    }
