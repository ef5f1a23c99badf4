"""`verify` of what a real Pact Broker 2.120 asked for, by its recorded answers."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Self

import pytest

from tests.support.loopback import Loopback, Received, Reply
from tests.support.paths import ROOT
from tests.support.running import verify

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

EXCHANGES = ROOT / "tests" / "exchanges"
RECORDED_AT = "http://127.0.0.1:9292"
VERSION = ("--provider-app-version", "abc201", "--provider-version-branch", "main")


def body(name: str) -> Any:
    """Return what the real broker answered."""
    [file] = {file.name: file for file in EXCHANGES.rglob(f"{name}.json")}.values()
    return json.loads(file.read_text(encoding="utf-8"))["response"]["body"]


class RecordedBroker:
    """Answers as the real broker did, under this server's address; what is published is kept.

    Args:
        asked_for: The recording of the pacts for verification.
    """

    def __init__(self, asked_for: str) -> None:
        self.asked_for = asked_for
        self.questions: list[Any] = []
        self.published: list[Any] = []

    def __enter__(self) -> Self:
        self.server = Loopback(self.answer)
        self.server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.stop()

    def answer(self, request: Received) -> Reply:
        """Return the recorded answer to a request."""
        status, document, location = 200, None, ""
        path = request.path
        if path == "/":
            document = body("01-index")
        elif path.endswith("/for-verification"):
            self.questions.append(json.loads(request.body))
            document = body(self.asked_for)
        elif request.method == "POST" and path.endswith("/verification-results"):
            self.published.append(json.loads(request.body))
            status, document = 201, body("277-verification-through-for-verification-url")
            location = document["_links"]["self"]["href"]
        elif re.search(r"/verification-results/\d+$", path):
            recorded = body("277-verification-through-for-verification-url")
            sent = self.published[-1]
            document = recorded | {name: sent[name] for name in ("success", "providerApplicationVersion")}
        elif re.search(r"/pact-version/\w+/metadata/\w+$", path):
            document = body("276-pact-from-for-verification-url")
        elif path == "/pacticipants/Bar":
            document = body("195-pacticipant-get")
            document["_links"]["pb:branch-version"] = {
                "href": f"{RECORDED_AT}/pacticipants/Bar/branches/{{branch}}/versions/{{version}}",
                "templated": True,
            }
        elif request.method == "PUT":
            document = {}
        elif path == "/environments":
            document = body("79-environments-list")
        elif path.startswith("/matrix"):
            document = body("255-can-i-deploy-environment-no")
        else:
            status, document = 404, {"error": "The requested document was not found on this server."}
        text = json.dumps(document).replace(RECORDED_AT, self.server.url)
        headers = {"Location": location.replace(RECORDED_AT, self.server.url)} if location else {}
        return Reply(status, json.loads(text), headers=headers)


@pytest.fixture(params=[207, 200], ids=["honoured", "broken"])
def provider(request: pytest.FixtureRequest) -> Iterator[tuple[Loopback, bool]]:
    status: int = request.param
    with Loopback(Reply(status, {"id": 1}, headers={"Content-Type": "application/json"})) as server:
        yield server, status == 207


@pytest.mark.parametrize(
    "asked_for", ["95-provider-pacts-for-verification", "275-pacts-for-verification-with-metadata"]
)
def test_pacts_of_a_real_broker_pending_or_not(
    tmp_path: Path, provider: tuple[Loopback, bool], asked_for: str
) -> None:
    server, honoured = provider
    pending = asked_for.startswith("95")
    with RecordedBroker(asked_for) as broker:
        done = verify(
            tmp_path,
            *("--provider", "Bar", "--pact-broker-base-url", broker.server.url),
            *("--provider-base-url", server.url, *VERSION),
            *(("--enable-pending",) if pending else ()),
            "--publish-verification-results",
            "--publish-without-states",
        )
    assert done.code == (0 if honoured or pending else 1), done
    [question] = broker.questions
    assert question["providerVersionBranch"] == "main"
    assert question["includePendingStatus"] is pending
    assert question["consumerVersionSelectors"] == [
        {"mainBranch": True},
        {"deployedOrReleased": True},
        {"matchingBranch": True},
    ]
    [result] = broker.published
    assert (result["success"], result["providerApplicationVersion"]) == (honoured, "abc201")
    [verified] = done.report["verifications"]
    assert (verified["pending"], verified["consumer"]) == (pending, "Foo")
    assert verified["published"]["success"] is honoured
    if pending:
        expected = "is no longer in pending state" if honoured else "is still in pending state"
        assert f"This pact {expected} for any version of Bar from branch 'main'" in done.out
    assert "is being verified because the pact content belongs to" in done.out
    assert "Can Bar abc201 be deployed?" in done.out
