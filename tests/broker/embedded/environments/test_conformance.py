"""Exchanges recorded from a real Pact Broker 2.120.0 about environments, deployments, labels and access, replayed.

Names that differ (hashes, UUIDs, the metadata of URLs, times, hosts) must stand for the same thing throughout. What a
real broker has beyond this one is in `NOT_HERE`: badges, metrics, lists of pacts by branch, and documentation pages.
"""

from __future__ import annotations

import base64
import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from tests.broker.embedded.test_accounts import write
from tests.support.paths import EXCHANGES
from tests.support.processes import EmbeddedBroker

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

RECORDED = {path.name.partition("-")[0]: path for path in (EXCHANGES / "deployments").glob("*.json")}
DEPLOYING = ("79", "80", "82", "197", "195", "256", "255", "253", "281b")
ACCESSING = ("220", "221", "222", "223", "224", "225", "226", "233", "235", "236", "237", "238")

NOT_HERE = {
    "curies",
    "pb:branch-pact-versions",
    "pb:can-i-deploy-badge",
    "pb:can-i-deploy-branch-to-environment-badge",
    "pb:latest-branch-pact-versions",
    "pb:latest-main-branch-pact-versions",
    "pb:latest-provider-pacts-with-branch",
    "pb:latest-provider-pacts-with-main-branch",
    "pb:main-branch-pact-versions",
    "pb:metrics",
    "pb:provider-pacts-with-branch",
    "pb:provider-pacts-with-main-branch",
    "pb:provider-pacts-with-tag",
    "pb:tagged-pact-versions",
    # Listed by what the webhooks' tests replay.
    "pb:webhook",
    "pb:webhooks",
    "pb:secrets",
}
# Notices and logs of a publication: the webhooks' tests replay them.
PUBLISHED = {"notices", "logs"}

NAME = re.compile(
    r"(?P<uuid>[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})"
    r"|(?P<sha>\b[0-9a-f]{40}\b)"
    r"|(?<=/metadata/)(?P<metadata>[A-Za-z0-9_-]+)"
)
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00")
HOST = re.compile(r"http://127\.0\.0\.1:929[23]")

ACCOUNTS = """
[[users]]
name = "rw"
password = "rwpass"
access = "read-write"

[[users]]
name = "ro"
password = "ropass"
access = "read-only"
"""


class Replay:
    """A broker that recorded requests are sent to, and what the recorded names are called there."""

    def __init__(self, broker: EmbeddedBroker) -> None:
        self.broker = broker
        self._ours: dict[str, str] = {}

    def send(self, exchange: str) -> None:
        """Send a recorded request, and compare the answer."""
        recorded = json.loads(RECORDED[exchange].read_text())
        request, expected = recorded["request"], recorded["response"]
        body = request.get("body")
        answer = self.broker.request(
            request["method"],
            NAME.sub(lambda match: self._ours.get(match[0], match[0]), request["path"]),
            headers=request["headers"],
            data=None if body is None else (body if isinstance(body, str) else json.dumps(body)).encode(),
        )
        assert answer.status_code == expected["status"], (exchange, answer.text)
        for name, value in expected["headers"]:
            self._compare(value, answer.headers.get(name), f"{exchange}: {name}")
        self._compare(expected["body"], answer.json() if answer.text else "", exchange)

    def _compare(self, recorded: Any, ours: Any, where: str) -> None:
        if isinstance(recorded, dict):
            assert isinstance(ours, dict), where
            recorded, ours = _without(recorded), _without(ours)
            assert recorded.keys() == ours.keys(), where
            for key, value in recorded.items():
                self._compare(value, ours[key], f"{where}.{key}")
        elif isinstance(recorded, list):
            assert isinstance(ours, list), where
            assert len(recorded) == len(ours), (where, recorded, ours)
            for index, pair in enumerate(zip(recorded, ours, strict=True)):
                self._compare(*pair, f"{where}[{index}]")
        elif isinstance(recorded, str):
            assert isinstance(ours, str), (where, recorded, ours)
            assert _shape(HOST.sub("<base>", recorded)) == _shape(ours.replace(self.broker.url, "<base>")), (
                where
            )
            for match, our_match in zip(NAME.finditer(recorded), NAME.finditer(ours), strict=True):
                if not match["metadata"]:
                    assert self._ours.setdefault(match[0], our_match[0]) == our_match[0], where
        else:
            assert recorded == ours, where


def _without(document: dict[str, Any]) -> dict[str, Any]:
    left_out = NOT_HERE | (PUBLISHED if "logs" in document else set())
    return {key: value for key, value in document.items() if key not in left_out}


def _shape(text: str) -> str:
    return TIME.sub("<time>", NAME.sub(lambda match: f"<{match.lastgroup}>", text))


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[EmbeddedBroker]:
    file = write(tmp_path / "access.toml", ACCOUNTS)
    with EmbeddedBroker(tmp_path, "--access", str(file)) as running:
        yield running


def test_every_exchange_is_replayed() -> None:
    assert {*DEPLOYING, *ACCESSING} == RECORDED.keys()


def test_deployments_are_recorded_and_asked_for_as_in_the_recording(
    broker: EmbeddedBroker, pact: dict[str, Any]
) -> None:
    broker.publish(pact, "1.3.1", branch="main")
    broker.publish({**pact, "consumer": {"name": "Con2"}, "provider": {"name": "Prov2"}}, "2")
    for version in ("abc123", "abc124"):
        broker.request("PUT", f"/pacticipants/Bar/branches/main/versions/{version}")
        broker.request("PUT", f"/pacticipants/Bar/versions/{version}")
    assert broker.request("POST", "/environments", json={"name": "production", "production": True}).ok
    replay = Replay(broker)
    for exchange in DEPLOYING:
        if exchange == "253":  # the recorded broker has a later version and a label by now
            broker.request("PUT", "/pacticipants/Foo/versions/8.0.0")
            broker.request("PUT", "/pacticipants/Foo/labels/team-a")
        replay.send(exchange)


def test_access_is_given_and_refused_as_in_the_recording(guarded: EmbeddedBroker) -> None:
    replay = Replay(guarded)
    for exchange in ACCESSING:
        if exchange == "236":  # the recorded broker got a second version, for a webhook
            contract = json.loads(RECORDED["226"].read_text())["request"]["body"]["contracts"][0]
            guarded.session.auth = ("rw", "rwpass")
            guarded.publish(json.loads(base64.b64decode(contract["content"])), "2", branch="main")
            guarded.session.auth = None
        replay.send(exchange)
