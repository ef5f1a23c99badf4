"""The exchanges recorded from a real Pact Broker 2.120.0, replayed in their order against this one.

Between some of them the recording has changes that aren't part of it; they are made here, as named steps.
Known differences, all in `comparison.py` or `DIFFERENCES`: what belongs to deployments, labels, diffs and
documentation pages is left out, and the notices of webhooks are (they have `test_webhook_conformance.py`); hashes,
ids and times are ours.
"""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.comparison import Dictionary
from tests.support.paths import EXCHANGES
from tests.support.processes import EmbeddedBroker

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

RECORDED = {path.name.partition("-")[0]: path for path in (EXCHANGES / "pacts").glob("*.json")}


def publish_as(exchange: str, version: str) -> Callable[[EmbeddedBroker, Dictionary], None]:
    """Publish the content of a recorded publication again, as another version on main."""

    def run(broker: EmbeddedBroker, _: Dictionary) -> None:
        contract = read(exchange)["request"]["body"]["contracts"][0]
        pact = json.loads(base64.b64decode(contract["content"]))
        broker.publish(pact, version, branch="main")

    return run


def learn_sha(version: str, recorded: str) -> Callable[[EmbeddedBroker, Dictionary], None]:
    """Learn what the recorded hash of Foo's pact is here, where no recorded answer has told it."""

    def run(broker: EmbeddedBroker, dictionary: Dictionary) -> None:
        pact = broker.get(f"/pacts/provider/Bar/consumer/Foo/version/{version}").json()
        assert not dictionary.differences(recorded, pact["_links"]["pb:pact-version"]["name"])

    return run


def publish_con2_first(broker: EmbeddedBroker, _: Dictionary) -> None:
    contract = read("94")["request"]["body"]["contracts"][0]
    pact = json.loads(base64.b64decode(contract["content"]))
    pact["interactions"][0]["response"]["status"] = 200
    broker.publish(pact, "1", branch="main")


def create_lonely(broker: EmbeddedBroker, _: Dictionary) -> None:
    answer = broker.request("POST", "/pacticipants", json={"name": "Lonely", "mainBranch": "main"})
    assert answer.status_code == 201


def delete_pact_of_8(broker: EmbeddedBroker, _: Dictionary) -> None:
    answer = broker.request("DELETE", "/pacts/provider/Bar/consumer/Foo/version/8.0.0")
    assert answer.status_code == 200


def main_first(body: dict[str, Any]) -> None:
    """Put the recorded branches into the order in which the steps here put versions on them."""
    for branches in (body["_embedded"]["branches"], body["_links"]["pb:branches"]):
        branches.sort(key=lambda branch: ["main", "feat/y", "feat/x"].index(branch["name"]))
    for branch in body["_embedded"]["branches"]:
        branch["updatedAt"] = branch["createdAt"]


STEPS: list[str | Callable[[EmbeddedBroker, Dictionary], None]] = [
    *("01", "02", "149", "04", "05", "06", "07", "08", "09", "10", "17"),
    learn_sha("1.0.1", "064eb4c2794e8c5085f70b684ba5fa29c6b5b08b"),
    "21",
    publish_as("17", "1.0.2"),
    *("23", "24", "33", "51", "52", "53", "57", "60b", "61", "62", "63", "64", "65", "66", "67", "68"),
    *("70", "71", "72", "74"),
    publish_as("74", "1.1.1"),
    learn_sha("1.1.1", "9d2cc0c1cbe9dd884d3333c9191529c3e12707a9"),
    *("76", "77", "81", "83", "85", "90"),
    publish_con2_first,
    *("94", "95", "180a", "185", "186", "187", "188", "189", "190", "192"),
    create_lonely,
    *("194", "195", "196", "197", "198", "199"),
    *("251", "252", "253"),
    delete_pact_of_8,
    *("258", "259", "261", "264", "265"),
    publish_as("90", "1.4.0"),
    *("271", "272", "273", "274", "275", "276", "277", "280"),
]

# Where a recorded answer is set right before the comparison, and why.
DIFFERENCES: dict[str, tuple[str, Callable[[dict[str, Any]], None]]] = {
    "253": (
        "labels come later",
        lambda body: body["_embedded"].update(labels=[]),
    ),
    "261": (
        "the steps that aren't recorded put a version on main later, and each branch tells when it was changed",
        main_first,
    ),
}


def read(exchange: str) -> dict[str, Any]:
    recorded: dict[str, Any] = json.loads(RECORDED[exchange].read_text())
    return recorded


def test_every_exchange_is_replayed() -> None:
    assert {step for step in STEPS if isinstance(step, str)} == RECORDED.keys()


def test_answers_are_those_of_a_real_broker(tmp_path: Path) -> None:
    problems: dict[str, list[str]] = {}
    with EmbeddedBroker(tmp_path) as broker:
        dictionary = Dictionary(broker.url)
        for step in STEPS:
            if not isinstance(step, str):
                step(broker, dictionary)
            elif found := replay(broker, dictionary, step):
                problems[RECORDED[step].stem] = found
    if problems:
        pytest.fail("\n".join(f"{name}\n  " + "\n  ".join(found) for name, found in problems.items()))


def replay(broker: EmbeddedBroker, dictionary: Dictionary, exchange: str) -> list[str]:
    """Send a recorded request, and return how the answer differs from the recorded one."""
    recorded = read(exchange)
    request, expected = recorded["request"], recorded["response"]
    body = request.get("body")
    if exchange in DIFFERENCES:
        DIFFERENCES[exchange][1](expected["body"])
    text = body if isinstance(body, str) else json.dumps(body)
    answer = broker.request(
        request["method"],
        dictionary.translate(request["path"]),
        headers=request["headers"],
        data=None if body is None else dictionary.translate(text).encode(),
    )
    if answer.status_code != expected["status"]:
        return [f"status {expected['status']} != {answer.status_code}: {answer.text}"]
    headers = dict(expected["headers"])
    if answer.status_code == 204:
        headers["content-type"] = ""
    ours = {name: value for name in headers if (value := answer.headers.get(name)) is not None}
    content = answer.json() if answer.text else ""
    return dictionary.differences(
        {"headers": headers, "body": expected["body"]}, {"headers": ours, "body": content}
    )
