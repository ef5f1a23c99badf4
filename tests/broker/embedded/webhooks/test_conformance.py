"""The exchanges about webhooks recorded from a real Pact Broker 2.120.0, and what it delivered, held against this one.

Known differences: hashes, ids, times, ports and the user agent are ours; where the real one answers 500, a reason is
expected; a refused connection and a target that is silent are told of in other words; status links start with the base
URL like all others. Not replayed: 116, all deliveries of the default schedule, which takes 40 minutes (its times are
compared with the default settings), and 263 and 263b, the diff of two pacts as text, which this broker doesn't have.
"""

from __future__ import annotations

import base64
import json
import re
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import pytest

from broker.embedded.deliveries.http_request import USER_AGENT
from tests.broker.embedded.environments.test_conformance import ACCOUNTS
from tests.broker.embedded.test_accounts import write
from tests.support.comparison import RECORDED_BASE, Dictionary
from tests.support.paths import EXCHANGES
from tests.support.processes import TIME_LIMIT, EmbeddedBroker
from tests.support.webhook_target import Target

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

RECORDED = {
    path.name.partition("-")[0]: path
    for folder in ("deployments", "pacts", "webhooks")
    for path in (EXCHANGES / folder).glob("*.json")
}
OPTIONS = (
    *("--webhook-hosts", "127.0.0.1,localhost", "--webhook-schemes", "http,https"),
    *("--webhook-methods", "POST,PUT,GET", "--webhook-retry-seconds", "0.05,600,600,600,600,600"),
)
RECORDED_TARGET = "127.0.0.1:9480"
OTHER_BASES = re.compile(r"https://broker\.example\.org/pacts-here|http://127\.0\.0\.1:929[346]")

# A real broker fails where it should refuse.
REFUSED_HERE = {"36": 400, "122": 400, "123": 400, "143": 415, "144": 415}

# What differs on purpose, or by its nature, in a text on either side.
MASKS: list[tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]]] = [
    (re.compile(r"\[\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\]"), "[time]"),
    (re.compile(r'(content-length"?: ?"?)\d+', re.IGNORECASE), r"\1N"),
    (re.compile(r"Retrying webhook in [\d.]+ seconds"), "Retrying webhook in N seconds"),
    (re.compile(re.escape("Pact Broker v2.120.0")), USER_AGENT),
    (re.compile(r"Errno::ECONNREFUSED - "), "ConnectionRefusedError - "),
    (re.compile(r" - connect\(2\) for 127\.0\.0\.1:9"), ""),
    (re.compile(r"(Net::ReadTimeout - )?Net::ReadTimeout with #<Socket:\(closed\)>"), "silent"),
    (re.compile(r"(ReadTimeout - )?No answer within 0.5 seconds"), "silent"),
    (re.compile(r"http%3A[^\s\"\\]*"), lambda match: unquote(match[0])),
]
UUID = re.compile(r"triggered-webhooks/([0-9a-f-]{36})")


