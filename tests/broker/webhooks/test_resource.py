"""The client's side of webhooks against a real broker with accounts, and against answers that no broker gives."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from broker.client import BrokerClient
from broker.http.access import BrokerAccess
from broker.http.errors import BrokerError, BrokerRefused, NotFound, UnexpectedAnswer
from broker.webhooks import Webhooks
from broker.webhooks.definition import Party, Scope, Webhook, WebhookRequest
from broker.webhooks.triggered import TriggeredWebhooks
from broker.webhooks.user_secrets import NoSecrets, UserSecrets
from tests.broker.embedded.conftest import example
from tests.support.loopback import Loopback, Received, Reply
from tests.support.paths import EXCHANGES
from tests.support.processes import EmbeddedBroker
from tests.support.webhook_documents import OPEN, TIME_LIMIT
from tests.support.webhook_target import Target

if TYPE_CHECKING:
    from collections.abc import Iterator

ACCOUNTS = """
[[users]]
name = "ci"
password = "rw-passw0rd"
access = "read-write"

[[users]]
name = "dev"
password = "ro-passw0rd"
access = "read-only"
"""


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedBroker]:
    folder = tmp_path_factory.mktemp("webhooks")
    access = folder / "access.toml"
    access.write_text(ACCOUNTS)
    access.chmod(0o600)
    with EmbeddedBroker(folder, *OPEN, "--access", str(access), "--webhook-retry-seconds", "none") as broker:
        broker.session.auth = ("ci", "rw-passw0rd")
        broker.publish(example(), "1.0.0", "main")
        yield broker


@pytest.fixture
def client(running: EmbeddedBroker) -> Iterator[BrokerClient]:
    with BrokerClient(BrokerAccess(running.url, "ci", "rw-passw0rd"), retry_time=0) as made:
        yield made
        webhooks = Webhooks(made)
        for webhook in webhooks.all():
            webhooks.delete(webhook.uuid)


def webhook(name: str, scope: Scope, url: str = "http://127.0.0.1:9/x", **more: Any) -> Webhook:
    request = WebhookRequest(
        "POST", url, {"Authorization": "Bearer s3cret"}, {"a": "${pactbroker.eventName}"}
    )
    return Webhook(name.ljust(16, "-"), scope, more.pop("events", ("contract_published",)), request, **more)


# --- the resource


def test_a_webhook_is_created_then_replaced(client: BrokerClient) -> None:
    webhooks = Webhooks(client)
    wanted = webhook("one", Scope(None, Party(name="Bar")), description="first")
    written, created = webhooks.put(wanted)
    assert created
    assert written.request.headers == {"authorization": "**********"}
    again, created = webhooks.put(replace(wanted, description="second", enabled=False))
    assert not created
    assert (again.description, again.enabled) == ("second", False)
    assert webhooks.get(wanted.uuid) == again
    assert [one.uuid for one in webhooks.all()] == [wanted.uuid]


def test_what_a_webhook_leaves_out_is_gone_but_a_password_shown_as_stars_is_kept(
    client: BrokerClient,
) -> None:
    """A broker keeps what a PUT leaves out; the password of another target must not be among that."""
    webhooks = Webhooks(client)
    with Target() as first, Target() as second:
        one = webhook("one", Scope(), first.url, description="first")
        basic = replace(one.request, headers={}, username="ada", password="p4ssw0rd")
        written, _ = webhooks.put(replace(one, request=basic))
        kept, _ = webhooks.put(replace(written, enabled=False))
        assert kept.request.password == "**********"
        elsewhere = replace(one.request, headers={}, url=second.url, username="bob")
        gone, _ = webhooks.put(replace(one, request=elsewhere, description=None))
        webhooks.execute(one.uuid)
    assert gone.request.password is None
    assert gone.description == "POST 127.0.0.1"
    assert "cDRzc3cwcmQ" not in str(second.received[0].headers)


def test_those_that_cover_a_pair_and_an_event_are_found(
    running: EmbeddedBroker, client: BrokerClient
) -> None:
    running.request("PUT", "/pacticipants/Foo/labels/team-a", json={}).raise_for_status()
    webhooks = Webhooks(client)
    foo, bar = Party(name="Foo"), Party(name="Bar")
    for name, scope in {
        "pair": Scope(foo, bar),
        "provider": Scope(None, bar),
        "consumer": Scope(foo, None),
        "other-way": Scope(bar, foo),
        "label": Scope(Party(label="team-a"), bar),
        "other-label": Scope(Party(label="team-b"), bar),
        "all": Scope(),
    }.items():
        webhooks.put(webhook(name, scope))
    webhooks.put(webhook("failed", Scope(), events=("provider_verification_failed",)))

    def found(**query: str) -> set[str]:
        return {one.uuid.rstrip("-") for one in webhooks.matching(**query)}

    fires = {"pair", "provider", "consumer", "label", "all"}
    assert found(consumer="Foo", provider="Bar", event="contract_published") == fires
    assert found(consumer="Foo", provider="Bar") == fires | {"failed"}
    assert found(event="provider_verification_failed") == {"failed"}
    assert len(found()) == 8


def test_others_to_the_same_target_are_found(client: BrokerClient) -> None:
    webhooks = Webhooks(client)
    scope = Scope(None, Party(name="Bar"))
    for name in ("one", "two"):
        webhooks.put(webhook(name, scope))
    webhooks.put(webhook("elsewhere", scope, "http://127.0.0.1:9/y"))
    assert [one.uuid for one in webhooks.sent_to_same_target(webhook("one", scope))] == ["two".ljust(16, "-")]


def test_what_is_not_there_is_said_to_be_so(client: BrokerClient) -> None:
    webhooks = Webhooks(client)
    assert webhooks.find("nosuchwebhook-01") is None
    for ask in (webhooks.get, webhooks.delete, webhooks.execute):
        with pytest.raises(NotFound, match="no webhook nosuchwebhook-01"):
            ask("nosuchwebhook-01")


def test_who_may_only_read_can_write_nothing(running: EmbeddedBroker) -> None:
    with BrokerClient(BrokerAccess(running.url, "dev", "ro-passw0rd"), retry_time=0) as reader:
        webhooks = Webhooks(reader)
        assert webhooks.all() == []
        with pytest.raises(BrokerRefused, match="read-only user") as error:
            webhooks.put(webhook("one", Scope()))
    assert error.value.status == 401


def test_a_refused_field_is_named(client: BrokerClient) -> None:
    with pytest.raises(BrokerRefused, match=r"request\.url.*whitelist"):
        Webhooks(client).put(webhook("one", Scope(), "https://elsewhere.test/x"))


@pytest.mark.parametrize(("path", "success", "status"), [("/x", True, 200), ("/status/404", False, 404)])
def test_an_execution_says_what_was_sent_and_answered(
    client: BrokerClient, path: str, status: int, *, success: bool
) -> None:
    with Target() as target:
        webhooks = Webhooks(client)
        webhooks.put(webhook("one", Scope(), target.url + path, enabled=False))
        execution = webhooks.execute("one".ljust(16, "-"))
    assert (execution.success, execution.status) == (success, status)
    assert execution.line == f"POST {target.url}{path}"
    assert execution.headers["authorization"] == "**********"
    assert execution.body == {"a": "test"}
    assert execution.answer_body == {"answered": status}
    assert execution.answer_headers["x-target"] == "listener"


def test_an_execution_without_an_answer_says_why(client: BrokerClient) -> None:
    webhooks = Webhooks(client)
    webhooks.put(webhook("one", Scope()))
    execution = webhooks.execute("one".ljust(16, "-"))
    assert (execution.success, execution.status) == (False, None)
    assert "refused" in (execution.error or "")


def test_hidden_headers_are_kept_by_brokers_that_are_known_for_it(client: BrokerClient) -> None:
    assert Webhooks(client).keeps_hidden_values()
    for version, keeps in {"2.120.0": True, "3.0.1": True, "2.99.9": False, "x": False}.items():
        reply = Reply(body={"_links": {}}, headers={"X-Pact-Broker-Version": version})
        with Loopback(reply) as server, BrokerClient(BrokerAccess(server.url)) as other:
            assert Webhooks(other).keeps_hidden_values() is keeps
    with Loopback(Reply(body={"_links": {}})) as server, BrokerClient(BrokerAccess(server.url)) as other:
        assert not Webhooks(other).keeps_hidden_values()


# --- deliveries


def test_deliveries_are_told_with_their_attempts(running: EmbeddedBroker, client: BrokerClient) -> None:
    triggered = TriggeredWebhooks(client)
    with Target() as target:
        webhooks = Webhooks(client)
        scope = Scope(None, Party(name="Bar"))
        good, bad, gone = (name.ljust(16, "-") for name in ("good", "bad", "gone"))
        webhooks.put(webhook("good", scope, target.url + "/x"))
        webhooks.put(webhook("bad", scope, target.url + "/status/500"))
        webhooks.put(webhook("gone", scope))
        running.publish(example(), "2.0.0", "main")
        target.wait_for(2)
        deadline = time.monotonic() + TIME_LIMIT
        while {one.status for one in triggered.latest("Foo", "Bar")} != {"success", "failure"}:
            assert time.monotonic() < deadline
    found = {one.webhook_uuid: one for one in triggered.of_version("Foo", "Bar", "2.0.0")}
    assert set(found) == {good, bad, gone}
    assert {uuid: one.status for uuid, one in found.items()} == {
        good: "success",
        bad: "failure",
        gone: "failure",
    }
    assert {one.event for one in found.values()} == {"contract_published"}
    assert [(a.success, a.status, a.error) for a in found[good].attempts] == [(True, 200, None)]
    assert [(a.success, a.status, a.error) for a in found[bad].attempts] == [(False, 500, None)]
    [attempt] = found[gone].attempts
    assert attempt.status is None
    assert "refused" in (attempt.error or "")
    assert "s3cret" not in attempt.logs
    assert [one.webhook_uuid for one in triggered.latest("Foo", "Bar", webhook=bad)] == [bad]
    assert triggered.pairs() == triggered.pairs("Foo") == triggered.pairs(None, "Bar") == [("Foo", "Bar")]
    assert triggered.pairs("Bar") == []
    with pytest.raises(NotFound):
        triggered.latest("Foo", "Nope")


def test_the_logs_of_a_real_broker_are_read() -> None:
    def recorded(name: str) -> Any:
        return json.loads((EXCHANGES / "webhooks" / f"{name}.json").read_text(encoding="utf-8"))["response"][
            "body"
        ]

    def answer(request: Received) -> Reply:
        what = "logs" if request.path.endswith("/logs") else "status"
        document = recorded(f"11{4 if what == 'logs' else 3}-retry-default-{what}-while-retrying")
        text = json.dumps(document).replace("http://127.0.0.1:9296", server.url)
        return Reply(body=text, headers={"Content-Type": "application/hal+json"})

    with Loopback(answer) as server, BrokerClient(BrokerAccess(server.url)) as client:
        [found] = TriggeredWebhooks(client).latest("RetryCon", "RetryProv")
    assert found.status == "retrying"
    assert found.attempts_remaining
    assert found.webhook_uuid == "sBgBZrq8YT-r3w7l_xQRSQ"
    assert {(attempt.success, attempt.status) for attempt in found.attempts} == {(False, 500)}
    assert found.attempts[0].at == "2026-11-21T22:36:32+00:00"


# --- secrets


def test_a_secret_is_created_then_given_another_value(running: EmbeddedBroker, client: BrokerClient) -> None:
    secrets = UserSecrets(client)
    assert secrets.find("githubToken") is None
    assert secrets.put("githubToken", "ghp_1", "for tests")
    assert not secrets.put("githubToken", "ghp_2", "for tests")
    found = secrets.find("githubToken")
    assert found is not None
    assert found.description == "for tests"
    assert "ghp_" not in running.get("/secrets").text


def test_a_broker_without_secrets_says_so() -> None:
    missing = Reply(404, {"error": "The requested document was not found on this server."})
    with Loopback(missing) as server, BrokerClient(BrokerAccess(server.url)) as client:
        for ask in (lambda: UserSecrets(client).all(), lambda: UserSecrets(client).put("a", "b", "c")):
            with pytest.raises(NoSecrets, match="no secrets"):
                ask()


# --- answers that no broker gives


HOSTILE = {
    "a page": Reply(body="<html>sign in</html>", headers={"Content-Type": "text/html"}),
    "not JSON": Reply(body="{", headers={"Content-Type": "application/hal+json"}),
    "nothing": Reply(200),
    "a list": Reply(body=[]),
    "no links": Reply(body={}),
    "links that are none": Reply(body={"_links": [1]}),
    "elsewhere": Reply(
        body={"_links": {rel: {"href": "http://192.0.2.1/x"} for rel in ("pb:webhook", "pb:webhooks")}}
    ),
}


@pytest.mark.parametrize("reply", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_answer_is_an_error_with_a_reason(reply: Reply) -> None:
    with Loopback(reply) as server, BrokerClient(BrokerAccess(server.url), retry_time=0) as client:
        for ask in (
            lambda: Webhooks(client).all(),
            lambda: Webhooks(client).get("0123456789abcdef"),
            lambda: TriggeredWebhooks(client).latest("Foo", "Bar"),
            lambda: TriggeredWebhooks(client).pairs(),
            lambda: UserSecrets(client).all(),
        ):
            with pytest.raises(BrokerError) as error:
                ask()
            assert str(error.value)


def test_an_execution_that_tells_nothing_is_an_error() -> None:
    document = json.loads((EXCHANGES / "webhooks" / "12-webhook-get.json").read_text(encoding="utf-8"))[
        "response"
    ]["body"]

    def answer(request: Received) -> Reply:
        if request.path == "/":
            return Reply(body={"_links": {"pb:webhook": {"href": f"{server.url}/webhooks/{{uuid}}"}}})
        return Reply(body={"success": "yes"} if request.method == "POST" else document)

    with (
        Loopback(answer) as server,
        BrokerClient(BrokerAccess(server.url)) as client,
        pytest.raises(UnexpectedAnswer, match="what came of the webhook"),
    ):
        Webhooks(client).execute("0123456789abcdef")
