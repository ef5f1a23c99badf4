"""The 559 requests that a real Pact Broker 2.120.0 was sent, and its answers: this one must answer the same.

They are sent in their order to one broker, since later answers depend on earlier requests. What can't be the same is
compared by what it stands for: hosts, times, and the names that a broker gives (hashes, UUIDs, numbers of results),
which must stand for the same thing throughout.
"""

from __future__ import annotations

import http.client
import json
import lzma
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from tests.broker.embedded.differential.known import KNOWN, LEFT_OUT_LINKS
from tests.support.comparison import Dictionary
from tests.support.processes import EmbeddedBroker

if TYPE_CHECKING:
    from collections.abc import Iterator

RECORDING = Path(__file__).with_name("recording.jsonl.xz")
RECORDED_BASE = "http://127.0.0.1:19295"
COMPARED_HEADERS = ("content-type", "location", "allow")

Differences = dict[int, list[str]]


def recorded() -> Iterator[dict[str, Any]]:
    """Return the exchanges in their order."""
    with lzma.open(RECORDING, "rt") as lines:
        yield from map(json.loads, lines)


@pytest.fixture(scope="module")
def differences(tmp_path_factory: pytest.TempPathFactory) -> Differences:
    """Where the answers differ, by the number of the request."""
    with EmbeddedBroker(tmp_path_factory.mktemp("broker")) as broker:
        names = Dictionary(
            broker.url, with_webhooks=True, recorded_base=RECORDED_BASE, left_out=LEFT_OUT_LINKS
        )
        return {one["n"]: found for one in recorded() if (found := replay(broker, names, one))}


def test_answers_are_those_of_a_real_broker(differences: Differences) -> None:
    unexplained = {
        number: left
        for number, found in differences.items()
        if (left := [text for text in found if not explained(number, text)])
    }
    if unexplained:
        pytest.fail("\n".join(f"#{n}\n  " + "\n  ".join(found[:20]) for n, found in unexplained.items()))


def test_no_difference_is_listed_that_is_there_no_more(differences: Differences) -> None:
    gone = [
        (one.reason, number)
        for one in KNOWN
        for number in one.requests or (None,)
        if not any(
            re.match(one.where, text)
            for n, found in differences.items()
            if number in {None, n}
            for text in found
        )
    ]
    assert not gone


def explained(number: int, text: str) -> bool:
    return any(re.match(one.where, text) and (not one.requests or number in one.requests) for one in KNOWN)


def replay(broker: EmbeddedBroker, names: Dictionary, exchange: dict[str, Any]) -> list[str]:
    """Send a recorded request, and return how the answer differs from the recorded one."""
    expected = exchange["response"]
    status, headers, text = send(broker.url, names, exchange["request"])
    if status != expected["status"]:
        return [f"status: {expected['status']} != {status} {text[:300]}"]
    ours = {name: value for name, value in headers.items() if name in COMPARED_HEADERS}
    theirs = {name: value for name, value in expected["headers"].items() if name in COMPARED_HEADERS}
    for side in (ours, theirs):
        side["content-type"] = side.get("content-type", "").replace(" ", "").lower()
        side["allow"] = ",".join(sorted(side.get("allow", "").replace(" ", "").split(",")))
    return names.differences(
        {"headers": theirs, "body": shown(expected.get("body"))}, {"headers": ours, "body": read(text)}
    )


def read(text: str) -> Any:
    """Return the JSON of an answer; of a page only that it is one."""
    if not text:
        return None
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return shown(text)


def shown(body: Any) -> Any:
    return "a page" if isinstance(body, str) and body.lower().startswith("<!doctype html>") else body or None


def send(base: str, names: Dictionary, request: dict[str, Any]) -> tuple[int, dict[str, str], str]:
    """Send a request as it was recorded, byte by byte but for the names."""
    connection = http.client.HTTPConnection(urlsplit(base).netloc, timeout=30)  # noqa: TID251 - byte by byte
    try:
        connection.putrequest(request["method"], names.translate(request["path"]), skip_accept_encoding=True)
        for name, value in request["headers"].items():
            connection.putheader(name, value)
        body = request.get("body")
        data = None if body is None else names.translate(body).encode()
        if data is not None or request["method"] in {"POST", "PUT", "PATCH"}:
            connection.putheader("Content-Length", str(len(data or b"")))
        connection.endheaders(data)
        answer = connection.getresponse()
        return (
            answer.status,
            {name.lower(): value for name, value in answer.getheaders()},
            answer.read().decode(),
        )
    finally:
        connection.close()