class Replay:
    """A broker, a target, and what is called how on either side."""

    def __init__(self, broker: EmbeddedBroker, target: Target, base: str | None = None) -> None:
        self.broker = broker
        self.target = target
        self.dictionary = Dictionary(base or broker.url, with_webhooks=True)
        self.expected = 0
        self._ours = {RECORDED_TARGET: f"127.0.0.1:{target.port}"}

    def run(self, steps: list[Any]) -> None:
        """Take the steps, and fail with all differences."""
        problems: dict[str, list[str]] = {}
        for step in steps:
            if not isinstance(step, str):
                step(self)
            elif found := self.replay(step):
                problems[RECORDED[step].stem] = found
        if problems:
            pytest.fail("\n".join(f"{name}\n  " + "\n  ".join(found) for name, found in problems.items()))
        assert len(self.target.received) == self.expected

    def replay(self, exchange: str) -> list[str]:
        """Send a recorded request, and return how the answer and the deliveries differ from the recorded ones."""
        recorded = read(exchange)
        request, expected = recorded["request"], recorded["response"]
        body = request.get("body")
        text = body if isinstance(body, str) else json.dumps(body)
        headers = dict(request["headers"])
        headers.setdefault("Content-Type", "")
        answer = self.broker.request(
            request["method"],
            self.translate(request["path"]),
            headers={name: value for name, value in headers.items() if value},
            data=None if body is None else self.translate(text).encode(),
        )
        if exchange in REFUSED_HERE:
            assert answer.json().keys() & {"error", "errors"}
            return [] if answer.status_code == REFUSED_HERE[exchange] else [f"status {answer.status_code}"]
        if answer.status_code != expected["status"]:
            return [f"status {expected['status']} != {answer.status_code}: {answer.text}"]
        wanted = self.learn(expected["body"], answer)
        wanted_headers = (
            {
                name: self.own(value)
                for name, value in expected["headers"]
                if name.lower() in {"location", "content-type", "allow"}
            }
            if isinstance(expected["headers"], list)
            else {}
        )
        ours = {name: value for name in wanted_headers if (value := answer.headers.get(name)) is not None}
        if answer.status_code in {204, 200} and not answer.text:
            wanted_headers, ours = {}, {}
        for both in (wanted_headers, ours):
            if "allow" in both:
                both["allow"] = " ".join(sorted(set(re.findall(r"\w+", both["allow"])) - {"HEAD"}))
        content = mask(answer.json()) if answer.text else ""
        found = self.dictionary.differences(
            {"headers": wanted_headers, "body": mask(wanted)}, {"headers": ours, "body": content}
        )
        return found + self.deliveries(recorded.get("webhook_requests", []))

    def deliveries(self, recorded: list[dict[str, Any]]) -> list[str]:
        """Wait for as many deliveries as were recorded, and return how they differ."""
        ours = self.target.wait_for(self.expected + len(recorded))[self.expected :]
        self.expected += len(ours)
        expected = sorted(
            (
                {
                    "line": self.own(one["request_line"]),
                    "headers": {name.lower(): value for name, value in one["headers"]},
                    "body": self.own(one["body"]),
                }
                for one in recorded
            ),
            key=order,
        )
        received = sorted(
            ({"line": one.line, "headers": one.headers, "body": one.body} for one in ours), key=order
        )
        for one in (*expected, *received):
            one["headers"] = {k: v for k, v in one["headers"].items() if k not in {"host", "content-length"}}
        return self.dictionary.differences(mask(expected), mask(received), "deliveries")

    def learn(self, body: Any, answer: Any) -> Any:
        """Learn what the webhooks in an answer are called here, and return the recorded body in our names."""
        if isinstance(body, dict) and "uuid" in body:
            self._ours.setdefault(body["uuid"], answer.json()["uuid"])
        pairs = zip(UUID.findall(json.dumps(body)), UUID.findall(answer.text), strict=False)
        for recorded, ours in pairs:
            self._ours.setdefault(recorded, ours)
        return self.own(body)

    def translate(self, text: str) -> str:
        """Return a recorded request in our names."""
        return self.dictionary.translate(self.own(text))

    def own(self, value: Any) -> Any:
        """Return a recorded value with our names for the target and the webhooks."""
        text = json.dumps(value)
        for recorded, ours in self._ours.items():
            text = text.replace(recorded, ours)
        return json.loads(text)

    def call(self, recorded_uuid: str, uuid: str) -> None:
        """Remember what a webhook that no exchange created is called here."""
        self._ours[recorded_uuid] = uuid


def order(request: dict[str, Any]) -> tuple[str, str, str]:
    body = request["body"]
    named = re.search(r'"providerVersionNumber":"([^"]*)"', body)
    return request["line"], named[1] if named else "", body


def mask(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: "N" if key == "content-length" else mask(item) for key, item in value.items()}
    if isinstance(value, list):
        return [mask(item) for item in value]
    if isinstance(value, str):
        for pattern, written in MASKS:
            value = pattern.sub(written, value)
    return value


