"""Which pacts lack a result of a version: what a broker is asked, how often, and what its answers mean."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from unittest.mock import patch
from urllib.parse import parse_qsl, quote, urlsplit

import pytest

from broker.client import BrokerClient, pact_results
from broker.client.exchange import Exchange
from broker.client.missing_results import ProviderVersion, Questions
from broker.client.pact_results import lacking
from broker.http.access import BrokerAccess
from tests.broker.embedded.differential.test_differential import recorded
from tests.support.loopback import Loopback, Received, Reply
from tests.support.pacts import pact, things
from tests.support.processes import EmbeddedBroker

if TYPE_CHECKING:
    from collections.abc import Iterator

OLD, NEW, UNKNOWN = "v1", "v2", "v3"
PACTS = {
    ("verified", "1"): True,
    ("broken", "1"): True,
    ("unverified", "1"): False,
    ("verified by another", "1"): False,
    ("another's content", "2"): True,
    ("changed", "2"): False,
    ("deployed & older", "1"): True,
    ("without a main branch", "1"): True,
    ("without a result or a main branch", "1"): False,
    ("on", "feat/2"): True,
    ("goes with others now", "1"): True,
    ("goes with others now, unverified", "1"): False,
}
"""Consumer versions that have a pact, and whether it has a result of the new version of the provider."""


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedBroker]:
    with EmbeddedBroker(tmp_path_factory.mktemp("broker")) as started:
        for name, version in PACTS:
            publish(started, name, version, branch=None if "main branch" in name else "main")
        publish_result(started, "verified", "1", NEW)
        publish_result(started, "verified", "1", OLD)
        publish_result(started, "broken", "1", NEW, success=False)
        publish_result(started, "verified by another", "1", OLD)
        publish_result(started, "another's content", "2", NEW)
        publish(started, "another's content", "3")  # what was verified with version 2
        publish(started, "changed", "1", size=2)
        publish_result(started, "changed", "1", NEW)
        publish_result(started, "deployed & older", "1", NEW)
        publish(started, "deployed & older", "2", size=2)
        publish_result(started, "without a main branch", "1", NEW)
        publish_result(started, "on", "feat/2", NEW)
        publish_result(started, "goes with others now", "1", NEW)
        for name in ("goes with others now", "goes with others now, unverified"):
            publish(started, name, "2", provider="Others")
        publish(started, "Things", "v2", provider="verified")  # the provider is a consumer too
        yield started


def publish(
    broker: EmbeddedBroker,
    name: str,
    version: str,
    *,
    branch: str | None = "main",
    size: int = 1,
    provider: str = "Things",
) -> None:
    broker.publish(pact(*things(size), consumer=name, provider=provider), version, branch=branch)


def publish_result(
    broker: EmbeddedBroker, name: str, version: str, provider_version: str, *, success: bool = True
) -> None:
    path = f"/pacts/provider/Things/consumer/{quote(name, safe='')}/version/{quote(version, safe='')}"
    link = broker.get(path).json()["_links"]["pb:publish-verification-results"]["href"]
    body = {"success": success, "providerApplicationVersion": provider_version}
    assert broker.request("POST", link, json=body).status_code == 201


class Counted(BrokerClient):
    """A client that keeps what it asks."""

    def __init__(self, url: str) -> None:
        super().__init__(BrokerAccess(url), retry_time=0)
        self.asked: list[list[tuple[str, str]]] = []

    def get(self, url: str) -> Any:
        self.asked.append(parse_qsl(urlsplit(url).query))
        return super().get(url)


@pytest.mark.parametrize("longest", [None, 300, 1])
@pytest.mark.parametrize(
    ("version", "wanted"),
    [
        (NEW, {one for one, has_result in PACTS.items() if not has_result}),
        (OLD, set(PACTS) - {("verified", "1"), ("verified by another", "1")}),
        (UNKNOWN, set(PACTS)),
        (None, {one for one, there in PACTS.items() if not there} - {("verified by another", "1")}),
    ],
)
def test_pacts_that_lack_a_result_are_the_same_however_many_fit_into_a_question(
    broker: EmbeddedBroker,
    monkeypatch: pytest.MonkeyPatch,
    longest: int | None,
    version: str | None,
    wanted: set[Any],
) -> None:
    if longest is not None:
        monkeypatch.setattr(pact_results, "LONGEST_QUERY", longest)
    with Counted(broker.url) as client:
        assert lacking(client, list(PACTS), ("Things", version)) == wanted
    if longest is None:
        assert len(client.asked) == 1
    else:
        assert ("mainBranch", "true") in client.asked[0]
        assert len(client.asked) < len(PACTS)


def test_no_question_is_asked_about_no_pact(broker: EmbeddedBroker) -> None:
    with Counted(broker.url) as client:
        assert lacking(client, [], ("Things", NEW)) == set()
    assert client.asked == []


def test_what_an_answer_says_nothing_of_is_asked_alone() -> None:
    """A broker that answers fewer rows than it was asked for."""

    def answer(request: Received) -> Reply:
        asked = [value for key, value in parse_qsl(urlsplit(request.path).query) if "version" in key]
        rows = [
            {
                "consumer": {"name": "C", "version": {"number": number}},
                "provider": {"name": "P", "version": {"number": "v"}},
                "verificationResult": {"success": True},
            }
            for number in asked[1:]
        ]
        return Reply(200, {"matrix": rows[-1:]})

    with Loopback(answer) as server, Counted(server.url) as client:
        assert lacking(client, [("C", "1"), ("C", "2"), ("C", "3")], ("P", "v")) == set()
        assert len(client.asked) == 3
        assert lacking(client, [("D", "1")], ("P", "v")) == {("D", "1")}


@pytest.mark.parametrize("number", [298, 299])
def test_rows_of_a_real_broker_tell_which_pacts_lack_a_result(number: int) -> None:
    """The latest versions of all consumers of a provider; those without a result have a row, too."""
    [one] = [each for each in recorded() if each["n"] == number]
    rows = one["response"]["body"]["matrix"]
    consumers = [(row["consumer"]["name"], row["consumer"]["version"]["number"]) for row in rows]
    version = dict(parse_qsl(urlsplit(one["request"]["path"]).query))["q[][version]"]
    with Loopback(lambda _: Reply(200, {"matrix": rows})) as server, Counted(server.url) as client:
        found = lacking(client, consumers, ("Bar", version))
    assert found == {one for one, row in zip(consumers, rows, strict=True) if not row["verificationResult"]}
    assert 0 < len(found) < len(rows)


@pytest.mark.parametrize("pacts", [1, 10, 300])
def test_a_broker_is_asked_once_for_each_version_whatever_the_number_of_pacts(
    tmp_path: Any, pacts: int
) -> None:
    versions = [ProviderVersion(f"v{number}", "main", "deployed") for number in range(5)]
    with EmbeddedBroker(tmp_path) as broker, BrokerClient(BrokerAccess(broker.url)) as client:
        document = pact(*things(1), provider="Things")
        for number in range(pacts):
            document["consumer"]["name"] = f"Consumer {number}"
            broker.publish(document, f"{number:040x}", branch="main")
        publish_result(broker, "Consumer 0", f"{0:040x}", "v0")
        with patch.object(Exchange, "send", autospec=True, side_effect=Exchange.send) as sent:
            questions = Questions(client, "Things")
            found = questions.pacts()
            before = sent.call_count
            lack = [len(questions.lacking(found, version)) for version in versions]
    assert (len(found), lack) == (pacts, [pacts - 1, *[pacts] * 4])
    assert (before, sent.call_count - before) == (2, len(versions))
