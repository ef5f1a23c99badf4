"""HTTP interactions, V1 to V4: answers, provider states, headers, matching rules, pending, comments, brokers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from broker.http.access import BrokerAccess
from tests.compatibility.contents import V1, V2, V3, V4, as_json
from tests.compatibility.verifying import StateCall, http, pact, reply_with
from tests.support.loopback import Received, Reply
from tests.support.processes import EmbeddedBroker
from verifier.publishing import publish
from verifier.verification import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.compatibility.verifying import Verifying

BOLT = as_json({"name": "bolt", "size": 8})
ANSWER = reply_with(BOLT)
STOCKED = "bolts are in stock"
ALL_VERSIONS = pytest.mark.parametrize("version", [V1, V2, V3, V4])


def bolts(version: str, **parts: Any) -> dict[str, Any]:
    return pact(version, http(version, content=BOLT, **parts))


def with_query(version: str) -> dict[str, Any]:
    """Make a pact of a request with a query, which V3 spells in another way."""
    query: Any = "size=8&kind=hex" if version in {V1, V2} else {"size": ["8"], "kind": ["hex"]}
    asked = http(version, request={"path": "/search", "query": query}, description="a search for parts")
    return {**pact(version, asked), "consumer": {"name": "Workshop"}}


def by_path(request: Received) -> Reply:
    """Answer both pacts."""
    return Reply() if request.path.startswith("/search?") else ANSWER


def of_one(request: Received) -> Reply:
    """Answer the first pact alone."""
    return ANSWER if request.path == "/parts" else Reply(404)


def with_state(version: str, name: str = STOCKED) -> dict[str, Any]:
    return bolts(
        version, **({"providerState": name} if version in {V1, V2} else {"providerStates": [{"name": name}]})
    )


@ALL_VERSIONS
class TestRequest:
    def test_that_is_answered_as_expected(self, version: str, verifying: Verifying) -> None:
        """V1 `http_provider`: a simple HTTP request."""
        found = verifying(bolts(version), ANSWER)
        assert found.verification.outcome == Outcome.PASSED
        assert [(asked.method, asked.path) for asked in found.asked] == [("GET", "/parts")]

    def test_of_several_pacts(self, version: str, verifying: Verifying) -> None:
        """V1 `http_provider`: multiple Pact files; each is one verification here."""
        for document in (bolts(version), with_query(version)):
            assert verifying(document, by_path).verification.outcome == Outcome.PASSED

    def test_that_the_provider_does_not_know(self, version: str, verifying: Verifying) -> None:
        """V1 `http_provider`: an incorrect request is made to the provider."""
        found = verifying(with_query(version), of_one)
        assert found.verification.outcome == Outcome.FAILED
        assert found.differing == {"status"}

    def test_whose_answer_has_another_status(self, version: str, verifying: Verifying) -> None:
        """V1 `http_provider`: the response's status code."""
        found = verifying(bolts(version), reply_with(BOLT, status=400))
        assert found.only.outcome == Outcome.FAILED
        [mismatch] = found.only.mismatches
        assert (mismatch.attribute, mismatch.expected, mismatch.actual) == ("status", "200", "400")

    def test_whose_answer_has_another_header(self, version: str, verifying: Verifying) -> None:
        """V1 `http_provider`: the response's headers."""
        document = bolts(version, response={"headers": {"X-Shelf": "A7"}})
        assert verifying(document, reply_with(BOLT, headers={"X-Shelf": "A7"})).only.outcome == Outcome.PASSED
        found = verifying(document, reply_with(BOLT, headers={"X-Shelf": "B1"}))
        assert found.only.outcome == Outcome.FAILED
        [mismatch] = found.only.mismatches
        assert (mismatch.attribute, mismatch.identifier.lower()) == ("header", "x-shelf")

    def test_with_a_header_of_its_own(self, version: str, verifying: Verifying) -> None:
        """V1 `http_provider`: a header of the interaction, and one in place of a request filter."""
        document = bolts(version, request={"headers": {"X-Shop": "main"}})
        found = verifying(document, ANSWER, headers=(("X-Key", "k1"),))
        [asked] = found.asked
        assert found.only.outcome == Outcome.PASSED
        assert (asked.headers["x-shop"], asked.headers["x-key"]) == ("main", "k1")