def read(exchange: str) -> dict[str, Any]:
    text = OTHER_BASES.sub(RECORDED_BASE, RECORDED[exchange].read_text())
    recorded: dict[str, Any] = json.loads(text)
    if isinstance(recorded["response"]["body"], dict):
        recorded["response"]["body"].get("_links", {}).pop("curies", None)
    return recorded


def pact_of(exchange: str) -> dict[str, Any]:
    contract = read(exchange)["request"]["body"]["contracts"][0]
    pact: dict[str, Any] = json.loads(base64.b64decode(contract["content"]))
    return pact


def publish_as(exchange: str, version: str) -> Callable[[Replay], None]:
    return lambda replay: void(replay.broker.publish(pact_of(exchange), version, branch="main"))


def void(_: object) -> None:
    pass


def learn_sha(version: str, recorded: str) -> Callable[[Replay], None]:
    def run(replay: Replay) -> None:
        pact = replay.broker.get(f"/pacts/provider/Bar/consumer/Foo/version/{version}").json()
        assert not replay.dictionary.differences(recorded, pact["_links"]["pb:pact-version"]["name"])

    return run


def settled(provider: str = "Bar", consumer: str = "Foo", attempts: int = 1) -> Callable[[Replay], None]:
    """Wait until the outcome of the attempts is stored."""

    def run(replay: Replay) -> None:
        deadline = time.monotonic() + TIME_LIMIT
        while True:
            status = replay.broker.get(
                f"/pacts/provider/{provider}/consumer/{consumer}/webhooks/status"
            ).json()
            triggered = status["_embedded"]["triggeredWebhooks"]
            if triggered and all(one["attemptsMade"] >= attempts for one in triggered):
                return
            assert time.monotonic() < deadline, status

    return run


def deliveries(count: int) -> Callable[[Replay], None]:
    """Wait for deliveries that aren't compared."""

    def run(replay: Replay) -> None:
        replay.expected += count
        replay.target.wait_for(replay.expected)

    return run


def created(recorded_uuid: str, path: str, like: str = "11", **changes: Any) -> Callable[[Replay], None]:
    """Create a webhook whose creation wasn't recorded."""

    def run(replay: Replay) -> None:
        document = replay.own(read(like)["request"]["body"])
        url = path if path.startswith("http") else f"{replay.target.url}{path}"
        document = {**document, "consumer": {"name": "Foo"}, "provider": {"name": "Bar"}, **changes}
        document["request"]["url"] = url
        answer = replay.broker.request("POST", "/webhooks", json=document)
        assert answer.status_code == 201, answer.text
        replay.call(recorded_uuid, answer.json()["uuid"])

    return run


def deleted(recorded_uuid: str) -> Callable[[Replay], None]:
    return lambda replay: void(replay.broker.request("DELETE", f"/webhooks/{replay.own(recorded_uuid)}"))


def tried(exchange: str, path: str) -> list[Any]:
    """Create a webhook, execute it as recorded, and delete it."""
    uuid = read(exchange)["request"]["path"].split("/")[2]
    return [created(uuid, path), exchange, deleted(uuid)]


def deploy(version: str) -> Callable[[Replay], None]:
    def run(replay: Replay) -> None:
        environments = replay.broker.get("/environments").json()["_embedded"]["environments"]
        if not environments:
            document = {"name": "production", "displayName": "Production", "production": True}
            made = replay.broker.request("POST", "/environments", json=document)
            assert made.status_code == 201, made.text
            environments = [made.json()]
        path = f"/pacticipants/Bar/versions/{version}/deployed-versions/environment/{environments[0]['uuid']}"
        assert replay.broker.request("POST", path, json={}).status_code == 201

    return run


