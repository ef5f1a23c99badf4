"""The webhook resource, beyond what the recorded exchanges show."""

from __future__ import annotations

import json
import secrets
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from tests.broker.embedded.conftest import example
from tests.support.processes import EmbeddedBroker
from tests.support.webhook_documents import OPEN, all_are, create, wait_for, webhook
from tests.support.webhook_target import Target

if TYPE_CHECKING:
    from collections.abc import Iterator

URL = "http://127.0.0.1:9/hook"


@pytest.fixture(scope="module")
def open_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedBroker]:
    with EmbeddedBroker(tmp_path_factory.mktemp("open"), *OPEN) as broker:
        broker.publish(example(), "1", branch="main")
        yield broker


def changed(**changes: Any) -> dict[str, Any]:
    return {**webhook(URL), **changes}


def requesting(**changes: Any) -> dict[str, Any]:
    document = webhook(URL)
    return {**document, "request": {**document["request"], **changes}}


def test_no_uuid_begins_as_an_option_does(
    open_broker: EmbeddedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = iter(("-" * 22, "-abcdefghijklmnopqrstu", "a-bcdefghijklmnopqrstu"))
    monkeypatch.setattr(secrets, "token_urlsafe", lambda _: next(made))
    assert create(open_broker, webhook(URL))["uuid"] == "a-bcdefghijklmnopqrstu"


@pytest.mark.parametrize(
    ("document", "field"),
    [
        (changed(description=1), "description"),
        (changed(description="x" * 10_001), "description"),
        (changed(enabled="true"), "enabled"),
        (changed(enabled=None), "enabled"),
        (changed(consumer="Foo"), "consumer"),
        (changed(consumer={}), "consumer.name"),
        (changed(consumer={"name": ""}), "consumer.name"),
        (changed(consumer={"name": 1}), "consumer.name"),
        (changed(consumer={"label": []}), "consumer.label"),
        (changed(provider={"name": "Nobody"}), "provider.name"),
        (changed(request=[]), "request"),
        (changed(request=None), "request"),
        (changed(events={}), "events"),
        (changed(events=[]), "events"),
        (changed(events=["contract_published"]), "events"),
        (changed(events=[{"name": None}]), "events"),
        (changed(events=[{"name": ["contract_published"]}]), "events"),
        (requesting(method=None), "request.method"),
        (requesting(method=["POST"]), "request.method"),
        (requesting(method="PUT"), "request.method"),
        (requesting(url=1), "request.url"),
        (requesting(url=" "), "request.url"),
        (requesting(url="http://127.0.0.1/" + "x" * 8_000), "request.url"),
        (requesting(headers=[]), "request.headers"),
        (requesting(headers={"a b": "x"}), "request.headers"),
        (requesting(headers={"": "x"}), "request.headers"),
        (requesting(headers={"a": 1}), "request.headers"),
        (requesting(headers={"a": "x\r\nb: y"}), "request.headers"),
        (requesting(headers={"Content-Length": "3"}), "request.headers"),
        (requesting(username=1), "request.username"),
        (requesting(password=["x"]), "request.password"),
    ],
)
def test_a_mistake_is_told_by_its_field(
    open_broker: EmbeddedBroker, document: dict[str, Any], field: str
) -> None:
    for method, path in (
        ("POST", "/webhooks"),
        ("POST", "/webhooks/execute"),
        ("PUT", "/webhooks/abcdefabcdef0009"),
    ):
        answer = open_broker.request(method, path, json=document)
        assert answer.status_code == 400, answer.text
        assert list(answer.json()["errors"]) == [field]


@pytest.mark.parametrize("body", ["", "[]", "null", '"x"', "1", "{", '{"a": NaN}', '"\\ud800"'])
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/webhooks"),
        ("POST", "/webhooks/execute"),
        ("PUT", "/webhooks/abcdefabcdef0009"),
        ("POST", "/pacts/provider/Bar/consumer/Foo/webhooks"),
        ("POST", "/secrets"),
    ],
)
def test_what_is_no_json_object_is_refused(
    open_broker: EmbeddedBroker, method: str, path: str, body: str
) -> None:
    for content_type, status in (("application/json", 400), ("text/plain", 415)):
        answer = open_broker.request(method, path, data=body, headers={"Content-Type": content_type})
        assert (answer.status_code, list(answer.json())) == (status, ["error"])