@ALL_VERSIONS
class TestState:
    def test_is_set_up_before_and_torn_down_after(self, version: str, verifying: Verifying) -> None:
        """V1 `http_provider`: a defined provider state."""
        found = verifying(with_state(version), ANSWER, states=Reply())
        assert found.only.outcome == Outcome.PASSED
        assert found.order == [f"setup {STOCKED}", "/parts", f"teardown {STOCKED}"]

    def test_of_none_is_an_empty_one(self, version: str, verifying: Verifying) -> None:
        """V1 `http_provider`: no defined provider state."""
        found = verifying(bolts(version), ANSWER, states=Reply())
        assert found.only.outcome == Outcome.PASSED
        assert found.order == ["setup ", "/parts", "teardown "]

    @pytest.mark.parametrize("status", [400, 500])
    def test_that_fails_breaks_the_interaction(self, status: int, version: str, verifying: Verifying) -> None:
        """V1 `http_provider`: the provider state callback fails; no teardown follows."""
        found = verifying(with_state(version), ANSWER, states=Reply(status, "no such shelf"))
        assert found.only.outcome == Outcome.FAILED
        assert f'setup of state "{STOCKED}"' in str(found.only.reason)
        assert f"was answered with {status}: no such shelf" in str(found.only.reason)
        assert found.order == [f"setup {STOCKED}"]

    def test_that_nothing_sets_up_is_noted(self, version: str, verifying: Verifying) -> None:
        """V1 `http_provider`: a provider state callback is not configured."""
        found = verifying(with_state(version), ANSWER)
        assert found.verification.outcome == Outcome.PASSED
        [note] = found.verification.notes
        assert "1 interaction with provider states, and nothing was given to set them up" in note
        assert found.only.states == (STOCKED,)


@pytest.mark.parametrize("version", [V3, V4])
class TestStates:
    def test_are_each_set_up_and_torn_down(self, version: str, verifying: Verifying) -> None:
        """V3 `http_provider`: multiple defined provider states."""
        states = [{"name": STOCKED}, {"name": "a user is known"}]
        found = verifying(bolts(version, providerStates=states), ANSWER, states=Reply())
        assert found.only.outcome == Outcome.PASSED
        assert found.order == [
            f"setup {STOCKED}",
            "setup a user is known",
            "/parts",
            f"teardown {STOCKED}",
            "teardown a user is known",
        ]

    def test_have_parameters(self, version: str, verifying: Verifying) -> None:
        """V3 `http_provider`: a provider state with parameters."""
        params = {"name": "Ada", "orders": 3, "tags": ["a", None]}
        states = [{"name": "a user is known", "params": params}]
        found = verifying(bolts(version, providerStates=states), ANSWER, states=Reply())
        assert found.only.outcome == Outcome.PASSED
        assert found.calls == [
            StateCall("setup", "a user is known", params),
            StateCall("teardown", "a user is known", params),
        ]


@pytest.mark.parametrize(
    ("rules", "answer", "differing"),
    [
        pytest.param("header", {"X-Shelf": "B12"}, set(), id="header, positive"),
        pytest.param("header", {"X-Shelf": "B12x"}, {"header"}, id="header, negative"),
        pytest.param("body", {"name": "nut", "size": 8}, set(), id="body, positive"),
        pytest.param("body", {"name": 5, "size": 8}, {"body"}, id="body, negative"),
    ],
)
@pytest.mark.parametrize("version", [V2, V3, V4])
def test_matching_rules(
    rules: str, answer: dict[str, Any], differing: set[str], version: str, verifying: Verifying
) -> None:
    """V2 `http_provider`: matching rules for the response's headers and body."""
    regex, kind = {"match": "regex", "regex": "^[A-Z]\\d+$"}, {"match": "type"}
    matching: dict[str, Any] = {"$.headers.X-Shelf": regex, "$.body.name": kind}
    if version != V2:
        matching = {"header": {"X-Shelf": {"matchers": [regex]}}, "body": {"$.name": {"matchers": [kind]}}}
    expected = {"headers": {"X-Shelf": "A7"}, "matchingRules": matching}
    content, headers = (as_json(answer), {"X-Shelf": "A7"}) if rules == "body" else (BOLT, answer)
    found = verifying(bolts(version, response=expected), reply_with(content, headers=headers))
    assert found.differing == differing
    assert found.only.outcome == (Outcome.FAILED if differing else Outcome.PASSED)