def label_team_a(replay: Replay) -> None:
    answer = replay.broker.request(
        "POST",
        "/webhooks",
        json={
            **replay.own(read("11")["request"]["body"]),
            "consumer": {"label": "team-a"},
            "provider": {"name": "Bar"},
        },
    )
    assert answer.status_code == 201
    assert answer.json()["consumer"] == {"label": "team-a"}
    replay.call("IzLq34RIDsru6ehKtBK9bQ", answer.json()["uuid"])
    assert replay.broker.request("PUT", "/pacticipants/Foo/labels/team-a", json={}).status_code in {200, 201}


def everything_deleted(replay: Replay) -> None:
    for one in replay.broker.get("/webhooks").json()["_links"]["pb:webhooks"]:
        assert replay.broker.request("DELETE", one["href"]).status_code == 204


def capital_authorization(value: str) -> Callable[[Replay], None]:
    """Put the webhook again with its header in capitals: stars where the value is the one it has."""

    def run(replay: Replay) -> None:
        document = replay.own(read("240")["request"]["body"])
        shown = "**********" if value == "Bearer abc" else value
        document["request"]["headers"] = {"Authorization": shown, "Content-Type": "application/json"}
        path = replay.own("/webhooks/1r3nQChG58gPQ0N_dgNrWQ")
        assert replay.broker.request("PUT", path, json=document).status_code == 200

    return run


def verified(exchange: str, uuid: str, event: str) -> list[Any]:
    """Create the webhook for an event, and publish the recorded result."""
    return [created(uuid, f"/{event}", like="50", events=[{"name": event}]), exchange, deleted(uuid)]


def create_lonely(replay: Replay) -> None:
    assert replay.broker.request("POST", "/pacticipants", json={"name": "Lonely"}).status_code == 201


def first_of_con2(replay: Replay) -> None:
    pact = pact_of("94")
    pact["interactions"][0]["response"]["status"] = 200
    replay.broker.publish(pact, "1", branch="main")


STEPS: list[Any] = [
    *("04", "11", "12", "13", "14", "15", "15b", "16", "17"),
    learn_sha("1.0.1", "064eb4c2794e8c5085f70b684ba5fa29c6b5b08b"),
    settled(),
    *("18", "19", "20", "21"),
    publish_as("17", "1.0.2"),
    *("23", "24", "25", "26", "27", "29", "30", "31", "32", "33"),
    learn_sha("1.0.5", "4285a600c0e58ce330f1d102dfe3d87a553a4f3e"),
    *("34", "35", "36", "37", "38", "40", "41", "43"),
    *("50", "51", "53", "59", "60"),
    *("70", "71", "72", "73", "74"),
    publish_as("74", "1.1.1"),
    deliveries(1),
    learn_sha("1.1.1", "9d2cc0c1cbe9dd884d3333c9191529c3e12707a9"),
    *("76", "77"),
    deploy("abc123"),
    "81",
    deploy("abc124"),
    "83",
    created("noG3n-wApLL4jajh2UqWzQ", "/cc", like="50", events=[{"name": "contract_content_changed"}]),
    *("85", "86", "87", "88", "89", "90", "91"),
    first_of_con2,
    *("93", "94"),
    *("110", "111", "112"),
    deliveries(2),
    settled("RetryProv", "RetryCon", attempts=2),
    *("113", "114", "115"),
    deleted("sBgBZrq8YT-r3w7l_xQRSQ"),
    *(
        "120",
        "122",
        "123",
        "124",
        "125",
        "128",
        "131",
        "132",
        "133",
        "134",
        "135",
        "136",
        "137",
        "138",
        "139",
    ),
    *("140", "141", "142", "143", "144", "145", "146", "147", "148", "150", "155", "156", "157"),
    label_team_a,
    *("159", "161", "162", "164", "165"),
    *tried("170", "/status/500/x"),
    *tried("171", "/status/404"),
    *tried("172", "/status/204"),
    *tried("173", "/redirect"),
    *tried("174", "http://127.0.0.1:9"),
    *tried(
        "177", "/t/${pactbroker.consumerName}/${pactbroker.consumerVersionNumber}?u=${pactbroker.pactUrl}"
    ),
    "179",
    create_lonely,
    "180",
    everything_deleted,
    *("240", "241", "242"),
    capital_authorization("Bearer abc"),
    "244",
    capital_authorization("Bearer new"),
    *("246", "247"),
    publish_as("90", "1.4.0"),
    *("271", "272"),
    *verified("273", "qQhXkS0NAV0yXQyf8g3bXA", "provider_verification_succeeded"),
    *verified("274", "qQhXkS0NAV0yXQyf8g3bXB", "provider_verification_failed"),
]