@pytest.mark.parametrize("uuid", ["short", "x" * 101, "with space 123456", "with.dot.1234567"])
def test_a_uuid_of_the_clients_own_has_a_form(open_broker: EmbeddedBroker, uuid: str) -> None:
    answer = open_broker.request("PUT", f"/webhooks/{uuid}", json=webhook(URL))
    assert (answer.status_code, list(answer.json()["errors"])) == (400, ["uuid"])


@pytest.mark.parametrize(
    "body", ["text ${pactbroker.consumerName}", "", {"a": [1, None, "é"]}, [1], 0, False, "<x/>", None]
)
def test_any_body_comes_back_as_it_was_put(open_broker: EmbeddedBroker, body: object) -> None:
    shown = create(open_broker, requesting(body=body))
    fetched = open_broker.get(f"/webhooks/{shown['uuid']}").json()
    assert fetched == shown
    assert fetched["request"].get("body") == body


def test_stars_keep_the_password_and_the_headers_and_null_removes_the_password(
    open_broker: EmbeddedBroker,
) -> None:
    with Target() as target:
        document = webhook(f"{target.url}/hook", headers={"X-Token": "tttt"}, username="u", password="pppp")
        shown = create(open_broker, document)
        path = f"/webhooks/{shown['uuid']}"
        assert shown["request"]["password"] == shown["request"]["headers"]["x-token"] == "**********"
        assert open_broker.request("PUT", path, json=shown).status_code == 200
        open_broker.request("POST", f"{path}/execute")
        bare = webhook(f"{target.url}/hook", headers={}, password=None)
        assert open_broker.request("PUT", path, json=bare).status_code == 200
        open_broker.request("POST", f"{path}/execute")
        kept, removed = target.wait_for(2)
    assert (kept.headers["x-token"], kept.headers["authorization"]) == ("tttt", "Basic dTpwcHBw")
    assert not {"x-token", "authorization"} & removed.headers.keys()


@pytest.mark.parametrize("given", [{}, {"password": ""}, {"password": "**********"}])
def test_a_put_keeps_a_password_that_it_leaves_out_as_a_real_broker_does(
    open_broker: EmbeddedBroker, given: dict[str, Any]
) -> None:
    shown = create(open_broker, webhook(URL, username="u", password="pppp"))
    path = f"/webhooks/{shown['uuid']}"
    again = open_broker.request("PUT", path, json=webhook(URL, username="other", **given)).json()
    assert (again["request"]["username"], again["request"]["password"]) == ("other", "**********")
    without = open_broker.request("PUT", path, json=webhook(URL, password=None)).json()
    assert not {"username", "password"} & without["request"].keys()
    later = open_broker.request("PUT", path, json=webhook(URL, username="other")).json()
    assert "password" not in later["request"]


def test_a_put_keeps_a_description_that_it_leaves_out_as_a_real_broker_does(
    open_broker: EmbeddedBroker,
) -> None:
    shown = create(open_broker, changed(description="mine"))
    path = f"/webhooks/{shown['uuid']}"
    document = changed()
    del document["description"]
    assert open_broker.request("PUT", path, json=document).json()["description"] == "mine"
    cleared = open_broker.request("PUT", path, json={**document, "description": None}).json()
    assert cleared["description"] == "POST 127.0.0.1"


def test_a_one_sided_webhook_is_for_all_pacts_of_that_side(
    broker_with_target: tuple[EmbeddedBroker, Target],
) -> None:
    broker, target = broker_with_target
    for name in ("Foo", "Bar", "Other"):
        broker.request("POST", "/pacticipants", json={"name": name})
    broker.request("PUT", "/pacticipants/Bar/labels/team-b", json={})
    create(broker, webhook(f"{target.url}/consumer"), "/webhooks/consumer/Foo")
    create(broker, webhook(f"{target.url}/provider"), "/webhooks/provider/Bar")
    create(broker, webhook(f"{target.url}/other"), "/webhooks/provider/Other")
    create(broker, {**webhook(f"{target.url}/label"), "provider": {"label": "team-b"}})
    create(broker, {**webhook(f"{target.url}/no-label"), "consumer": {"label": "team-b"}})
    create(broker, {**webhook(f"{target.url}/disabled"), "enabled": False})
    create(broker, webhook(f"{target.url}/event", "provider_verification_published"))
    broker.publish(example(), "1")
    wait_for(broker, all_are("success"))
    assert sorted(one.path for one in target.received) == ["/consumer", "/label", "/provider"]
    listed = broker.get("/webhooks/consumer/Foo").json()["_links"]["pb:webhooks"]
    assert [one["title"] for one in listed] == ["A webhook for all pacts with consumer Foo"]


