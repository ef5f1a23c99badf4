"""Whatever a broker answers, and whatever goes wrong, publishing ends with a result or a reason."""

from __future__ import annotations

from typing import Any

import pytest

from broker.client import BrokerClient
from broker.http.access import BrokerAccess
from tests.support.loopback import Loopback, Received, Reply
from tests.verifier.test_publishing import Records, linked
from verifier.errors import PublishFailed
from verifier.publishing import publish

NO_URLS = ["http://[::1", "//[", "http://host:99999/", "http://host:port/", "http://a b/", "https://[v1.x]/"]


@pytest.mark.parametrize("location", NO_URLS)
@pytest.mark.parametrize("status", [201, 302, 307])
def test_location_that_is_no_url_is_a_reason(status: int, location: str) -> None:
    def answer(request: Received) -> Reply:
        return Reply(status, headers={"Location": location}) if request.method == "POST" else Reply(404)

    with Loopback(answer) as server:
        made = linked(server.url, provider_branch=None, provider_tags=())
        with pytest.raises(PublishFailed):
            publish(made, BrokerAccess(server.url), retry_time=0.1)


@pytest.mark.parametrize("location", NO_URLS)
def test_result_that_was_recorded_is_found_behind_a_location_that_is_no_url(location: str) -> None:
    records = Records(Reply(302, headers={"Location": location}), lost=True)
    with Loopback(records) as server:
        published = publish(linked(server.url), BrokerAccess(server.url), retry_time=0.1)
        assert published.url == f"{server.url}/results/1"


@pytest.mark.parametrize("href", [*NO_URLS, 5, None, ["x"], {}])
def test_link_that_is_no_url_is_a_reason(href: Any) -> None:
    links = {rel: {"href": href} for rel in ("self", "pb:branch-version", "pb:version-tag")}
    with Loopback(Reply(body={"_links": links})) as server, pytest.raises(PublishFailed):
        publish(linked(server.url), BrokerAccess(server.url), retry_time=0.1)


@pytest.mark.parametrize("document", [None, [], "text", 5, {"_links": []}, {"_links": {"self": []}}])
def test_answer_of_another_form_is_a_reason(document: Any) -> None:
    with Loopback(Reply(body=document)) as server, pytest.raises(PublishFailed):
        publish(linked(server.url), BrokerAccess(server.url), retry_time=0.1)


def test_unexpected_exception_is_a_reason_and_may_be_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def send(*_: object) -> None:
        raise ZeroDivisionError("by zero")

    monkeypatch.setattr(BrokerClient, "post_once", send)
    with Loopback(Records()) as server:
        made = linked(server.url, provider_branch=None, provider_tags=())
        with pytest.raises(PublishFailed, match=r"ZeroDivisionError: by zero.* is not known") as error:
            publish(made, BrokerAccess(server.url))
    assert error.value.retryable
