"""A verification as the broker's verification result: its form, its order, and that it is said once."""

from __future__ import annotations

from dataclasses import replace
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import pytest

from broker.http.access import BrokerAccess
from tests.support.examples import ERROR, FAILED, MANY_MISMATCHES, PASSED, PENDING_FAILED, PRICE, verification
from tests.support.loopback import Loopback, Received, Reply
from verifier.errors import PublishFailed
from verifier.publishing import publish, result_document
from verifier.verification import LONGEST_DESCRIPTION, LONGEST_REASON

if TYPE_CHECKING:
    from verifier.verification import Verification

NOT_FOUND = Reply(404, {"error": "not found"})


class Records:
    """A broker that records results, as far as publishing needs one."""

    def __init__(self, *replies: Reply, lost: bool = False) -> None:
        self._replies = list(replies)
        self._lost = lost
        self.results: list[dict[str, Any]] = []

    def __call__(self, request: Received) -> Reply:
        base = f"http://{request.headers['host']}"
        if request.method == "POST":
            return self._record(request, base)
        if request.method == "PUT":
            return Reply(200, {})
        if request.path == "/provider":
            version_of = f"{base}/provider/{{what}}/versions/{{version}}"
            links = {
                "pb:branch-version": {"href": version_of.replace("{what}", "branches/{branch}")},
                "pb:version-tag": {"href": version_of.replace("{what}", "tags/{tag}")},
            }
            return Reply(body={"_links": links})
        number = request.path.rpartition("/")[2]
        if number == "latest" and self.results:
            return self._shown(len(self.results), base)
        return self._shown(int(number), base) if number.isdecimal() else NOT_FOUND

    def _record(self, request: Received, base: str) -> Reply:
        if self._replies:
            reply = self._replies.pop(0)
            if self._lost:
                self.results.append(request.json)
            return reply
        self.results.append(request.json)
        shown = self._shown(len(self.results), base)
        return Reply(201, shown.body, headers={"Location": f"{base}/results/{len(self.results)}"})

    def _shown(self, number: int, base: str) -> Reply:
        links = {"self": {"href": f"{base}/results/{number}"}}
        return Reply(body={**self.results[number - 1], "_links": links})


def linked(base: str, **values: Any) -> Verification:
    """Make a passed verification that is to be published to this broker."""
    links = {"publish": f"{base}/results", "latest": f"{base}/results/latest", "provider": f"{base}/provider"}
    return verification(PASSED, **{"links": links, **values})


def test_result_has_the_form_of_the_pact_verifiers() -> None:
    made = verification(
        PASSED, FAILED, replace(FAILED, mismatches=(), reason="no such state"), build_url="http://ci/1"
    )
    document = result_document(made)
    results = document.pop("testResults")
    assert document == {
        "success": False,
        "providerApplicationVersion": "abc1234",
        "verifiedBy": {"implementation": "pact-dispatch", "version": version("pact-dispatch")},
        "buildUrl": "http://ci/1",
    }
    assert [result["success"] for result in results] == [True, False, False]
    assert {result["verificationId"] for result in results} == {made.id}
    assert results[0]["interactionId"] == "a1"
    assert results[0]["interactionDescription"] == "a request for a product"
    assert results[1]["mismatches"] == [
        {
            "attribute": "body",
            "identifier": "$.price",
            "description": PRICE.description,
            "expected": PRICE.expected,
            "actual": PRICE.actual,
        }
    ]
    assert results[2]["exceptions"] == [{"message": "no such state"}]


def test_pending_failure_is_a_success_with_a_failed_interaction() -> None:
    document = result_document(verification(PASSED, PENDING_FAILED))
    assert document["success"] is True
    assert [result["success"] for result in document["testResults"]] == [True, False]
    assert "buildUrl" not in document


def test_differences_that_were_left_out_are_counted() -> None:
    [result] = result_document(verification(MANY_MISMATCHES))["testResults"]
    assert result["mismatches"][-1]["description"] == "... and 49900 more differences"


def test_a_result_that_is_too_large_is_published_without_details() -> None:
    records = Records(Reply(413, "<html>Request Entity Too Large</html>"))
    with Loopback(records) as server:
        made = replace(linked(server.url), interactions=(FAILED, PASSED), interactions_in_pact=2)
        published = publish(made, BrokerAccess(server.url))
        first, second = [request.json for request in server.received if request.method == "POST"]
    assert published.success is False
    assert first["testResults"][0]["mismatches"]
    assert "mismatches" not in second["testResults"][0]
    assert "left out" in second["testResults"][0]["exceptions"][0]["message"]
    assert [result["success"] for result in second["testResults"]] == [False, True]
    assert all(result["verificationId"] == made.id for result in second["testResults"])


def test_a_result_that_is_too_large_without_details_is_refused() -> None:
    records = Records(Reply(413), Reply(413))
    with Loopback(records) as server, pytest.raises(PublishFailed, match="413"):
        publish(linked(server.url), BrokerAccess(server.url))


def test_long_values_are_left_to_the_description() -> None:
    long = replace(FAILED, mismatches=(replace(PRICE, expected="x" * 1001, actual="2"),))
    [result] = result_document(verification(long))["testResults"]
    [mismatch] = result["mismatches"]
    assert ("expected" in mismatch, mismatch["actual"]) == (False, "2")