@pytest.fixture
def broker_with_target(tmp_path: Any) -> Iterator[tuple[EmbeddedBroker, Target]]:
    with Target() as target, EmbeddedBroker(tmp_path, *OPEN) as broker:
        yield broker, target


def test_a_put_pact_triggers_as_a_published_one_does(
    broker_with_target: tuple[EmbeddedBroker, Target],
) -> None:
    broker, target = broker_with_target
    create(broker, webhook(f"{target.url}/hook", "contract_published", "contract_content_changed"))
    for version, events in (
        ("1", ["contract_content_changed", "contract_published"]),
        ("2", ["contract_published"]),
    ):
        before = len(target.received)
        path = f"/pacts/provider/Bar/consumer/Foo/version/{version}"
        assert broker.request("PUT", path, json=example()).status_code == 201
        received = target.wait_for(before + len(events))[before:]
        assert sorted(json.loads(one.body)["event"] for one in received) == events


def test_a_result_is_for_each_consumer_version_in_the_metadata(
    broker_with_target: tuple[EmbeddedBroker, Target],
) -> None:
    broker, target = broker_with_target
    broker.publish(example(), "1", branch="main")
    broker.publish(example(), "2", branch="feat")
    create(
        broker,
        webhook(
            f"{target.url}/hook", "provider_verification_failed", body="${pactbroker.consumerVersionNumber}"
        ),
    )
    selectors = {"consumerVersionSelectors": [{"branch": "main"}, {"branch": "feat"}]}
    found = broker.request("POST", "/pacts/provider/Bar/for-verification", json=selectors).json()
    (pact,) = found["_embedded"]["pacts"]
    results = f"{pact['_links']['self']['href']}/verification-results"
    answers = [
        broker.request("POST", results, json={"success": success, "providerApplicationVersion": "9"})
        for success in (True, False)
    ]
    assert sorted(one.body for one in target.wait_for(2)) == ["1", "2"]
    links = [answer.json()["_links"]["pb:triggered-webhooks"]["href"] for answer in answers]
    shown = [broker.get(link).json()["_embedded"]["triggeredWebhooks"] for link in links]
    assert [len(one) for one in shown] == [0, 2]
    assert wait_for(broker, all_are("success"))[0]["eventName"] == "provider_verification_failed"


def test_a_test_without_a_pact_uses_placeholders(broker_with_target: tuple[EmbeddedBroker, Target]) -> None:
    broker, target = broker_with_target
    answer = broker.request(
        "POST", "/webhooks/execute", json=webhook(f"{target.url}/hook", body=ALL_VARIABLES)
    )
    assert answer.json()["success"] is True
    sent = json.loads(target.wait_for(1)[0].body)
    assert (len(sent), sent["consumerName"]) == (20, "placeholder-consumer")
    assert "${" not in json.dumps(sent)


ALL_VARIABLES = {
    name: f"${{pactbroker.{name}}}"
    for name in (
        *("pactUrl", "consumerName", "providerName", "consumerVersionNumber", "providerVersionNumber"),
        *("consumerVersionBranch", "consumerVersionTags", "providerVersionBranch", "providerVersionTags"),
        *("providerVersionDescriptions", "consumerLabels", "providerLabels", "githubVerificationStatus"),
        *("bitbucketVerificationStatus", "gitlabVerificationStatus", "azureDevOpsVerificationStatus"),
        *("verificationResultUrl", "eventName", "buildUrl", "currentlyDeployedProviderVersionNumber"),
    )
}


def test_a_slow_test_does_not_hold_up_who_writes(broker_with_target: tuple[EmbeddedBroker, Target]) -> None:
    broker, target = broker_with_target
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(broker.request, "POST", "/webhooks/execute", json=webhook(f"{target.url}/slow"))
        target.wait_for(1)
        broker.publish(example(), "1")
        assert not slow.done()
        target.answer_the_slow()
        assert slow.result().json()["success"] is True