def test_a_pending_interaction_breaks_nothing(verifying: Verifying) -> None:
    """V4 `http_provider`: a pending interaction."""
    found = verifying(bolts(V4, pending=True), reply_with(as_json({"name": "nut", "size": 8})))
    assert found.verification.outcome == Outcome.PASSED
    assert found.only.is_pending_failure
    assert found.differing == {"body"}


def test_comments_and_the_test_name_are_printed(verifying: Verifying) -> None:
    """V4 `http_provider`: an interaction with comments."""
    comments = {"text": ["asked for by the till", "and by the web shop"], "testname": "StockTest.bolts()"}
    done = verifying.by_command(bolts(V4, comments=comments), ANSWER)
    assert done.returncode == 0
    for shown in ("asked for by the till", "and by the web shop", "StockTest.bolts()"):
        assert shown in done.stdout


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedBroker]:
    with EmbeddedBroker(tmp_path_factory.mktemp("broker")) as started:
        yield started


class FromBroker:
    """Pacts of a provider of their own in a broker, verified from there."""

    def __init__(self, broker: EmbeddedBroker, provider: str, verifying: Verifying) -> None:
        self._broker = broker
        self._provider = provider
        self._verifying = verifying

    def verified(
        self,
        document: dict[str, Any],
        answer: Reply | Callable[[Received], Reply],
        *,
        publishing: bool,
    ) -> tuple[Outcome, dict[str, Any] | None]:
        """Put a pact into the broker and verify it, and return the outcome and the result that is there then."""
        document = {**document, "provider": {"name": self._provider}}
        self._broker.publish(document, "1.0")
        url = f"/pacts/provider/{self._provider}/consumer/{document['consumer']['name']}/latest"
        options = {"provider_version": "7.1", "publish": publishing}
        verification = self._verifying(f"{self._broker.url}{url}", answer, request=options).verification
        if publishing:
            publish(verification, BrokerAccess(self._broker.url))
        links = self._broker.get(url).json()["_links"]
        found = self._broker.get(links["pb:latest-verification-results"]["href"])
        return verification.outcome, None if found.status_code == 404 else found.json()


@pytest.fixture(params=[V1, V2, V3, V4])
def version(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def from_broker(
    broker: EmbeddedBroker, version: str, request: pytest.FixtureRequest, verifying: Verifying
) -> FromBroker:
    return FromBroker(broker, f"{request.function.__name__}-{version}", verifying)


def test_nothing_is_published_unasked(from_broker: FromBroker, version: str) -> None:
    """V1 `http_provider`: a simple request from a broker."""
    assert from_broker.verified(bolts(version), ANSWER, publishing=False) == (Outcome.PASSED, None)


def test_a_success_is_published(from_broker: FromBroker, version: str) -> None:
    """V1 `http_provider`: a simple request from a broker, with publishing."""
    outcome, result = from_broker.verified(bolts(version), ANSWER, publishing=True)
    assert outcome == Outcome.PASSED
    assert result is not None
    assert (result["success"], result["providerApplicationVersion"]) == (True, "7.1")
    [interaction] = result["testResults"]
    assert interaction["success"] is True
    assert interaction["interactionId"], "the broker's id of the interaction"


def test_a_success_is_published_for_each_pact(from_broker: FromBroker, version: str) -> None:
    """V1 `http_provider`: multiple Pact files from a broker; each is one verification here."""
    for document in (bolts(version), with_query(version)):
        outcome, result = from_broker.verified(document, by_path, publishing=True)
        assert outcome == Outcome.PASSED
        assert result is not None
        assert result["success"] is True
        [interaction] = result["testResults"]
        assert interaction["interactionDescription"] == document["interactions"][0]["description"]


def test_a_failure_is_published(from_broker: FromBroker, version: str) -> None:
    """V1 `http_provider`: an incorrect request from a broker."""
    outcome, result = from_broker.verified(with_query(version), of_one, publishing=True)
    assert outcome == Outcome.FAILED
    assert result is not None
    assert result["success"] is False
    [interaction] = result["testResults"]
    assert interaction["success"] is False
    assert [mismatch["attribute"] for mismatch in interaction["mismatches"]] == ["status"]