REPLACED = "J0u31LUjqAdDQ43Ukv5JJA"


def publish_2(replay: Replay) -> None:
    pact = pact_of("200")
    pact["interactions"][0]["response"]["status"] = 201
    replay.broker.publish(pact, "2 é+&", branch="feat/é x", build_url="https://ci.example.org/builds/2 é+&")


def publish_5(replay: Replay) -> None:
    pact = pact_of("200")
    pact["interactions"][0]["response"]["status"] = 204
    replay.broker.publish(pact, "5", branch="main", build_url="https://ci.example.org/builds/5")


def sent_to(path: str, *steps: Any) -> list[Any]:
    """Take steps while there is a webhook for a target; whose creation and deletion weren't recorded."""
    pair: dict[str, Any] = {"consumer": {"name": "Foo Consumer"}, "provider": {"name": "Bar/Provider"}}
    return [created(REPLACED, path, **pair), *steps, deleted(REPLACED)]


WITH_BASE_URL: list[Any] = [
    *("214", "200", "201"),
    publish_2,
    deliveries(4),
    settled("Bar%2FProvider", "Foo%20Consumer", attempts=4),
    *("203", "204", "205"),
    deleted(REPLACED),
    *sent_to("/status/404", "206"),
    *sent_to("/redirect", "207"),
    *sent_to(
        "http://127.0.0.1:9/",
        publish_5,
        settled("Bar%2FProvider", "Foo%20Consumer", attempts=4),
        "209",
        "210",
    ),
    *sent_to("http://127.0.0.1:9/", "211"),
    "213",
]
GUARDED = ("226", "227", "228", "230", "232")


def test_answers_and_deliveries_are_those_of_a_real_broker(tmp_path: Path) -> None:
    with Target() as target, EmbeddedBroker(tmp_path, *OPTIONS) as broker:
        Replay(broker, target).run(STEPS)


def test_a_silent_target_is_told_of_as_recorded(tmp_path: Path) -> None:
    # the time itself, 15 s, is the default of WebhookSettings
    with Target() as target, EmbeddedBroker(tmp_path, *OPTIONS, webhook_timeout=0.5) as broker:
        Replay(broker, target).run([publish_as("90", "1.3.1"), *tried("176", "/slow")])


def test_webhooks_are_made_and_fire_behind_credentials_as_recorded(tmp_path: Path) -> None:
    accounts = write(tmp_path / "access.toml", ACCOUNTS)
    with Target() as target, EmbeddedBroker(tmp_path, *OPTIONS, "--access", str(accounts)) as broker:
        Replay(broker, target).run(list(GUARDED))


def test_base_url_names_and_the_end_of_retries_are_as_recorded(tmp_path: Path) -> None:
    base = "https://broker.example.org/pacts-here"
    options = (*OPTIONS, "--webhook-retry-seconds", "0.01,0.02,0.03", "--base-url", base)
    with Target() as target, EmbeddedBroker(tmp_path, *options) as broker:
        Replay(broker, target, base).run(WITH_BASE_URL)


def test_every_exchange_is_replayed() -> None:
    ours = {path.name.partition("-")[0] for path in (EXCHANGES / "webhooks").glob("*.json")}
    taken = {step for step in (*STEPS, *WITH_BASE_URL, *GUARDED, "176") if isinstance(step, str)}
    assert ours - taken == set()