def test_long_descriptions_are_cut() -> None:
    long = replace(FAILED, mismatches=(replace(PRICE, description="x" * 9999),), reason="y" * 9999)
    [result] = result_document(verification(long))["testResults"]
    assert len(result["mismatches"][0]["description"]) == LONGEST_DESCRIPTION
    assert len(result["exceptions"][0]["message"]) == LONGEST_REASON


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (verification(PASSED, ERROR), "without an answer"),
        (verification(interactions_in_pact=2), "without an answer"),
        (verification(consumer=""), "without an answer"),
        (verification(PASSED, interactions_in_pact=2), "filtered"),
        (verification(PASSED, provider_version=None), "this one has none"),
    ],
)
def test_what_was_not_really_verified_is_never_published(made: Verification, said: str) -> None:
    with Loopback(Reply()) as server:
        with pytest.raises(ValueError, match=said):
            publish(made, BrokerAccess(server.url))
        assert server.received == []


def test_branch_and_tags_go_before_the_result_which_is_read_back() -> None:
    with Loopback(Records()) as server:
        made = linked(server.url, provider_branch="feat/new thing", provider_tags=("a b",))
        published = publish(made, BrokerAccess(server.url))
    assert (published.url, published.success) == (f"{server.url}/results/1", True)
    assert (published.provider_version, published.already_there) == ("abc1234", False)
    assert [(request.method, request.path) for request in server.received] == [
        ("GET", "/provider"),
        ("PUT", "/provider/branches/feat%2Fnew%20thing/versions/abc1234"),
        ("PUT", "/provider/tags/a%20b/versions/abc1234"),
        ("POST", "/results"),
        ("GET", "/results/1"),
    ]


def test_version_without_branch_and_tags_needs_no_link_to_the_provider() -> None:
    with Loopback(Records()) as server:
        links = {"publish": f"{server.url}/results"}
        made = linked(server.url, provider_branch=None, provider_tags=(), links=links)
        assert publish(made, BrokerAccess(server.url)).success


@pytest.mark.parametrize(
    ("missing", "said"),
    [("publish", "pb:publish-verification-results"), ("provider", "no link to its provider")],
)
def test_missing_link_is_said_and_nothing_is_recorded(missing: str, said: str) -> None:
    with Loopback(Records()) as server:
        made = linked(server.url)
        del made.links[missing]
        with pytest.raises(PublishFailed, match=f"{said}.*Nothing was recorded") as error:
            publish(made, BrokerAccess(server.url))
    assert not error.value.retryable
    assert all(request.method == "GET" for request in server.received)


@pytest.mark.parametrize(("lost", "already_there"), [(True, True), (False, False)])
def test_result_whose_answer_was_lost_is_recorded_once(lost: bool, already_there: bool) -> None:  # noqa: FBT001
    records = Records(Reply(drop=True), lost=lost)
    with Loopback(records) as server:
        published = publish(linked(server.url), BrokerAccess(server.url), retry_time=10)
    assert published.already_there is already_there
    assert len(records.results) == 1


def test_publishing_again_records_nothing_new() -> None:
    records = Records()
    with Loopback(records) as server:
        made = linked(server.url)
        first = publish(made, BrokerAccess(server.url))
        again = publish(made, BrokerAccess(server.url), resumed=True)
    assert again == replace(first, already_there=True)
    assert len(records.results) == 1


def test_another_verification_of_the_same_version_is_not_taken_for_this_one() -> None:
    records = Records()
    with Loopback(records) as server:
        publish(linked(server.url, id="another"), BrokerAccess(server.url))
        published = publish(linked(server.url), BrokerAccess(server.url), resumed=True)
    assert not published.already_there
    assert len(records.results) == 2


@pytest.mark.parametrize(
    "recorded",
    [
        {"success": False, "providerApplicationVersion": "abc1234"},
        {"success": True, "providerApplicationVersion": "another"},
        {"success": "true", "providerApplicationVersion": "abc1234"},
        [],
    ],
)
def test_recorded_result_that_says_something_else_is_no_success(recorded: Any) -> None:
    def answer(request: Received) -> Reply:
        if request.method == "POST":
            return Reply(201, headers={"Location": f"http://{request.headers['host']}/results/1"})
        return Reply(body=recorded)

    with Loopback(answer) as server:
        made = linked(server.url, provider_branch=None, provider_tags=())
        with pytest.raises(PublishFailed, match="has something else at"):
            publish(made, BrokerAccess(server.url))


def test_result_may_be_told_by_a_relative_address() -> None:
    records = Records()

    def answer(request: Received) -> Reply:
        reply = records(request)
        return replace(reply, headers={"Location": "/results/1"}) if request.method == "POST" else reply

    with Loopback(answer) as server:
        published = publish(linked(server.url), BrokerAccess(server.url))
        assert published.url == f"{server.url}/results/1"


@pytest.mark.parametrize(("status", "retryable"), [(401, False), (403, False), (422, False), (503, True)])
def test_refused_result_says_so(status: int, retryable: bool) -> None:  # noqa: FBT001
    records = Records(*[Reply(status, {"error": "not you"})] * 20)
    with Loopback(records) as server:
        with pytest.raises(
            PublishFailed, match=r"did not accept the result.* not recorded in the broker"
        ) as error:
            publish(linked(server.url), BrokerAccess(server.url), retry_time=0.1)
        assert str(status) in str(error.value)
    assert error.value.retryable is retryable
    assert records.results == []
